"""Where a visit looks: the place of its position, in focus, with the scene followed."""

from dataclasses import replace
from typing import Any, Callable, Dict, Optional, Sequence, Set, Tuple

from openflexure_timelapse import drift, focus, quality
from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.frame import Flag
from openflexure_timelapse.instrument import LONGEST_WAIT_FOR_HARDWARE_S, Instrument
from openflexure_timelapse.knowledge import Knowledge
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import CameraInfo, StagePosition
from openflexure_timelapse.task import Task

__all__ = ["Aim"]

Record = Optional[Dict[str, Any]]


class Aim:
    """Moves the stage to where a visit looks, by what earlier visits have taught.

    Parameters
    ----------
    plan : Plan
        For ``autofocus`` and ``drift_correction``.
    camera : CameraInfo
        For the shift of the scene with a step.
    instrument : Instrument
        Moves and looks.
    keep : callable
        Called when `knowledge` has changed and the stage has not moved yet.

    Attributes
    ----------
    knowledge : dict of str to Knowledge
        By position; the engine keeps it across restarts.
    """

    def __init__(
        self,
        plan: Plan,
        camera: CameraInfo,
        instrument: Instrument,
        keep: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._camera = camera
        self._instrument = instrument
        self._keep = keep
        self._came_home: Set[str] = set()
        self.knowledge: Dict[str, Knowledge] = {}

    def known(self, task: Task) -> Knowledge:
        """Return what is known of the task's position."""
        return self.knowledge.get(task.position, Knowledge())

    def go(self, task: Task) -> StagePosition:
        """Move to the position's place, drift and last good height included.

        A plan that stays follows whoever moves the stage between visits. But when the
        last visit was cut short, by a fault or a restart, the stage may stand anywhere
        in its stack or sweep, and the way back is that visit's home.
        """
        known = self.known(task)
        if task.target is not None:
            z = task.target.z if known.good_z is None else known.good_z
            x, y = known.offset
            home = StagePosition(task.target.x + x, task.target.y + y, z)
            self._instrument.move(home)
        elif known.home is None or task.position in self._came_home:
            home = self._instrument.position()
        else:
            home = known.home
            self._instrument.move(home)
        self._came_home.discard(task.position)
        self.knowledge[task.position] = replace(known, home=home)
        if known.home is None:
            self._keep()
        return home

    def came_home(self, task: Task, home: StagePosition) -> None:
        """Take note that a visit has ended where it should, at `home`."""
        known = self.known(task)
        self.knowledge[task.position] = replace(known, home=home, visited=True)
        self._came_home.add(task.position)

    def put_back(self) -> None:
        """Bring a stage that stays home, when the run's last visit was cut short.

        Only from within its own stack or sweep: who has moved it anywhere else since
        wants it there.

        Raises
        ------
        HardwareError
            When the hardware does not answer.
        """
        homes = [
            known.home
            for name, known in self.knowledge.items()
            if known.home is not None and name not in self._came_home
        ]
        if self._plan.positions or not homes:
            return
        (home,) = homes
        wish = self._plan.autofocus
        sweep = 0 if wish is None else wish.range // 2
        reach = max(sweep, *map(abs, self._plan.planes.offsets()))
        self._instrument.take(LONGEST_WAIT_FOR_HARDWARE_S)
        try:
            here = self._instrument.position()
            if here.at_z(home.z) == home and 0 < abs(here.z - home.z) <= reach:
                self._instrument.move(home)
        finally:
            self._instrument.give_back()

    def visited(self) -> Set[str]:
        """Return the positions that have been visited to the end before."""
        return {name for name, known in self.knowledge.items() if known.visited}

    def neighbours(self, task: Task, plane: int) -> quality.Neighbours:
        """Return what the last frames of the task's position looked like."""
        first = quality.Neighbours(size=self._camera.size_of(self._plan.camera_mode))
        return self.known(task).recent.get(plane, first)

    def saw(
        self, task: Task, plane: int, facts: quality.ImageFacts, flags: Sequence[Flag]
    ) -> None:
        """Take note of what a stored frame looked like."""
        known = self.known(task)
        recent = {**known.recent, plane: self.neighbours(task, plane)}
        known = replace(known, recent=recent)
        self.knowledge[task.position] = known.seen(plane, facts, flags)

    def focus(self, task: Task, home: StagePosition) -> Tuple[StagePosition, Record]:
        """Sweep, decide, and go to the height that the decision names.

        A sweep that fails is a rejected focus: the last good height serves.
        """
        wish = self._plan.autofocus
        if wish is None:
            return home, None
        known = self.known(task)
        try:
            sweep = self._instrument.sweep(wish.range)
        except HardwareTimeoutError:
            raise
        except HardwareError as exc:
            self._instrument.move(home)
            return home, {"accepted": False, "z": home.z, "reason": str(exc)}
        decision = focus.decide_focus(
            sweep, wish.accept, wish.range, known.good_z, home.z
        )
        found = home.at_z(decision.z)
        self._instrument.move(found)
        if decision.accepted:
            self.knowledge[task.position] = replace(known, good_z=decision.z)
        return found, decision.to_json()

    def follow(self, task: Task, home: StagePosition) -> Tuple[StagePosition, Record]:
        """Measure how far the scene has moved and bring it back."""
        wish = self._plan.drift_correction
        scale = self._camera.image_shift_per_step
        if wish is None or scale is None:
            return home, None
        self._instrument.settle()
        known, now = self.known(task), self._instrument.preview().jpeg
        if known.reference is None and quality.is_whole(now):
            reference = drift.Reference(now)
            self.knowledge[task.position] = replace(known, reference=reference)
            return home, None
        after = quality.decode_grey(now)
        before = None
        if known.reference is not None:
            before = quality.decode_grey(known.reference.jpeg)
        if known.reference is None or before is None or after is None:
            return home, {"accepted": False, "reason": "the preview was cut short"}
        shift = known.reference.total(drift.measure_shift(before, after))
        decision = drift.decide_drift(shift, scale, wish.max_step)
        known = replace(known, reference=known.reference.after(now, shift))
        self.knowledge[task.position] = known
        move_x, move_y = decision.move_steps
        if not decision.accepted or (move_x, move_y) == (0, 0):
            return home, decision.to_json()
        found = StagePosition(home.x + move_x, home.y + move_y, home.z)
        self._instrument.move(found)
        x, y = known.offset
        self.knowledge[task.position] = replace(known, offset=(x + move_x, y + move_y))
        return found, decision.to_json()
