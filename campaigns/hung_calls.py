"""Calls of the camera that never return, on real threads: nothing piles up.

The clock runs a hundred times faster, so that a deadline of 15 s takes a third of a
second; threads, descriptors and the lock of the microscope are the real ones.
"""

import gc
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple, TypeVar

from campaigns.rehearsal import Rehearsal
from hardware_sim.clock import ScaledClock
from hardware_sim.microscope import SimMicroscope
from openflexure_timelapse.errors import HardwareTimeoutError, WrongPhaseError
from openflexure_timelapse.frame import Outcome
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Lane

__all__ = ["HungCalls", "hang"]

Result = TypeVar("Result")

SPEED = 100.0
ALLOWANCE_NS = 250_000_000
PLAN = {"interval_s": 20}
GOOD_AFTER = 4
OPEN_FILES = Path("/proc/self/fd")


class _HastyClock(ScaledClock):
    """A scaled clock whose deadlines are scaled, too, but for a quarter of a second."""

    def lane(self, name: str) -> Lane:
        """Make a lane of real threads."""
        return _HastyLane(self, RealClock().lane(name))


class _HastyLane:
    """A real lane under scaled deadlines."""

    def __init__(self, clock: ScaledClock, inner: Lane) -> None:
        self._clock = clock
        self._inner = inner

    def call(
        self, what: str, function: Callable[[], Result], deadline_ns: int
    ) -> Result:
        """Run `function` on the inner lane; see `ports.Lane`."""
        real_ns = self._clock.real_ns(deadline_ns) + ALLOWANCE_NS
        return self._inner.call(what, function, real_ns)

    def close(self) -> None:
        """Let the inner lane's thread end."""
        self._inner.close()


class _HangingCamera:
    """Hangs in each capture until it is told not to.

    Parameters
    ----------
    microscope : SimMicroscope
        Does the work otherwise.
    is_reset : bool
        Whether `recover` ends a call that hangs.
    """

    def __init__(self, microscope: SimMicroscope, *, is_reset: bool) -> None:
        self._camera = microscope.camera
        self._is_reset = is_reset
        self._let_go = threading.Event()
        self.hangs = True
        self.hung = 0
        self.on_capture: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        """Return what the camera behind it has."""
        return getattr(self._camera, name)

    def capture(self, mode: Optional[str]) -> Any:
        """Hang, or take a picture."""
        self.on_capture()
        if self.hangs:
            self.hung += 1
            self._let_go.wait()
            raise HardwareTimeoutError("The camera was reset while it hung.")
        return self._camera.capture(mode)

    def recover(self) -> None:
        """End the call that hangs, where that helps."""
        if self._is_reset:
            let_go, self._let_go = self._let_go, threading.Event()
            let_go.set()

    def mend(self) -> None:
        """Never hang again."""
        self.hangs = False
        self._let_go.set()


class _Hanging:
    """A simulated microscope whose camera hangs."""

    def __init__(self, microscope: SimMicroscope, camera: _HangingCamera) -> None:
        self._microscope = microscope
        self.camera = camera

    def __getattr__(self, name: str) -> Any:
        """Return what the microscope behind it has."""
        return getattr(self._microscope, name)


@dataclass(frozen=True)
class HungCalls:
    """What was found.

    Attributes
    ----------
    hung : int
        Calls that hung.
    slots, captured : int
        Of the run.
    threads, descriptors : int
        The most beyond those before.
    left_open : int
        The descriptors that stayed.
    lost_after : int
        Visits after the camera was mended, before one succeeded.
    is_free : bool
        Whether somebody else can use the microscope afterwards.
    warned : bool
        Whether the status told of it all the while.
    """

    hung: int
    slots: int
    captured: int
    threads: int
    descriptors: int
    left_open: int
    lost_after: int
    is_free: bool
    warned: bool


def hang(folder: Path, calls: int, *, is_reset: bool, lasts_s: float) -> HungCalls:
    """Let a camera hang in so many calls, or for so many real seconds; then mend it.

    Parameters
    ----------
    folder : Path
        For the run.
    calls : int
        Where a reset ends each hang: how many.
    is_reset : bool
        Whether it does.
    lasts_s : float
        How long a camera hangs that no reset mends.
    """
    threads, descriptors = threading.active_count(), _descriptors(collect=True)
    seen: List[Tuple[int, int]] = []
    folder.mkdir(parents=True)
    run = Rehearsal(folder, PLAN, 1, "empty")
    cameras: List[_HangingCamera] = []

    def wrap(microscope: SimMicroscope) -> _Hanging:
        cameras.append(_HangingCamera(microscope, is_reset=is_reset))
        return _Hanging(microscope, cameras[0])

    engine = run.begin(_HastyClock(SPEED, RealClock()), wrap=wrap)
    camera = cameras[0]
    warned: List[bool] = []
    good = [0]
    decided: List[int] = []

    def mend() -> None:
        decided.append(len(run.visits()))
        camera.mend()

    def captured() -> None:
        seen.append((threading.active_count(), _descriptors()))
        if camera.hangs:
            if camera.hung:
                warned.append(bool(engine.status().warnings))
            if is_reset and camera.hung >= calls:
                mend()
            return
        good[0] += 1
        if good[0] == GOOD_AFTER:
            with suppress(WrongPhaseError):
                engine.stop()

    camera.on_capture = captured
    if not is_reset:
        timer = threading.Timer(lasts_s, mend)
        timer.start()
    run.run()
    outcomes = [visit.outcome for visit in run.visits()]
    after = outcomes[decided[0] :]
    is_good = [outcome in (Outcome.CAPTURED, Outcome.LATE) for outcome in after]
    return HungCalls(
        hung=camera.hung,
        slots=len(run.slots()),
        captured=sum(outcome is Outcome.CAPTURED for outcome in outcomes),
        threads=max(each for each, _ in seen) - threads,
        descriptors=max(each for _, each in seen) - descriptors,
        left_open=_descriptors(collect=True) - descriptors,
        lost_after=is_good.index(True) if True in is_good else len(is_good),
        is_free=run.microscope._is_free(),  # noqa: SLF001 - no port asks
        warned=all(warned),
    )


def _descriptors(*, collect: bool = False) -> int:
    """Return how many descriptors this process has open."""
    if collect:
        gc.collect()
    return len(list(OPEN_FILES.iterdir()))
