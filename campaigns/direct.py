"""A week without a server: cameras stall, boards start anew, the disk fills.

The real libraries over hardware that is not there; see `campaigns.direct_week` for what
of the time is left out. A slot may be missed only where something began so shortly
before it, or during it, that no microscope could have been ready.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Dict, List, Mapping, Tuple

from campaigns.direct_week import FIRST_S, INTERVAL_S, Outcome, Week, run_week
from campaigns.findings import Findings, Table
from hardware_sim.faults import Fault, FaultKind
from openflexure_timelapse.frame import Outcome as SlotOutcome
from openflexure_timelapse.store.verify import verify

__all__ = ["TRIALS", "attack", "drawn", "judged"]

TRIALS = 1008
"""Slots: seven days of one each ten minutes."""
LIBRARIES = ("picamera2", "sangaboard")
HOUR_S = 3600.0
CAMERA: Tuple[FaultKind, ...] = (
    "camera_stalled",
    "camera_frontend_timeout",
    "camera_killed",
)
EVERY_S: Mapping[str, float] = {
    "camera": 3 * HOUR_S,
    "board_reset": 5 * HOUR_S,
    "board_unplugged": 12 * HOUR_S,
    "disk_full": 42 * HOUR_S,
}
LASTS_S: Mapping[str, Tuple[float, float]] = {
    "board_unplugged": (20.0, 90.0),
    "disk_full": (900.0, 2400.0),
}
AIMED = 0.2
"""The share of faults that fall into a visit."""
VISIT_S = 4.0
BEFORE_S: Mapping[str, float] = {"camera": 9.0, "board": 3.0, "disk": 0.0}
"""So long before a slot a fault may begin and still cost it: until the camera has
stalled for long enough to be sure of it, and has started again."""
AFTER_S: Mapping[str, float] = {"camera": 0.0, "board": 3.0, "disk": 15.0}
"""So long after its end: a full disk is looked at every ten seconds."""
SIGNS: Mapping[str, Tuple[str, ...]] = {
    "camera": ("camera_restarted",),
    "board": ("board_reset", "unplugged", "reconnected", "silent"),
}
"""What must be on record of it, one of them."""
COLUMNS = (
    "what happens",
    "times",
    "slots so near that it may cost them",
    "slots lost",
    "not on record",
)


@dataclass(frozen=True)
class Verdict:
    """How one kind of fault ended.

    Attributes
    ----------
    times, near, lost, untold : int
        Faults; slots that they might cost; slots of those that have no frame; faults
        of which no event tells.
    """

    times: int
    near: int
    lost: int
    untold: int


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Live through so many slots."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        told = f"Not run: {' and '.join(missing)} is not installed here."
        return Findings((), (), (told,))
    week = drawn(trials, seed)
    outcome = run_week(week, work)
    verdicts, broken = judged(week, outcome)
    rows = tuple((kind, *vars(found).values()) for kind, found in verdicts.items())
    frames, slots = len(outcome.frames), len(outcome.slots)
    told = (
        f"{slots} slots of two places each, {frames} frames, {outcome.restarts} "
        f"restarts of the camera, in {outcome.real_s / 60:.0f} minutes of the machine: "
        "the waits between slots were left out. Not on a Raspberry Pi."
    )
    broken = [f"{sentence} [{seed}]" for sentence in broken]
    return Findings((Table(COLUMNS, rows),), tuple(broken), (told,))


def drawn(slots: int, seed: int) -> Week:
    """Return a week of so many slots, with its faults."""
    random = Random(f"direct/{seed}")
    last_s = FIRST_S + (slots - 1) * INTERVAL_S
    faults: List[Fault] = []
    for name, every_s in EVERY_S.items():
        begin_s = FIRST_S + INTERVAL_S / 2
        while begin_s < last_s - INTERVAL_S:
            at_s = random.uniform(begin_s, min(begin_s + every_s, last_s - INTERVAL_S))
            if random.random() < AIMED:
                slot = round((at_s - FIRST_S) / INTERVAL_S)
                at_s = FIRST_S + slot * INTERVAL_S + random.uniform(0.0, VISIT_S / 2)
            kind: FaultKind = random.choice(CAMERA) if name == "camera" else name  # type: ignore[assignment]
            low, high = LASTS_S.get(name, (1.0, 1.0))
            ends_s = (
                float("inf") if name == "camera" else at_s + random.uniform(low, high)
            )
            faults.append(Fault(kind, from_s=at_s, to_s=ends_s))
            begin_s += every_s
    return Week(slots, sorted(faults, key=lambda fault: fault.from_s), seed)


def judged(week: Week, outcome: Outcome) -> Tuple[Dict[str, Verdict], List[str]]:
    """Return how each kind of fault ended, and which promises fell."""
    lost = {
        slot.first
        for slot in outcome.slots
        if slot.outcome not in (SlotOutcome.CAPTURED, SlotOutcome.LATE)
    }
    broken: List[str] = []
    verdicts: Dict[str, Verdict] = {}
    excused: set[int] = set()
    for kind in sorted({fault.kind for fault in week.faults}):
        faults = [fault for fault in week.faults if fault.kind == kind]
        near = {n for fault in faults for n in _near(fault, week.slots)}
        untold = [fault for fault in faults if not _is_told(fault, outcome)]
        excused |= near
        verdicts[kind] = Verdict(len(faults), len(near), len(near & lost), len(untold))
        broken += [
            f"Of {kind} at {fault.from_s:.0f} s no event tells." for fault in untold
        ]
    for n in sorted(lost - excused):
        slot = outcome.slots[n]
        told = slot.detail or slot.reason
        broken.append(f"Slot {n} was lost without need: {told}")
    if [slot.first for slot in outcome.slots] != list(range(week.slots)):
        broken.append("A slot has no outcome, or two.")
    return verdicts, broken + _whole(week, outcome)


def _whole(week: Week, outcome: Outcome) -> List[str]:
    """Return what is wrong with the run as a whole."""
    broken = []
    exposures = {frame.draft.metadata["exposure_us"] for frame in outcome.frames}
    if len(exposures) > 1:
        broken.append(f"The exposure did not stay: {sorted(exposures)}.")
    if outcome.off_steps > outcome.unsure_steps:
        told = f"The stage was {outcome.off_steps} steps from where it was believed to "
        broken.append(f"{told}be, and said {outcome.unsure_steps}.")
    report = verify(outcome.folder)
    if not report.ok:
        broken += report.lines()
    if any(fault.kind == "disk_full" for fault in week.faults):
        kinds = [event.kind for event in outcome.events]
        if kinds.count("disk_full") != kinds.count("space_returned"):
            broken.append("The run did not go on when there was room again.")
    return broken


def _part(fault: Fault) -> str:
    """Return the part that a fault belongs to."""
    return fault.kind.split("_", maxsplit=1)[0]


def _near(fault: Fault, slots: int) -> List[int]:
    """Return the slots that a fault may cost."""
    part = _part(fault)
    ends_s = fault.from_s if fault.to_s == float("inf") else fault.to_s
    begin_s, end_s = fault.from_s - VISIT_S, ends_s + AFTER_S[part] + BEFORE_S[part]
    return [n for n in range(slots) if begin_s <= FIRST_S + n * INTERVAL_S <= end_s]


def _is_told(fault: Fault, outcome: Outcome) -> bool:
    """Tell whether an event says so, no later than at the second visit after it."""
    part = _part(fault)
    if part not in SIGNS:
        return any(event.kind == fault.kind for event in outcome.events)
    ends_s = fault.from_s if fault.to_s == float("inf") else fault.to_s
    visited_s = [
        FIRST_S + slot.first * INTERVAL_S
        for slot in outcome.slots
        if slot.outcome is not SlotOutcome.SKIPPED
    ]
    after_s = [at_s for at_s in visited_s if at_s > ends_s]
    until_s = after_s[1] + VISIT_S if len(after_s) > 1 else float("inf")
    return any(
        fault.from_s <= at_s <= until_s and kind in SIGNS[part]
        for at_s, kind in outcome.incidents()
    )
