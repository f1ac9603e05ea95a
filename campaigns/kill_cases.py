"""What is recorded while it is killed: plans and circumstances, drawn by chance."""

from dataclasses import dataclass
from random import Random
from typing import Any, Dict, List, Mapping, Tuple

from campaigns.kill_bench import Condition

__all__ = ["NS_PER_S", "Case", "drawn_case", "happens"]

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
MOST_FRAMES = 24
PLACES = ("left", "right", "far off")
LOCKED = {"exposure_us": 8996.4, "analogue_gain": 1.0}


@dataclass(frozen=True)
class Case:
    """One run to be killed.

    Attributes
    ----------
    plan : mapping
        As a person sends it.
    due_ns : tuple of int
        Of each slot, from slot 0 on: reckoned here, not by the program.
    per_slot : int
        Frames in a slot that goes well.
    before : Condition
        The microscope as the run finds it.
    requests : tuple of (int, str)
        What a person asks for, and how long after the start in nanoseconds.
    """

    plan: Mapping[str, Any]
    due_ns: Tuple[int, ...]
    per_slot: int
    before: Condition
    requests: Tuple[Tuple[int, str], ...] = ()

    @property
    def frames(self) -> int:
        """How many frames there are when all goes well."""
        return len(self.due_ns) * self.per_slot

    @property
    def stays(self) -> bool:
        """Whether the run has no places of its own and comes back to where it was."""
        return not self.plan["positions"]

    @property
    def movies(self) -> int:
        """How many movies the plan asks for."""
        return 0 if self.plan["movie"] is None else max(1, len(self.plan["positions"]))


def happens(chance: Random, share: float) -> bool:
    """Draw whether something happens that does in such a share of the cases."""
    return chance.random() < share


def drawn_case(chance: Random, *, movie: float) -> Case:
    """Draw a case.

    Parameters
    ----------
    chance : Random
        Where it is drawn from.
    movie : float
        How probable a planned movie is.
    """
    positions = [
        {"name": name, "x": 400 * place, "y": -250 * place, "z": 0}
        for place, name in enumerate(PLACES[: chance.choice((0, 1, 2, 2, 3))])
    ]
    planes = 3 if happens(chance, 0.3) else 1
    per_slot = max(1, len(positions)) * planes
    slots = max(3, min(chance.randint(4, 12), MOST_FRAMES // per_slot))
    grid, due_ns = _grid(chance, slots)
    plan: Dict[str, Any] = {
        "name": "kill",
        **grid,
        "positions": positions,
        "planes": {"count": planes, "step": 40},
        "camera_mode": "preview",
        "settle_s": 0.1,
        "keep_free_mb": 0,
        "exposure": "auto" if happens(chance, 0.3) else "lock",
        "late": "catch_up" if happens(chance, 0.2) else "skip",
        "movie": {"format": "mp4"} if happens(chance, movie) else None,
    }
    if happens(chance, 0.4):
        plan["light"] = "only_while_capturing"
    if happens(chance, 0.1):
        plan["autofocus"] = {"every": 6, "range": 300}
    if happens(chance, 0.1):
        plan["drift_correction"] = {"every": 3, "max_step": 200}
    if happens(chance, 0.15):
        plan["start_in_s"] = 90
    before = Condition(
        light=chance.randint(11, 31) / 32,
        exposure=LOCKED if happens(chance, 0.2) else None,
        x=chance.randint(-300, 300),
        y=chance.randint(-300, 300),
        z=chance.randint(-60, 60),
    )
    return Case(plan, due_ns, per_slot, before, _requests(chance, due_ns[-1]))


def _grid(chance: Random, slots: int) -> Tuple[Dict[str, Any], Tuple[int, ...]]:
    """Draw the interval, or two of them; return their fields and the due times."""
    intervals_ms = [chance.randint(30_000, 60_000) for _ in range(2)]
    first = slots if happens(chance, 0.8) else slots // 2
    parts = [(intervals_ms[0], first), (intervals_ms[1], slots - first)]
    due_ns: List[int] = []
    begin_ms = 0
    phases = []
    for interval_ms, count in parts:
        due_ns += [(begin_ms + i * interval_ms) * NS_PER_MS for i in range(count)]
        begin_ms += count * interval_ms
        phases.append({"interval_s": interval_ms / 1000, "frames": count})
    if first == slots:
        return phases[0], tuple(due_ns)
    return {"phases": phases}, tuple(due_ns)


def _requests(chance: Random, length_ns: int) -> Tuple[Tuple[int, str], ...]:
    """Draw what a person asks for while the run is under way."""
    found: List[Tuple[int, str]] = []
    if happens(chance, 0.3):
        pause_ns = chance.randrange(length_ns)
        found.append((pause_ns, "pause"))
        found.append((chance.randrange(pause_ns, length_ns + 1), "resume"))
    if happens(chance, 0.1):
        found.append((chance.randrange(length_ns), "stop"))
    return tuple(sorted(found))
