"""Calls of the camera that never return, on real threads: nothing piles up.

The clock runs a hundred times faster, so that a deadline of 15 s takes a third of a
second; threads, descriptors and the lock of the microscope are the real ones.
"""

import gc
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, List, Optional, Tuple, TypeVar

from campaigns.rehearsal import Rehearsal
from hardware_sim.clock import ScaledClock
from hardware_sim.microscope import SimMicroscope
from openflexure_timelapse.errors import HardwareTimeoutError, WrongPhaseError
from openflexure_timelapse.frame import Outcome
from openflexure_timelapse.hosts.system import MOST_STUCK, RealClock

__all__ = ["HungCalls", "hang"]

Result = TypeVar("Result")

SPEED = 100.0
ALLOWANCE_NS = 250_000_000
"""By which a deadline is longer: the camera that hangs computes nothing."""

PLAN = {"interval_s": 20}
GOOD_AFTER = 4
MOST_LOST_AFTER = 12
LOOK_S = 0.05
MADE = (Outcome.CAPTURED, Outcome.LATE)
OPEN_FILES = Path("/proc/self/fd")


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


def hang(folder: Path, calls: int, *, is_reset: bool, lasts_slots: int) -> HungCalls:
    """Let a camera hang in so many calls, or for so many slots; then mend it.

    Parameters
    ----------
    folder : Path
        For the run.
    calls : int
        Where a reset ends each hang: how many.
    is_reset : bool
        Whether it does.
    lasts_slots : int
        How many slots a camera costs that no reset mends.
    """
    before = _descriptors(collect=True)
    trial = _Trial(folder, calls, is_reset=is_reset, lasts_slots=lasts_slots)
    found = trial.record()
    del trial
    return replace(found, left_open=_descriptors(collect=True) - before)


class _Trial:
    """One run whose camera hangs; parameters as those of `hang`."""

    def __init__(
        self, folder: Path, calls: int, *, is_reset: bool, lasts_slots: int
    ) -> None:
        self._calls = calls
        self._is_reset = is_reset
        self._lasts_slots = lasts_slots
        self._before = threading.active_count(), _descriptors(collect=True)
        self._seen: List[Tuple[int, int]] = []
        self._warned: List[bool] = []
        self._good = 0
        self._visits_before = 0
        self._over = threading.Event()
        folder.mkdir(parents=True)
        self._run = Rehearsal(folder, PLAN, 1, "empty")
        clock = ScaledClock(SPEED, RealClock(), computing_ns=ALLOWANCE_NS)
        self._engine = self._run.begin(clock, wrap=self._wrap)

    def _wrap(self, microscope: SimMicroscope) -> _Hanging:
        """Put the camera that hangs in the place of the other."""
        self._camera = _HangingCamera(microscope, is_reset=self._is_reset)
        self._camera.on_capture = self._see_capture
        return _Hanging(microscope, self._camera)

    def record(self) -> HungCalls:
        """Run, and return what was found, but for `left_open`."""
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        try:
            self._run.run()
        finally:
            self._camera.mend()
            self._over.set()
            watcher.join()
        outcomes = [visit.outcome for visit in self._run.visits()]
        good = [outcome in MADE for outcome in outcomes]
        after = good[self._visits_before :]
        threads, descriptors = self._before
        return HungCalls(
            hung=self._camera.hung,
            slots=len(self._run.slots()),
            captured=sum(good),
            threads=max(each for each, _ in self._seen) - threads,
            descriptors=max(each for _, each in self._seen) - descriptors,
            left_open=0,
            lost_after=after.index(True) if True in after else len(after),
            is_free=self._run.microscope._is_free(),  # noqa: SLF001 - no port asks
            warned=all(self._warned),
        )

    def _see_capture(self) -> None:
        """Count, on the thread of the call, and end what is long enough."""
        self._seen.append((threading.active_count(), _descriptors()))
        if self._camera.hangs:
            if self._camera.hung:
                self._warned.append(bool(self._engine.status().warnings))
            if self._is_reset and self._camera.hung >= self._calls:
                self._mend()
            return
        self._good += 1
        if self._good == GOOD_AFTER:
            self._stop()

    def _watch(self) -> None:
        """Mend the camera in the end, and give up a run that does not recover."""
        lost_by: List[int] = []
        while not self._over.wait(LOOK_S):
            status = self._engine.status()
            lost = status.counts.failed + status.counts.skipped
            refused = "still hang" in " ".join(status.warnings)
            full = refused or self._camera.hung > MOST_STUCK + 1
            lasted = full and lost >= self._lasts_slots
            if not self._is_reset and self._camera.hangs and lasted:
                self._mend()
            if not self._camera.hangs:
                lost_by.append(lost)
                if lost > lost_by[0] + MOST_LOST_AFTER:
                    self._stop()

    def _mend(self) -> None:
        """Let the camera work again, and note how far the run is."""
        self._visits_before = len(self._run.visits())
        self._camera.mend()

    def _stop(self) -> None:
        """End the run, if it has not ended."""
        with suppress(WrongPhaseError):
            self._engine.stop()


def _descriptors(*, collect: bool = False) -> int:
    """Return how many descriptors this process has open."""
    if collect:
        gc.collect()
    return len(list(OPEN_FILES.iterdir()))
