"""One visit: everything that is done at one position in one slot, in order.

Take the hardware, move, light, focus if due, follow drift if due, settle, capture each
plane, check, store, give the hardware back. Whatever the hardware does, a visit ends
with a record and never with an exception of the hardware's.
"""

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from typing_extensions import Protocol

from openflexure_timelapse import quality
from openflexure_timelapse.aim import Aim
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
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Clock, Image, StagePosition
from openflexure_timelapse.task import Task

__all__ = ["FrameSink", "Visitor"]

NS_PER_S = 1_000_000_000
WORTH_A_RETRY = frozenset({Flag.DARK, Flag.REPEATED, Flag.BLURRED, Flag.WRONG_SIZE})
BADLY_EXPOSED = frozenset({Flag.DARK, Flag.BRIGHT})
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
    aim : Aim
        Brings the stage to where the visit looks.
    instrument : Instrument
        The microscope behind deadlines.
    clock : Clock
        Stamps the frames.
    sink : FrameSink
        Receives the frames.
    frame_seen : callable
        Told of each frame once it is acknowledged.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what a visit needs)
        self,
        plan: Plan,
        aim: Aim,
        instrument: Instrument,
        clock: Clock,
        sink: FrameSink,
        frame_seen: Callable[[Frame], None],
    ) -> None:
        self._plan = plan
        self._aim = aim
        self._instrument = instrument
        self._clock = clock
        self._sink = sink
        self._frame_seen = frame_seen
        self._must_recover = False
        self._last_seen = ""

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
        except quality.OUT_OF_MEMORY as exc:
            outcome, reason = Outcome.FAILED, Reason.MEMORY
            detail = f"The picture could not be worked on ({exc!r}); "
            detail += "where memory is short, close other programs."
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
        home = self._aim.go(task)
        try:
            self._instrument.light_on()
            self._instrument.lock_exposure()
            if task.focus_due:
                home, course.focus = self._aim.focus(task, home)
            if task.drift_due:
                home, course.drift = self._aim.follow(task, home)
            self._capture_planes(task, course, home)
        except StoppedError:
            self._instrument.move(home)
            raise
        finally:
            self._instrument.light_off()
        self._aim.came_home(task, home)

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
            state = self._instrument.state()
            self._frame_seen(self._sink.add_frame(look.image.jpeg, draft, state))
            self._aim.saw(task, plane, look.facts, look.flags)
            self._instrument.saw(is_exposed=BADLY_EXPOSED.isdisjoint(look.flags))
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
        neighbours = self._aim.neighbours(task, plane)
        if facts.fingerprint and facts.fingerprint == self._last_seen:
            # A camera that repeats itself does so from one position to the next.
            neighbours = replace(neighbours, last_fingerprint=facts.fingerprint)
        self._last_seen = facts.fingerprint
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
