"""What must hold after a run whose hardware failed."""

import json
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Sequence, Tuple

from campaigns.hardware_cases import Case
from campaigns.rehearsal import NS_PER_S, Rehearsal
from campaigns.tally import Tally
from openflexure_timelapse.frame import Frame, Outcome, Slot
from openflexure_timelapse.run_state import EndReason, RunState
from openflexure_timelapse.schedule import grid_of

__all__ = ["HardwareTally", "check"]

MADE = (Outcome.CAPTURED, Outcome.LATE)
# What a picture looks like that was taken while something was wrong.
FLAG_OF: Mapping[str, str] = {
    "camera_black": "dark",
    "camera_repeated": "repeated",
    "camera_wrong_size": "wrong_size",
    "light_off": "dark",
}
PLAY_UM = (158 * 0.088, 84 * 0.088, 80 * 0.050)
GREY_SHARE = 0.15
GROWTH_NS = 3600 * NS_PER_S
LOST_STEPS = "stage_lost_steps"


@dataclass
class HardwareTally(Tally):
    """Figures of one attack on the hardware.

    Attributes
    ----------
    told_slots : float
        How long it took at most, in slots, until the status said what was wrong.
    """

    flagged: int = 0
    unflagged: int = 0
    untold: int = 0
    told_slots: float = 0.0
    first_good: int = 0
    harmed: int = 0
    off_um: float = 0.0


def check(
    tally: HardwareTally, case: Case, run: Rehearsal, light: float, end: RunState
) -> None:
    """Add a run's figures to the tally, and what fell."""
    slots, frames = run.slots(), run.frames()
    if end.end_reason is not EndReason.COMPLETED:
        tally.fell(f"The run did not complete: {end}, {run.details('failed')}.")
    if [slot.first for slot in slots] != list(range(grid_of(run.plan).slots or 0)):
        tally.fell("Not every slot has one outcome.")
    truth = _truth(run)
    _check_slots(tally, slots, frames)
    _check_flags(tally, frames, truth)
    _check_told(tally, case, run, slots, frames)
    _check_after(tally, case, run, slots, frames, truth)
    _check_restored(tally, case, run, light)


def _truth(run: Rehearsal) -> Dict[int, Dict[str, Any]]:
    """Return what was true of each picture, by when it was exposed."""
    lines = (run.data_folder / "truth.jsonl").read_text("utf-8").splitlines()
    return {told["monotonic_ns"]: told for told in map(json.loads, lines)}


def _of(frame: Frame, truth: Mapping[int, Dict[str, Any]]) -> Dict[str, Any]:
    """Return what was true of a frame."""
    return truth[frame.draft.metadata["sensor_timestamp_ns"]]


def _check_slots(
    tally: HardwareTally, slots: Sequence[Slot], frames: Sequence[Frame]
) -> None:
    """Count; whatever was missed has its reason."""
    missed = [slot for slot in slots if slot.outcome not in MADE]
    tally.slots += len(slots)
    tally.captured += len(slots) - len(missed)
    tally.missed += len(missed)
    tally.reasonless += sum(slot.reason is None for slot in missed)
    tally.flagged += sum(bool(frame.draft.flags) for frame in frames)
    if any(slot.reason is None for slot in missed):
        tally.fell("A slot was missed without a reason.")


def _check_flags(
    tally: HardwareTally, frames: Sequence[Frame], truth: Mapping[int, Dict[str, Any]]
) -> None:
    """Check that each frame that is not what it should be says so."""
    for frame in frames:
        wrong = {
            FLAG_OF[kind] for kind in _of(frame, truth)["faults"] if kind in FLAG_OF
        }
        flags = {flag.value for flag in frame.draft.flags}
        if wrong and not flags:
            tally.unflagged += 1
            tally.fell(f"{frame.file} should be flagged {wrong} and is not.")


# ------------------------------------------------------------------------ what is told


def _check_told(
    tally: HardwareTally,
    case: Case,
    run: Rehearsal,
    slots: Sequence[Slot],
    frames: Sequence[Frame],
) -> None:
    """Check how soon the status said that something was wrong."""
    wrong = {slot.first for slot in slots if slot.outcome not in MADE}
    wrong |= {frame.draft.slot for frame in frames if frame.draft.flags}
    visits = run.visits()
    wrong |= {
        visit.slot for visit in visits if visit.focus and not visit.focus["accepted"]
    }
    interval_s = float(run.plan.interval_s or 1)
    told = [at_ns / NS_PER_S for at_ns, status in run.seen if status.warnings]
    stuck = [fault for fault in case.faults if fault.kind == "light_stuck"]
    if any(fault.to_s - fault.from_s > 2 * interval_s for fault in stuck):
        warned = [status for _, status in run.seen if "stays" in str(status.warnings)]
        if not warned:
            tally.untold += 1
            tally.fell("A light that is stuck is not told.")
    for slot in sorted(wrong):
        due_s = slot * interval_s
        after_s = [at_s - due_s for at_s in told if at_s >= due_s]
        late = min(after_s, default=float("inf")) / interval_s
        if late > 1:
            tally.untold += 1
            tally.fell(
                f"Slot {slot} went wrong, and {late:.2f} slots later it is told."
            )
        else:
            tally.told_slots = max(tally.told_slots, round(late, 2))


# ----------------------------------------------------------------------------- the rest


def _check_after(  # noqa: PLR0913, PLR0917 (all that remains of a run)
    tally: HardwareTally,
    case: Case,
    run: Rehearsal,
    slots: Sequence[Slot],
    frames: Sequence[Frame],
    truth: Mapping[int, Dict[str, Any]],
) -> None:
    """Check that nothing is left of a fault that is over."""
    over_s = _over_s(case, run)
    interval_s = float(run.plan.interval_s or 1)
    after = [slot for slot in slots if slot.first * interval_s >= over_s]
    good = [slot.first for slot in after if slot.outcome in MADE]
    if after:
        lag = (good[0] if good else slots[-1].first + 1) - after[0].first
        tally.first_good = max(tally.first_good, lag)
        if lag:
            tally.fell(
                f"The fault was over by {over_s:.1f} s; {lag} more slots missed."
            )
    later = [frame for frame in frames if frame.draft.slot * interval_s >= over_s]
    exempt = {fault.kind for fault in case.faults} & {LOST_STEPS}
    for name in run.plan.position_names():
        own = [frame for frame in frames if frame.draft.position == name]
        before = [
            frame for frame in own if not frame.draft.flags and frame not in later
        ]
        models = before or [frame for frame in own if not frame.draft.flags]
        for frame in later:
            if frame.draft.position == name:
                told = _harm(tally, frame, models, truth, is_exempt=bool(exempt))
                if told:
                    tally.harmed += 1
                    tally.fell(f"{frame.file}, after all was over: {told}.")


def _over_s(case: Case, run: Rehearsal) -> float:
    """Return when all faults were over, and the visit under way by then, too."""
    interval_s = float(run.plan.interval_s or 1)
    over_s = case.over_s
    by_slot: Dict[int, float] = {}
    for visit in run.visits():
        by_slot.setdefault(visit.slot, 0.0)
        by_slot[visit.slot] += visit.duration_ns / NS_PER_S
    late_s = {slot.first: slot.lateness_ns / NS_PER_S for slot in run.slots()}
    for slot, lasted_s in by_slot.items():
        begun_s = slot * interval_s + late_s[slot]
        if begun_s < over_s:
            over_s = max(over_s, begun_s + lasted_s)
    return over_s


def _harm(
    tally: HardwareTally,
    frame: Frame,
    good: Sequence[Frame],
    truth: Mapping[int, Dict[str, Any]],
    *,
    is_exempt: bool,
) -> str:
    """Return what is wrong with a frame, next to good ones of its position."""
    if frame.draft.flags:
        return f"flagged {[flag.value for flag in frame.draft.flags]}"
    model = good[0]
    share = frame.draft.mean_grey / max(model.draft.mean_grey, 1.0)
    # Over days the sample grows, and its pictures get darker by themselves.
    near = frame.draft.due_ns - model.draft.due_ns < GROWTH_NS
    if near and abs(share - 1) > GREY_SHARE:
        return f"{share:.2f} times as bright"
    here, there = _of(frame, truth)["stage_um"], _of(model, truth)["stage_um"]
    off_um = [abs(a - b) for a, b in zip(here, there)]
    tally.off_um = max(tally.off_um, *map(_tenths, off_um[:2]))
    refocused = frame.draft.z != model.draft.z
    axes: Tuple[int, ...] = (0, 1) if refocused else (0, 1, 2)
    if not is_exempt and any(off_um[axis] > PLAY_UM[axis] for axis in axes):
        return f"off its place by {off_um} um"
    return ""


def _tenths(value: float) -> float:
    """Return a figure with one decimal."""
    return round(value, 1)


def _check_restored(
    tally: HardwareTally, case: Case, run: Rehearsal, light: float
) -> None:
    """Check that the hardware is as it was before the run."""
    auto = run.microscope.camera.exposure() == {"auto": True}
    level = run.microscope.light.level()
    if not auto or abs(level - light) > 0.01:  # noqa: PLR2004
        tally.fell(f"Left behind: exposure auto {auto}, light {level} for {light}.")
    if run.microscope.faults.find("in_use") is None:
        run.microscope.acquire(0)  # raises where the run still holds it
        run.microscope.release()
    if case.plan.get("autofocus"):
        heights = {v.focus["z"] for v in run.visits() if v.focus}
        rejected = [
            v.focus for v in run.visits() if v.focus and not v.focus["accepted"]
        ]
        known = {v.focus["z"] for v in run.visits() if v.focus and v.focus["accepted"]}
        if not rejected or not known or not heights <= known | {0}:
            tally.fell(f"Heights used: {heights}, accepted: {known}.")
