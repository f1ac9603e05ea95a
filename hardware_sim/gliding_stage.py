"""The simulated stage, whose motor turns while the clock runs: a camera sees it."""

import threading

from hardware_sim.microscope import SimMicroscope
from openflexure_timelapse.hosts.direct.glide import Course
from openflexure_timelapse.ports import Clock, StageInfo, StagePosition

__all__ = ["Glided", "SimGlidingStage"]

PLAY = 200
"""Steps by which a move down goes too far, to end upwards."""


class Glided:
    """A move that is over."""

    def __init__(self, course: Course) -> None:
        self.course = course

    def wait(self) -> None:
        """Return at once."""


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
        self._course = self._stand(0)
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

    def glide(self, target: StagePosition) -> Glided:
        """Go straight up."""
        return Glided(self._turn(target.z))

    def jump(self, z: int) -> None:
        """Be there at once, having come from below."""
        with self._lock:
            self._sim.turn((0, 0, z - PLAY - self.position().z))
            self._sim.turn((0, 0, PLAY))
            self._course = self._stand(z)

    def _stand(self, z: int) -> Course:
        """Return the course of a stage that stands."""
        here = StagePosition(0, 0, z)
        return Course(here, here, self._clock.monotonic_ns(), 1000, 0)

    def _turn(self, z: int) -> Course:
        """Turn the motor of z, and wait until it stands."""
        here, step_us = self.position(), round(1e6 / self.describe().steps_per_s)
        began_ns = self._clock.monotonic_ns()
        course = Course(here, here.at_z(z), began_ns, step_us, 0)
        with self._lock:
            self._course = course
        self.turned += abs(z - here.z)
        self._clock.wait_until(course.end_ns, self._clock.signal())
        self._follow(course.end_ns)
        return course

    def _follow(self, now_ns: int) -> None:
        """Let the sample be where the motor has it at a time."""
        with self._lock:
            z = round(self._course.z_at(now_ns))
            way = z - self._sim.position().z
            if way:
                self._sim.turn((0, 0, way))
