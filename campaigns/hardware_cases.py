"""What happens to the hardware during one run: drawn at random for each attack."""

from dataclasses import dataclass
from random import Random
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

from hardware_sim.faults import Fault, FaultKind

__all__ = ["CASES", "Case", "Visitor"]

SLOTS = 14
FIRST_S = 2.6
"""In slots: before that nothing happens, so that the run has good frames to compare."""
DAY_S = 86_400.0

# Each with the amounts that it is drawn from; see `hardware_sim.faults`.
AMOUNTS: Mapping[FaultKind, Tuple[float, float]] = {
    "camera_late": (1.0, 25.0),
    "camera_hung": (0.0, 0.0),
    "camera_timed_out": (1.0, 12.0),
    "camera_truncated": (0.02, 0.98),
    "camera_black": (1.0, 1.0),
    "camera_repeated": (1.0, 1.0),
    "camera_wrong_size": (1.0, 1.0),
    "stage_busy": (1.0, 1.0),
    "stage_hung": (1.0, 1.0),
    "stage_timed_out": (1.0, 12.0),
    "stage_lost_steps": (0.1, 1.0),
    "light_off": (1.0, 1.0),
    "light_stuck": (1.0, 1.0),
    "in_use": (1.0, 1.0),
}


@dataclass(frozen=True)
class Visitor:
    """Somebody who uses the microscope between visits.

    Attributes
    ----------
    at_s : float
        When.
    steps : (int, int, int)
        How far the stage is moved by hand, as the motors go.
    """

    at_s: float
    steps: Tuple[int, int, int]


@dataclass(frozen=True)
class Case:
    """One trial.

    Attributes
    ----------
    plan : mapping
        Of the run.
    faults : tuple of Fault
        What goes wrong.
    visitors : tuple of Visitor
        Who moves the stage.
    no_memory : (float, float) or None
        Between these seconds each piece of work has one chance in two to find no
        memory.
    scene : str
        Of the world.
    """

    plan: Mapping[str, Any]
    faults: Tuple[Fault, ...] = ()
    visitors: Tuple[Visitor, ...] = ()
    no_memory: Optional[Tuple[float, float]] = None
    scene: str = "empty"

    @property
    def over_s(self) -> float:
        """When all of it is over."""
        ends = [fault.to_s for fault in self.faults]
        ends += [visitor.at_s for visitor in self.visitors]
        ends += [] if self.no_memory is None else [self.no_memory[1]]
        return max(ends)


def _plan(random: Random, kinds: Sequence[str] = ()) -> Dict[str, Any]:
    """Draw a short plan in which the parts that fail are used."""
    far = random.randint(300, 900)
    places = [
        {"name": "left", "x": 0, "y": 0, "z": 0},
        {"name": "right", "x": far, "y": -far // 2, "z": 40},
    ]
    plan: Dict[str, Any] = {
        "interval_s": random.choice([6, 15, 30, 60]),
        "frames": SLOTS,
        "positions": places[: random.randint(1, 2)],
        "light": random.choice(["leave", "only_while_capturing"]),
    }
    if "camera_wrong_size" in kinds:
        plan["camera_mode"] = "half"
    if "light_stuck" in kinds:
        plan["light"] = "only_while_capturing"
    if any(kind.startswith("stage") for kind in kinds):
        plan["positions"] = places
    return plan


def _window(random: Random, interval_s: float) -> Tuple[float, float]:
    """Draw when something is wrong: for a part of a slot, or for some slots."""
    from_s = random.uniform(FIRST_S, 6) * interval_s
    return from_s, from_s + random.uniform(0.3, 4) * interval_s


def _fault(random: Random, kind: FaultKind, interval_s: float) -> Fault:
    """Draw a fault."""
    from_s, to_s = _window(random, interval_s)
    amount = random.uniform(*AMOUNTS[kind])
    return Fault(kind, from_s, to_s, amount=amount)


def _of_kind(kind: FaultKind) -> Callable[[Random], Case]:
    def draw(random: Random) -> Case:
        plan = _plan(random, [kind])
        return Case(plan, (_fault(random, kind, plan["interval_s"]),))

    return draw


def _several(random: Random) -> Case:
    """Draw two or three at once; lost steps apart, which nothing can make good."""
    kinds = random.sample(
        [kind for kind in AMOUNTS if kind != "stage_lost_steps"], random.randint(2, 3)
    )
    plan = _plan(random, kinds)
    faults = [_fault(random, kind, plan["interval_s"]) for kind in kinds]
    return Case(plan, tuple(faults))


def _hung_for_good(random: Random) -> Case:
    """Draw a hang that ends when the engine resets the camera, and not before."""
    plan = _plan(random)
    from_s, to_s = _window(random, plan["interval_s"])
    return Case(plan, (Fault("camera_hung", from_s, to_s, amount=1.0),))


def _dark_from_the_start(random: Random) -> Case:
    """Draw a lamp that is off when the run begins, and exposure is frozen."""
    plan = _plan(random)
    to_s = random.uniform(0.1, 3) * plan["interval_s"]
    return Case(plan, (Fault("light_off", to_s=to_s),))


def _no_focus_for_a_day(random: Random) -> Case:
    """Draw a day without a believable sweep, and a day after it."""
    plan = {
        "interval_s": 4 * 3600,
        "frames": 12,
        "positions": [{"name": "here", "x": 0, "y": 0, "z": 0}],
        "autofocus": {"every": 1, "range": 800},
    }
    kind: FaultKind = random.choice(["camera_black", "camera_truncated", "light_off"])
    from_s = random.uniform(2.2, 3.2) * plan["interval_s"]  # type: ignore[operator]
    fault = Fault(kind, from_s, from_s + DAY_S, amount=0.4, previews=True)
    return Case(plan, (fault,), scene="algae_growth")


def _moved_by_hand(random: Random) -> Case:
    """Draw people who move the stage between visits, and hold the microscope."""
    plan = _plan(random)
    interval_s = plan["interval_s"]
    visitors = []
    for slot in random.sample(range(3, 10), random.randint(1, 4)):
        steps = [random.randint(-600, 600) for _ in range(3)]
        at_s = (slot + random.uniform(0.75, 0.95)) * interval_s
        visitors.append(Visitor(at_s, (steps[0], steps[1], steps[2] // 4)))
    faults = [
        Fault("in_use", each.at_s, each.at_s + random.uniform(0.01, 1.2) * interval_s)
        for each in visitors
    ]
    return Case(plan, tuple(faults), tuple(visitors))


def _short_of_memory(random: Random) -> Case:
    plan = _plan(random)
    return Case(plan, no_memory=_window(random, plan["interval_s"]))


CASES: Mapping[str, Callable[[Random], Case]] = {
    "camera hung while it lasts": _of_kind("camera_hung"),
    "camera hung for ever, until reset": _hung_for_good,
    "camera slow": _of_kind("camera_late"),
    "camera gives up": _of_kind("camera_timed_out"),
    "pictures cut short": _of_kind("camera_truncated"),
    "pictures black": _of_kind("camera_black"),
    "pictures repeated": _of_kind("camera_repeated"),
    "pictures of another size": _of_kind("camera_wrong_size"),
    "stage busy": _of_kind("stage_busy"),
    "stage silent": _of_kind("stage_hung"),
    "stage gives up": _of_kind("stage_timed_out"),
    "stage loses steps": _of_kind("stage_lost_steps"),
    "light off": _of_kind("light_off"),
    "light off when the run begins": _dark_from_the_start,
    "light stuck": _of_kind("light_stuck"),
    "somebody holds the microscope": _of_kind("in_use"),
    "somebody holds it and moves the stage": _moved_by_hand,
    "memory short": _short_of_memory,
    "two or three at once": _several,
    "no focus for a day": _no_focus_for_a_day,
}
