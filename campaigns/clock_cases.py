"""What a clock does to one run: drawn at random, within what each attack is about."""

from dataclasses import dataclass
from datetime import datetime, timezone
from random import Random
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from campaigns.zones import CHANGES, ZONES

__all__ = ["CASES", "Case", "Happening", "Part"]

NS_PER_S = 1_000_000_000
TRUE_START_S = 1_795_420_800
HOUR_S = 3600.0
DECADE_S = 315_576_000.0
SIZES_S = (1.0, HOUR_S, DECADE_S)
LONGEST_CALL_S = 14.0
LONGEST_WAIT_FOR_CLOCK_S = 180.0


@dataclass(frozen=True)
class Happening:
    """Something that happens to the clock.

    Attributes
    ----------
    at_s : float
        After the process has begun.
    what : str
        ``step`` by `amount` seconds, ``trust`` or ``distrust``, ``synchronise``, or
        ``zone``.
    amount : float
        Of a step.
    zone : str
        The new one.
    """

    at_s: float
    what: str
    amount: float = 0.0
    zone: str = ""


@dataclass(frozen=True)
class Part:
    """One process of a run.

    Attributes
    ----------
    after_s : float
        How long nobody was there before it.
    same_boot : bool
        Whether only the process was gone.
    error_s : float
        How far the clock is ahead of the truth when it begins.
    trusted : bool
        Whether it is synchronised by then.
    zone : str
        The local zone.
    happenings : tuple of Happening
        In order.
    leaves_s : float or None
        When the process ends early; None: with the run.
    is_cut : bool
        Whether it ends by a power cut.
    slow : tuple of int
        Which captures take `slow_s` longer.
    slow_s : float
        Long enough to make slots overdue.
    """

    after_s: float = 0.0
    same_boot: bool = False
    error_s: float = 0.0
    trusted: bool = True
    zone: str = "Europe/Stockholm"
    happenings: Tuple[Happening, ...] = ()
    leaves_s: Optional[float] = None
    is_cut: bool = False
    slow: Tuple[int, ...] = ()
    slow_s: float = 0.0


@dataclass(frozen=True)
class Case:
    """One trial.

    Attributes
    ----------
    plan : mapping
        Of the run.
    true_start_s : float
        The true time when its first process begins, seconds since 1970.
    parts : tuple of Part
        The processes.
    gap : str
        What a restart must find: ``exact`` the old grid, ``unknown`` a gap of unknown
        length, ``either``.
    """

    plan: Mapping[str, Any]
    true_start_s: float
    parts: Tuple[Part, ...]
    gap: str = "exact"


# ------------------------------------------------------------------------------- parts


def _plan(random: Random) -> Dict[str, Any]:
    """Draw a short plan."""
    plan: Dict[str, Any] = {
        "interval_s": random.choice([5, 7.5, 10, 30, 60]),
        "frames": random.randint(8, 14),
        "late": random.choice(["skip", "skip", "catch_up", "shift"]),
    }
    if plan["late"] == "catch_up":
        plan["catch_up_slots"] = random.randint(1, 3)
    return plan


def _length_s(plan: Mapping[str, Any]) -> float:
    """Return how long a plan takes."""
    return float(plan["interval_s"] * plan["frames"])


def _slow(random: Random, plan: Mapping[str, Any]) -> Dict[str, Any]:
    """Draw slow captures, so that overdue slots and the clock come together."""
    longest_s = min(LONGEST_CALL_S, 4 * plan["interval_s"])
    slow = random.sample(range(1, plan["frames"]), random.randint(0, 2))
    return {"slow": tuple(sorted(slow)), "slow_s": random.uniform(0.3, 1) * longest_s}


def _steps(
    random: Random, plan: Mapping[str, Any], sizes_s: Tuple[float, ...], most: int
) -> Tuple[Happening, ...]:
    """Draw up to `most` steps within a run."""
    length_s = _length_s(plan)
    times = sorted(random.uniform(0, length_s) for _ in range(random.randint(1, most)))
    return tuple(
        Happening(at_s, "step", random.choice((-1, 1)) * random.choice(sizes_s))
        for at_s in times
    )


def _unset(random: Random, true_s: float) -> float:
    """Draw the error of a clock without a battery: 1970, or a shutdown long ago."""
    ago_s = random.uniform(HOUR_S, DECADE_S)
    return random.choice([random.uniform(1, HOUR_S) - true_s, -ago_s])


# ------------------------------------------------------------------ within one process


def _unset_for_ever(random: Random) -> Case:
    plan = _plan(random)
    error_s = random.uniform(0, HOUR_S) - TRUE_START_S
    part = Part(error_s=error_s, trusted=False, **_slow(random, plan))
    return Case(plan, TRUE_START_S, (part,))


def _set_during_the_run(random: Random) -> Case:
    plan = _plan(random)
    at_s = random.uniform(0, _length_s(plan))
    part = Part(
        error_s=random.uniform(0, HOUR_S) - TRUE_START_S,
        trusted=False,
        happenings=(Happening(at_s, "synchronise"),),
        **_slow(random, plan),
    )
    return Case(plan, TRUE_START_S, (part,))


def _stepping(size_s: float) -> Callable[[Random], Case]:
    def draw(random: Random) -> Case:
        plan = _plan(random)
        part = Part(
            trusted=random.random() < 0.7,  # noqa: PLR2004
            happenings=_steps(random, plan, (size_s,), 2),
            **_slow(random, plan),
        )
        return Case(plan, TRUE_START_S, (part,))

    return draw


def _stepping_often(random: Random) -> Case:
    plan = _plan(random)
    length_s = _length_s(plan)
    trust = [
        Happening(random.uniform(0, length_s), random.choice(["trust", "distrust"]))
        for _ in range(3)
    ]
    steps = _steps(random, plan, SIZES_S, 5)
    happenings = tuple(sorted([*steps, *trust], key=lambda each: each.at_s))
    part = Part(happenings=happenings, **_slow(random, plan))
    return Case(plan, TRUE_START_S, (part,))


def _summer_time(random: Random) -> Case:
    plan = _plan(random)
    name = random.choice(sorted(CHANGES))
    start_s = CHANGES[name] - random.uniform(0, _length_s(plan))
    part = Part(zone=name.split()[0], **_slow(random, plan))
    return Case(plan, start_s, (part,))


def _zone_by_hand(random: Random) -> Case:
    plan = _plan(random)
    zones = random.sample(sorted(ZONES), 3)
    times = sorted(random.uniform(0, _length_s(plan)) for _ in zones[1:])
    moves = tuple(
        Happening(at_s, "zone", zone=zone) for at_s, zone in zip(times, zones[1:])
    )
    part = Part(zone=zones[0], happenings=moves, **_slow(random, plan))
    return Case(plan, TRUE_START_S, (part,))


# ---------------------------------------------------------------------- over a restart


def _first(random: Random, plan: Mapping[str, Any], **facts: Any) -> Part:
    """Draw a process that ends in the middle of the run."""
    leaves_s = random.uniform(2.5, plan["frames"] - 2) * plan["interval_s"]
    return Part(leaves_s=leaves_s, is_cut=random.random() < 0.5, **facts)  # noqa: PLR2004


def _down_s(random: Random, plan: Mapping[str, Any]) -> float:
    """Draw how long nobody is there: a moment, or for more than the whole run."""
    return random.choice([1, 0.3, 0.8]) * random.uniform(1, 1.5 * _length_s(plan))


def _same_boot(random: Random) -> Case:
    plan = _plan(random)
    second = Part(
        after_s=_down_s(random, plan),
        same_boot=True,
        error_s=random.choice((-1, 1)) * random.choice(SIZES_S),
        trusted=random.random() < 0.5,  # noqa: PLR2004
        happenings=_steps(random, plan, SIZES_S, 2),
    )
    trusted = random.random() < 0.5  # noqa: PLR2004
    first = _first(random, plan, trusted=trusted)
    return Case(plan, TRUE_START_S, (first, second))


def _new_boot(random: Random) -> Case:
    """Draw a clock that was wrong, was set during the run, and is right afterwards."""
    plan = _plan(random)
    set_s = random.uniform(0, 0.9) * plan["interval_s"]
    happenings = (
        *_steps(random, {**plan, "frames": 0}, SIZES_S, 2),
        Happening(set_s, "synchronise"),
    )
    first = _first(random, plan, happenings=happenings)
    second = Part(after_s=_down_s(random, plan))
    return Case(plan, TRUE_START_S, (first, second))


def _never_set_again(random: Random) -> Case:
    plan = _plan(random)
    first = _first(random, plan, trusted=random.random() < 0.7)  # noqa: PLR2004
    down_s = _down_s(random, plan)
    second = Part(
        after_s=down_s, error_s=_unset(random, TRUE_START_S + down_s), trusted=False
    )
    return Case(plan, TRUE_START_S, (first, second), gap="unknown")


def _set_late(random: Random) -> Case:
    """Draw a clock that is set within the three minutes of waiting for it, or later."""
    plan = _plan(random)
    down_s = _down_s(random, plan)
    in_time = random.random() < 0.5  # noqa: PLR2004
    longest_s = LONGEST_WAIT_FOR_CLOCK_S
    at_s = random.uniform(0, longest_s - 2)
    if not in_time:
        at_s = longest_s + random.uniform(0, plan["interval_s"])
    second = Part(
        after_s=down_s,
        error_s=_unset(random, TRUE_START_S + down_s),
        trusted=False,
        happenings=(Happening(at_s, "synchronise"),),
    )
    gap = "exact" if in_time else "unknown"
    return Case(plan, TRUE_START_S, (_first(random, plan), second), gap)


def _wrong_and_trusted(random: Random) -> Case:
    """Draw a clock that is synchronised with something wrong: nobody can tell."""
    plan = _plan(random)
    step_s = random.choice((-1, 1)) * random.choice(SIZES_S)
    second = Part(after_s=_down_s(random, plan), error_s=step_s)
    return Case(plan, TRUE_START_S, (_first(random, plan), second), gap="either")


def _summer_time_while_down(random: Random) -> Case:
    plan = _plan(random)
    name = random.choice(sorted(CHANGES))
    first = _first(random, plan, zone=name.split()[0])
    down_s = random.uniform(2, _length_s(plan))
    second = Part(
        after_s=down_s,
        zone=first.zone,
        same_boot=random.random() < 0.5,  # noqa: PLR2004
    )
    start_s = CHANGES[name] - (first.leaves_s or 0.0) - random.uniform(0, down_s)
    return Case(plan, start_s, (first, second))


# --------------------------------------------------------------------- a time of day


def _start_at(random: Random) -> Case:
    """Draw steps before the start; a clock that somebody minds is set right again.

    One that does not is left where it is: nobody will ever set it.
    """
    plan = {**_plan(random), "late": "skip"}
    ahead_s = random.uniform(60, HOUR_S / 2)
    moment = datetime.fromtimestamp(int(TRUE_START_S + ahead_s), timezone.utc)
    plan["start_at"] = moment.isoformat()
    trusted = random.random() < 0.6  # noqa: PLR2004
    step_s = random.choice((-1, 1)) * random.choice(SIZES_S)
    at_s = random.uniform(0, ahead_s)
    happenings = [Happening(at_s, "step", step_s)]
    if trusted:
        after_s = at_s + random.uniform(0, HOUR_S)
        happenings += [
            Happening(at_s, random.choice(["trust", "distrust"])),
            Happening(after_s, "synchronise"),
        ]
    part = Part(trusted=trusted, happenings=tuple(happenings))
    return Case(plan, TRUE_START_S, (part,))


CASES: Mapping[str, Callable[[Random], Case]] = {
    "in 1970, never set": _unset_for_ever,
    "in 1970, set during the run": _set_during_the_run,
    "steps of ±1 s": _stepping(1.0),
    "steps of ±1 h": _stepping(HOUR_S),
    "steps of ±10 years": _stepping(DECADE_S),
    "steps of all sizes, trust lost and found": _stepping_often,
    "summer time begins or ends (two zones)": _summer_time,
    "the zone is changed by hand": _zone_by_hand,
    "restart in the same boot, any step": _same_boot,
    "new boot, the clock is right": _new_boot,
    "new boot, the clock is never set": _never_set_again,
    "new boot, set within 3 min or later": _set_late,
    "new boot, trusted but wrong": _wrong_and_trusted,
    "summer time passes while nobody is there": _summer_time_while_down,
    "a start at a time of day, steps before": _start_at,
}
