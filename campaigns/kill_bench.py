"""A microscope that outlives the process that uses it.

Kill a process, and the lamp still burns, the camera is still locked, the stage stands
where it stood and time goes on. All of that is kept in one small file, which is written
by one call for each change, so that a kill finds it before or after the change.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import SimMicroscope, build
from openflexure_timelapse.ports import Signal, StagePosition

__all__ = ["START_WALL_NS", "Bench", "BenchClock", "Condition"]

START_WALL_NS = 1_795_420_800 * 10**9
SCENE, SEED = "beads", 5
UTC_OFFSET_S = 3600
LENGTH = 1024


@dataclass(frozen=True)
class Condition:
    """How the microscope is at one moment.

    Attributes
    ----------
    light : float
        The lamp's level.
    exposure : mapping or None
        What the camera is locked to; None while it is automatic.
    x, y, z : int
        Where the stage stands.
    wall_ns, monotonic_ns : int
        The time there.
    boot : str
        The id of the computer's present boot.
    """

    light: float
    exposure: Optional[Mapping[str, Any]] = None
    x: int = 0
    y: int = 0
    z: int = 0
    wall_ns: int = START_WALL_NS
    monotonic_ns: int = 0
    boot: str = "boot"


class BenchClock(VirtualClock):
    """A clock that jumps, and has each jump written down before anything follows it.

    Attributes
    ----------
    noted : callable
        Called after each wait.
    """

    noted: Callable[[], None] = staticmethod(lambda: None)

    def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
        """Jump; see `VirtualClock.wait_until`."""
        try:
            return super().wait_until(due_ns, signal)
        finally:
            self.noted()


class Bench:
    """The microscope in a file.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, condition: Condition) -> None:
        """Write how the microscope is."""
        text = json.dumps(asdict(condition)).ljust(LENGTH).encode()
        descriptor = os.open(str(self._path), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, text, 0)
        finally:
            os.close(descriptor)

    def condition(self) -> Condition:
        """Return how it is."""
        return Condition(**json.loads(self._path.read_text("utf-8")))

    def clock(self, gap_ns: int, new_boot: Optional[str]) -> BenchClock:
        """Return the clock of a process that starts so long after the last one.

        Parameters
        ----------
        gap_ns : int
            For how long nobody was there.
        new_boot : str or None
            The id of a boot in between; None when the computer went on.
        """
        left = self.condition()
        return BenchClock(
            left.wall_ns + gap_ns,
            new_boot or left.boot,
            UTC_OFFSET_S,
            start_monotonic_ns=0 if new_boot else left.monotonic_ns + gap_ns,
        )

    def connect(self, clock: BenchClock) -> SimMicroscope:
        """Return the microscope as a process finds it; its changes are kept."""
        left = self.condition()
        microscope = build(SEED, SCENE, clock)
        microscope.light.set_level(left.light)
        microscope.stage.move_to(StagePosition(left.x, left.y, left.z))
        if left.exposure is not None:
            microscope.camera.lock_exposure(left.exposure)

        setting = microscope.camera.lock_exposure  # of a locked camera: changes nothing

        def note() -> None:
            place = microscope.stage.position()
            locked = not microscope.camera.exposure()["auto"]
            self.put(
                Condition(
                    light=microscope.light.level(),
                    exposure=setting() if locked else None,
                    x=place.x,
                    y=place.y,
                    z=place.z,
                    wall_ns=clock.wall_ns(),
                    monotonic_ns=clock.monotonic_ns(),
                    boot=clock.boot_id(),
                )
            )

        _then(microscope.light, "set_level", note)
        _then(microscope.camera, "lock_exposure", note)
        _then(microscope.camera, "restore_exposure", note)
        clock.noted = note
        note()  # killed before it waits, the next one starts no earlier than this one
        return microscope


def _then(owner: Any, name: str, note: Callable[[], None]) -> None:
    """Have `note` called after each call of a method."""
    method = getattr(owner, name)

    def noted(*args: Any) -> Any:
        result = method(*args)
        note()
        return result

    setattr(owner, name, noted)
