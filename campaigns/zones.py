"""Local time where it changes, from a table: the same on every machine and Python."""

from bisect import bisect_right
from typing import Mapping, Tuple

__all__ = ["CHANGES", "ZONES", "offset_s"]

NS_PER_S = 1_000_000_000

ZONES: Mapping[str, Tuple[Tuple[int, int], ...]] = {
    "UTC": ((0, 0),),
    "Europe/Stockholm": (
        (0, 3600),
        (1_774_746_000, 7200),
        (1_792_890_000, 3600),
        (1_806_195_600, 7200),
        (1_824_944_400, 3600),
    ),
    "Australia/Lord_Howe": (
        (0, 39_600),
        (1_775_314_800, 37_800),
        (1_791_041_400, 39_600),
        (1_806_764_400, 37_800),
        (1_822_491_000, 39_600),
    ),
    "America/St_Johns": (
        (0, -12_600),
        (1_772_947_800, -9000),
        (1_793_507_400, -12_600),
    ),
    "Asia/Kathmandu": ((0, 20_700),),
}
"""From when on (UTC seconds since 1970) a zone is how far ahead of UTC, in seconds.

Right from the end of 2025 to the end of 2027 (St John's: of 2026), constant outside.
"""

CHANGES: Mapping[str, int] = {
    f"{zone} {'forward' if after > before else 'back'}": at_s
    for zone in ("Europe/Stockholm", "Australia/Lord_Howe")
    for (_, before), (at_s, after) in zip(ZONES[zone][1:3], ZONES[zone][2:4])
}
"""The next change in each direction of the two zones that the attack crosses."""


def offset_s(zone: str, wall_ns: int) -> int:
    """Return how far a zone's local time is ahead of UTC."""
    table = ZONES[zone]
    starts = [at_s for at_s, _ in table[1:]]
    return table[bisect_right(starts, wall_ns // NS_PER_S)][1]
