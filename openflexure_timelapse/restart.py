"""Where a run's grid lies after a restart: pure, in integer nanoseconds.

Within one boot the monotonic clock is exact. Across boots only the time of day can
tell, and a computer without a battery clock wakes up in its past.
"""

from dataclasses import dataclass
from typing import Union

from typing_extensions import Literal

__all__ = ["Anchor", "ClockReading", "NotYet", "Regain", "Regained", "regain"]


@dataclass(frozen=True)
class Anchor:
    """Where the grid's origin lies on the monotonic clock of one boot.

    Attributes
    ----------
    boot_id : str
        The boot in which the monotonic times below hold.
    origin_monotonic_ns : int
        Monotonic time of the grid's origin.
    wall_ns, wall_at_monotonic_ns : int
        The time of day and the monotonic time, read together.
    wall_trusted : bool
        Whether that time of day was synchronised.
    """

    boot_id: str
    origin_monotonic_ns: int
    wall_ns: int
    wall_at_monotonic_ns: int
    wall_trusted: bool

    def with_pair(self, elapsed_ns: int, wall_ns: int, *, trusted: bool) -> "Anchor":
        """Return the anchor with a later reading of the wall clock.

        The most recent *trusted* pair is the best anchor: a step of the wall clock
        before it no longer matters. An untrusted pair does not replace a trusted one.

        Parameters
        ----------
        elapsed_ns : int
            Since the grid's origin, in the anchor's boot.
        wall_ns : int
            The time of day at that moment, for example of a frame.
        trusted : bool
            Whether that time of day was synchronised.
        """
        if self.wall_trusted and not trusted:
            return self
        return Anchor(
            boot_id=self.boot_id,
            origin_monotonic_ns=self.origin_monotonic_ns,
            wall_ns=wall_ns,
            wall_at_monotonic_ns=self.origin_monotonic_ns + elapsed_ns,
            wall_trusted=trusted,
        )


@dataclass(frozen=True)
class ClockReading:
    """Both clocks, read together.

    Attributes
    ----------
    boot_id : str
        The boot in which `monotonic_ns` holds.
    monotonic_ns, wall_ns : int
        The two times.
    wall_trusted : bool
        Whether the time of day is synchronised.
    """

    boot_id: str
    monotonic_ns: int
    wall_ns: int
    wall_trusted: bool


@dataclass(frozen=True)
class Regained:
    """The grid is found again.

    Attributes
    ----------
    origin_monotonic_ns : int
        Monotonic time of the grid's origin in the present boot.
    unknown_gap : bool
        True when nobody can tell how long the run was down.
    how : {"same_boot", "wall_clock", "unknown"}
        By which clock.
    """

    origin_monotonic_ns: int
    unknown_gap: bool
    how: Literal["same_boot", "wall_clock", "unknown"]


@dataclass(frozen=True)
class NotYet:
    """The wall clock may still be synchronised; read the clocks again soon."""


Regain = Union[Regained, NotYet]


def regain(  # noqa: PLR0913, PLR0917 (all of it is evidence)
    anchor: Anchor,
    last_elapsed_ns: int,
    last_wall_ns: int,
    reading: ClockReading,
    waited_ns: int,
    longest_wait_ns: int,
) -> Regain:
    """Find the grid's place in time after a restart.

    Within one boot the monotonic clock is exact. Across boots only the wall clock
    can tell, if it is believable: synchronised then and now, later than the last
    recorded time of day, and not contradicting the time that is known to have passed.
    A time far ahead is believable when it is synchronised; without that no time is,
    since a computer without a battery clock wakes up in its past. After
    `longest_wait_ns` of waiting the run goes on where it was, with a gap of unknown
    length.

    Parameters
    ----------
    anchor : Anchor
        With the most recent trusted pair (`Anchor.with_pair`).
    last_elapsed_ns, last_wall_ns : int
        The last recorded moment of the run, on both clocks. The result never places
        the present before it.
    reading : ClockReading
        The present.
    waited_ns, longest_wait_ns : int
        How long the caller has waited for a believable clock, and how long it may.
    """
    elapsed_ns = reading.monotonic_ns - anchor.origin_monotonic_ns
    if reading.boot_id == anchor.boot_id and elapsed_ns >= last_elapsed_ns:
        return Regained(anchor.origin_monotonic_ns, unknown_gap=False, how="same_boot")
    pair_elapsed_ns = anchor.wall_at_monotonic_ns - anchor.origin_monotonic_ns
    elapsed_ns = pair_elapsed_ns + reading.wall_ns - anchor.wall_ns
    trusted = reading.wall_trusted and anchor.wall_trusted
    if trusted and reading.wall_ns > last_wall_ns and elapsed_ns >= last_elapsed_ns:
        origin_ns = reading.monotonic_ns - elapsed_ns
        return Regained(origin_ns, unknown_gap=False, how="wall_clock")
    if anchor.wall_trusted and waited_ns < longest_wait_ns:
        return NotYet()
    # Just after the last recorded moment, so that the next slot is the next one due.
    origin_ns = reading.monotonic_ns - (last_elapsed_ns + 1)
    return Regained(origin_ns, unknown_gap=True, how="unknown")
