"""One visit: everything that is done at one position in one slot, in order.

Take the hardware, move, light, focus if due, follow drift if due, settle, capture each
plane, check, store, give the hardware back. Whatever the hardware does, a visit ends
with a record and never with an exception of the hardware's.
"""

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from typing_extensions import Protocol

from openflexure_timelapse import drift, focus, quality
from openflexure_timelapse.errors import (
    DiskFullError,
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
    IncompleteImageError,
    OutOfReachError,
    StorageError,
)
from openflexure_timelapse.frame import Flag, Frame, FrameDraft, Outcome, Reason, Visit
from openflexure_timelapse.instrument import Instrument, StoppedError
from openflexure_timelapse.knowledge import NOTHING_YET, Knowledge
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Clock, Image, Microscope, StagePosition

__all__ = ["FrameSink", "Task", "Visitor"]

NS_PER_S = 1_000_000_000
WORTH_A_RETRY = frozenset({Flag.DARK, Flag.REPEATED, Flag.BLURRED})
REASONS = (
    (DiskFullError, Reason.DISK_FULL),
    (StorageError, Reason.STORAGE),
    (HardwareTimeoutError, Reason.TIMEOUT),
    (HardwareBusyError, Reason.BUSY),
    (IncompleteImageError, Reason.INCOMPLETE_IMAGE),
    (OutOfReachError, Reason.STAGE),
    (HardwareError, Reason.HARDWARE),
)


class FrameSink(Protocol):
    """Where a visit puts its frames: the store, or a benchmark's bucket."""

    def add_frame(
        self, jpeg: bytes, draft: FrameDraft, state: Mapping[str, Any]
    ) -> Frame:
        """Make the frame durable and return its record."""
        ...


@dataclass(frozen=True)
class Task:
    """What one visit is asked to do.

    Attributes
    ----------
    slot, position : int, str
        For the records.
    target : StagePosition or None
        Where to go; None to stay (then z moves only for focus and planes).
    due_ns, interval_ns : int
        When the slot was due, and how long after it the next one is.
    origin_ns : int
        The monotonic time of the grid's origin.
    late : bool
        Whether the schedule calls the slot late.
    focus_due, drift_due : bool
        Whether this visit focuses, and follows drift.
    """

    slot: int
    position: str
    target: Optional[StagePosition]
    due_ns: int
    interval_ns: int
    origin_ns: int
    late: bool
    focus_due: bool
    drift_due: bool


@dataclass(frozen=True)
class _Look:
    """One captured image and what the checks say of it."""

    image: Image
    facts: quality.ImageFacts
    flags: Tuple[Flag, ...]


@dataclass
class _Course:
    """How far a visit has come; what its record is made from."""

    begun: bool = False
    retries: int = 0
    first_exposure_ns: Optional[int] = None
    focus: Optional[Dict[str, Any]] = None
    drift: Optional[Dict[str, Any]] = None


class Visitor:
    """Makes visits with one microscope.

    Parameters
    ----------
    plan : Plan
        The run's plan.
    microscope : Microscope
        For its facts; every call goes through `instrument`.
    instrument : Instrument
        The same microscope behind deadlines.
    clock : Clock
        Stamps the frames.
    sink : FrameSink
        Receives the frames.
    frame_seen : callable
        Told of each frame once it is acknowledged.

    Attributes
    ----------
    knowledge : dict of str to Knowledge
        By position; the engine keeps it across restarts.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what a visit needs)
        self,
        plan: Plan,
        microscope: Microscope,
        instrument: Instrument,
        clock: Clock,
        sink: FrameSink,
        frame_seen: Callable[[Frame], None],
    ) -> None:
        self._plan = plan
        self._microscope = microscope
        self._instrument = instrument
        self._clock = clock
        self._sink = sink
        self._frame_seen = frame_seen
        self._must_recover = False
        self.knowledge: Dict[str, Knowledge] = {}

    def visit(self, task: Task) -> Visit:
        """Do it, and say how it ended; raises nothing of the hardware's or the disk's.

        A frame that could not be stored ends the visit as failed, with the reason
        ``disk_full`` or ``storage``; the caller decides what becomes of the run.
        """
        started_ns = self._clock.monotonic_ns()
        course = _Course()
        outcome = Outcome.LATE if task.late else Outcome.CAPTURED
        reason = Reason.OVERDUE if task.late else None
        detail = ""
        try:
            self._work(task, course)
        except StoppedError:
            outcome, reason = Outcome.SKIPPED, Reason.STOPPED
        except (HardwareError, OutOfReachError, StorageError) as exc:
            reason, detail = _reason_of(exc), str(exc)
            in_use = reason is Reason.BUSY and not course.begun
            outcome = Outcome.SKIPPED if in_use else Outcome.FAILED
            self._must_recover = reason is Reason.TIMEOUT
        ended_ns = self._clock.monotonic_ns()
        begun_ns = course.first_exposure_ns or ended_ns
        return Visit(
            slot=task.slot,
            position=task.position,
            outcome=outcome,
            reason=reason,
            detail=detail,
            lateness_ns=max(0, begun_ns - task.origin_ns - task.due_ns),
            duration_ns=ended_ns - started_ns,
            retries=course.retries,
            focus=course.focus,
            drift=course.drift,
        )

    def _work(self, task: Task, course: _Course) -> None:
        """Take the hardware, do the steps, give it back."""
        if self._must_recover:
            self._instrument.recover()
            self._must_recover = False
        self._instrument.take(task.interval_ns / NS_PER_S / 2)
        course.begun = True
        try:
            self._steps(task, course)
        finally:
            self._instrument.give_back()

    def _steps(self, task: Task, course: _Course) -> None:
        """Go through a visit in its fixed order, the hardware being ours."""
        home = self._go(task)
        self._instrument.light_on()
        try:
            self._instrument.lock_exposure()
            if task.focus_due:
                home = self._focus(task, course, home)
            if task.drift_due:
                home = self._follow(task, course, home)
            self._capture_planes(task, course, home)
        finally:
            self._instrument.light_off()

    def _known(self, task: Task) -> Knowledge:
        """Return what is known of the task's position."""
        return self.knowledge.get(task.position, Knowledge())

    def _go(self, task: Task) -> StagePosition:
        """Move to the position's place, drift and last good height included."""
        if task.target is None:
            return self._instrument.position()
        known = self._known(task)
        z = task.target.z if known.good_z is None else known.good_z
        x, y = known.offset
        home = StagePosition(task.target.x + x, task.target.y + y, z)
        self._instrument.move(home)
        return home

    def _focus(self, task: Task, course: _Course, home: StagePosition) -> StagePosition:
        """Sweep, decide, and go to the height that the decision names.

        A sweep that fails is a rejected focus: the last good height serves.
        """
        wish = self._plan.autofocus
        if wish is None:
            return home
        known = self._known(task)
        try:
            sweep = self._instrument.sweep(wish.range)
        except HardwareTimeoutError:
            raise
        except HardwareError as exc:
            course.focus = {"accepted": False, "z": home.z, "reason": str(exc)}
            self._instrument.move(home)
            return home
        decision = focus.decide_focus(
            sweep, wish.accept, wish.range, known.good_z, home.z
        )
        course.focus = decision.to_json()
        found = home.at_z(decision.z)
        self._instrument.move(found)
        if decision.accepted:
            self.knowledge[task.position] = replace(known, good_z=decision.z)
        return found

    def _follow(
        self, task: Task, course: _Course, home: StagePosition
    ) -> StagePosition:
        """Measure how far the scene has moved and bring it back."""
        wish = self._plan.drift_correction
        scale = self._microscope.camera.describe().image_shift_per_step
        if wish is None or scale is None:
            return home
        self._instrument.settle()
        known, now = self._known(task), self._instrument.preview().jpeg
        if known.reference is None and quality.is_whole(now):
            reference = drift.Reference(now)
            self.knowledge[task.position] = replace(known, reference=reference)
            return home
        after = quality.decode_grey(now)
        before = None
        if known.reference is not None:
            before = quality.decode_grey(known.reference.jpeg)
        if known.reference is None or before is None or after is None:
            course.drift = {"accepted": False, "reason": "the preview was cut short"}
            return home
        shift = known.reference.total(drift.measure_shift(before, after))
        decision = drift.decide_drift(shift, scale, wish.max_step)
        course.drift = decision.to_json()
        known = replace(known, reference=known.reference.after(now, shift))
        self.knowledge[task.position] = known
        move_x, move_y = decision.move_steps
        if not decision.accepted or (move_x, move_y) == (0, 0):
            return home
        found = StagePosition(home.x + move_x, home.y + move_y, home.z)
        self._instrument.move(found)
        x, y = known.offset
        self.knowledge[task.position] = replace(known, offset=(x + move_x, y + move_y))
        return found

    def _capture_planes(self, task: Task, course: _Course, home: StagePosition) -> None:
        """Capture and store every plane around `home`, lowest first; come back."""
        offsets = self._plan.planes.offsets()
        for plane, offset in enumerate(offsets):
            place = home.at_z(home.z + offset)
            if len(offsets) > 1:
                self._instrument.move(place)
            self._instrument.settle()
            look = self._capture_checked(task, course, plane)
            draft = self._draft(task, plane, place, look)
            state = self._microscope.state()
            self._frame_seen(self._sink.add_frame(look.image.jpeg, draft, state))
            self.knowledge[task.position] = self._known(task).seen(plane, look.facts)
        if len(offsets) > 1:
            self._instrument.move(home)

    def _capture_checked(self, task: Task, course: _Course, plane: int) -> _Look:
        """Capture, check, and try once more per visit where that may help.

        Of two whole images the one with fewer flags is the frame, the first when equal.
        """
        begun_ns = self._clock.monotonic_ns()
        first: Optional[_Look] = None
        failure: Optional[HardwareError] = None
        try:
            first = self._capture_once(task, course, plane)
        except HardwareTimeoutError:
            raise
        except HardwareError as exc:
            failure = exc
        if first is not None and not WORTH_A_RETRY.intersection(first.flags):
            return first
        if self._may_retry(task, course, begun_ns):
            course.retries += 1
            try:
                second = self._capture_once(task, course, plane)
            except HardwareError as exc:
                failure = exc
            else:
                if first is None or len(second.flags) < len(first.flags):
                    return second
        if first is not None:
            return first
        raise failure or IncompleteImageError("The camera delivered no image.")

    def _may_retry(self, task: Task, course: _Course, begun_ns: int) -> bool:
        """Tell whether a second try is due and fits before the next slot."""
        now_ns = self._clock.monotonic_ns()
        next_ns = task.origin_ns + task.due_ns + task.interval_ns
        return course.retries == 0 and now_ns + (now_ns - begun_ns) < next_ns

    def _capture_once(self, task: Task, course: _Course, plane: int) -> _Look:
        """Capture one image and look at it.

        Raises
        ------
        IncompleteImageError
            When the bytes are not a whole JPEG.
        """
        image = self._instrument.capture()
        if course.first_exposure_ns is None:
            course.first_exposure_ns = image.exposed_ns
        facts = quality.inspect(image.jpeg)
        if not facts.complete:
            message = f"The camera delivered {len(image.jpeg)} bytes: {facts.problem}; "
            raise IncompleteImageError(message + "check the camera's cable.")
        neighbours = self._known(task).recent.get(plane, NOTHING_YET)
        return _Look(image, facts, quality.judge(facts, neighbours))

    def _draft(
        self, task: Task, plane: int, place: StagePosition, look: _Look
    ) -> FrameDraft:
        """Write down what is known of a frame before it is stored."""
        now_ns = self._clock.monotonic_ns()
        exposed_ns = now_ns if look.image.exposed_ns is None else look.image.exposed_ns
        wall_ns = self._clock.wall_ns() - (now_ns - exposed_ns)
        return FrameDraft(
            slot=task.slot,
            position=task.position,
            plane=plane,
            due_ns=task.due_ns,
            elapsed_ns=exposed_ns - task.origin_ns,
            wall_ns=wall_ns,
            utc_offset_s=self._clock.utc_offset_s(wall_ns),
            wall_trusted=self._clock.wall_is_trusted(),
            x=place.x,
            y=place.y,
            z=place.z,
            width=look.facts.width,
            height=look.facts.height,
            mean_grey=look.facts.mean_grey,
            sharpness=look.facts.sharpness,
            flags=look.flags,
            metadata=look.image.metadata,
        )


def _reason_of(error: Exception) -> Reason:
    """Return the recorded reason for what ended a visit."""
    return next(reason for kind, reason in REASONS if isinstance(error, kind))
