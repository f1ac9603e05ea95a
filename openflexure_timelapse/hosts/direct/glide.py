"""Where a stage is while it moves, from when it began and how fast it is. Pure."""

from dataclasses import dataclass

__all__ = ["Glide"]

NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Glide:
    """One move along z, as it was made.

    Attributes
    ----------
    begun_ns : int
        Monotonic time of the clock at which the motor began to turn.
    from_z, to_z : int
        Steps.
    steps_per_s : float
        When the motor has its full speed.
    ramp_s : float
        Time in which it speeds up, evenly, and again slows down; 0 for at once.
    """

    begun_ns: int
    from_z: int
    to_z: int
    steps_per_s: float
    ramp_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """From beginning to end; a ramp makes it longer by its own length."""
        return abs(self.to_z - self.from_z) / self.steps_per_s + self.ramp_s

    @property
    def ended_ns(self) -> int:
        """Monotonic time at which the motor stood again."""
        return self.begun_ns + int(self.duration_s * NS_PER_S)

    def z_at(self, moment_ns: int) -> float:
        """Return the height at a time, in steps: that of an end before and after."""
        passed_s = (moment_ns - self.begun_ns) / NS_PER_S
        passed_s = min(max(passed_s, 0.0), self.duration_s)
        left_s = self.duration_s - passed_s
        ramp_s = self.ramp_s
        if passed_s < ramp_s:
            run_s = passed_s**2 / (2 * ramp_s)
        elif left_s < ramp_s:
            run_s = self.duration_s - ramp_s - left_s**2 / (2 * ramp_s)
        else:
            run_s = passed_s - ramp_s / 2
        way = run_s * self.steps_per_s
        return self.from_z + (way if self.to_z >= self.from_z else -way)
