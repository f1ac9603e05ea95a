"""The simulated stage, turned bit by bit: a camera sees it on its way."""

from hardware_sim import SimMicroscope
from openflexure_timelapse.hosts.direct.glide import Glide
from openflexure_timelapse.ports import Clock, StageInfo, StagePosition

GRAIN = 8
"""Steps; 0.4 µm of z."""
PLAY = 200


class SimGlidingStage:
    """A stage that tells when its motor began to turn."""

    def __init__(self, sim: SimMicroscope, clock: Clock) -> None:
        self._sim = sim.stage
        self._clock = clock
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
        low, begun_ns = self.position().z, self._clock.monotonic_ns()
        self._turn(target.z)
        return Glide(begun_ns, low, target.z, self.describe().steps_per_s)

    def _turn(self, z: int) -> None:
        """Turn the motor of z, in time with the clock."""
        here = self.position().z
        begun_ns, way = self._clock.monotonic_ns(), z - here
        rate = self.describe().steps_per_s
        self.turned += abs(way)
        while here != z:
            passed_s = (self._clock.monotonic_ns() - begun_ns) / 1e9
            far = min(abs(way), int(passed_s * rate) + GRAIN)
            goal = z - way + (far if way > 0 else -far)
            if goal != here:
                self._sim.turn_at_once((0, 0, goal - here))
                here = goal
            due_ns = begun_ns + int(far / rate * 1e9)
            self._clock.wait_until(due_ns, self._clock.signal())
