"""A virtual clock whose time of day, trust and zone change, all of it on record."""

from bisect import bisect_right
from typing import Any, List, Sequence, Tuple

from campaigns.zones import offset_s
from hardware_sim.clock import VirtualClock

__all__ = ["NS_PER_S", "WanderingClock"]

NS_PER_S = 1_000_000_000


class WanderingClock(VirtualClock):
    """Knows afterwards what it showed at any moment.

    Parameters
    ----------
    true_ns : int
        What a perfect clock would show at the start, UTC nanoseconds since 1970.
    error_ns : int
        How far this one is ahead of that.
    boot_id : str
        As in `VirtualClock`.
    zone : str
        A key of `zones.ZONES`.
    trusted : bool
        Whether it counts as synchronised.
    start_monotonic_ns : int
        The monotonic time at the start.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (each case names what it needs)
        self,
        true_ns: int,
        error_ns: int,
        boot_id: str,
        zone: str,
        trusted: bool,  # noqa: FBT001
        start_monotonic_ns: int,
    ) -> None:
        super().__init__(
            true_ns + error_ns,
            boot_id,
            trusted=trusted,
            start_monotonic_ns=start_monotonic_ns,
        )
        self.true_at_zero_ns = true_ns - start_monotonic_ns
        self._errors: List[Tuple[int, Any]] = [(0, error_ns)]
        self._zones: List[Tuple[int, Any]] = [(0, zone)]
        self._trust: List[Tuple[int, Any]] = [(0, trusted)]

    def utc_offset_s(self, wall_ns: int) -> int:
        """Return the offset of the zone that holds by now."""
        return offset_s(self._zones[-1][1], wall_ns)

    # --------------------------------------------------------------------- direction

    def step(self, delta_ns: int) -> None:
        """Step the time of day now."""
        self._errors.append((self.monotonic_ns(), self.error_ns + delta_ns))
        self.step_wall(delta_ns)

    def trust(self, trusted: bool) -> None:  # noqa: FBT001
        """Begin or cease to count as synchronised."""
        self._trust.append((self.monotonic_ns(), trusted))
        self.trusted = trusted

    def synchronise(self) -> None:
        """Step to the true time, as a time service does."""
        self.step(-self.error_ns)
        self.trust(trusted=True)

    def move_to(self, zone: str) -> None:
        """Take another zone, as a person sets it."""
        self._zones.append((self.monotonic_ns(), zone))

    # --------------------------------------------------------------------- afterwards

    @property
    def error_ns(self) -> int:
        """How far it is ahead of the truth by now."""
        error: int = self._errors[-1][1]
        return error

    def true_ns(self, monotonic_ns: int) -> int:
        """Return the true time at a moment of this boot."""
        return self.true_at_zero_ns + monotonic_ns

    def shown(self, monotonic_ns: int, grace_ns: int) -> List[Tuple[int, int, bool]]:
        """Return what it showed: UTC, offset in seconds, and whether trusted.

        More than one answer where something changed within `grace_ns` after that
        moment: nobody reads three facts at once.
        """
        true_ns = self.true_ns(monotonic_ns)
        return [
            (true_ns + error_ns, offset_s(zone, true_ns + error_ns), trusted)
            for error_ns in _held(self._errors, monotonic_ns, grace_ns)
            for zone in _held(self._zones, monotonic_ns, grace_ns)
            for trusted in _held(self._trust, monotonic_ns, grace_ns)
        ]


def _held(
    changes: Sequence[Tuple[int, Any]], at_ns: int, grace_ns: int
) -> Sequence[Any]:
    """Return the values that held from a moment until a little later."""
    times = [each for each, _ in changes]
    first = bisect_right(times, at_ns) - 1
    last = bisect_right(times, at_ns + grace_ns)
    return [value for _, value in changes[first:last]]
