"""The simulated stage, whose motor turns while the clock runs: a camera sees it."""

import threading

from hardware_sim.microscope import SimMicroscope
from openflexure_timelapse.hosts.direct.glide import Glide
from openflexure_timelapse.ports import Clock, StageInfo, StagePosition

__all__ = ["SimGlidingStage"]

PLAY = 200
"""Steps by which a move down goes too far, to end upwards."""


class SimGlidingStage:
    """A stage that tells when its motor began to turn; along z only.

    Parameters
    ----------
    sim : SimMicroscope
        Whose stage it turns, wherever that is looked at.
    clock : Clock
        The same as the instrument's.

    Attributes
    ----------
    turned : int
        Steps so far, up and down.
    """

    def __init__(self, sim: SimMicroscope, clock: Clock) -> None:
        self._sim = sim.stage
        self._clock = clock
        self._lock = threading.RLock()
        self._glide = Glide(clock.monotonic_ns(), 0, 0, 1.0)
        self._sim.follow = self._follow
        self.turned = 0

    def describe(self) -> StageInfo:
        """Return the constant facts."""
        return self._sim.describe()

    def position(self) -> StagePosition:
        """Return where it is."""
        return self._sim.position()

    def move_to(self, target: StagePosition) -> None:
        """Go there from below."""
        if target.z <= self.position().z:
            self._turn(target.z - PLAY)
        self._turn(target.z)

    def glide(self, target: StagePosition) -> Glide:
        """Go straight up."""
        return self._turn(target.z)

    def jump(self, z: int) -> None:
        """Be there at once, having come from below."""
        with self._lock:
            self._sim.turn((0, 0, z - PLAY - self.position().z))
            self._sim.turn((0, 0, PLAY))
            self._glide = Glide(self._clock.monotonic_ns(), z, z, 1.0)

    def _turn(self, z: int) -> Glide:
        """Turn the motor of z, and wait until it stands."""
        here, rate = self.position().z, self.describe().steps_per_s
        glide = Glide(self._clock.monotonic_ns(), here, z, rate)
        with self._lock:
            self._glide = glide
        self.turned += abs(z - here)
        self._clock.wait_until(glide.ended_ns, self._clock.signal())
        self._follow(glide.ended_ns)
        return glide

    def _follow(self, now_ns: int) -> None:
        """Let the sample be where the motor has it at a time."""
        with self._lock:
            z = round(self._glide.z_at(now_ns))
            way = z - self._sim.position().z
            if way:
                self._sim.turn((0, 0, way))
