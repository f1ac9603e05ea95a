"""What must hold after a run whose clock was attacked."""

import io
import json
import shutil
import subprocess
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from PIL import Image

from campaigns.clock_cases import Case
from campaigns.rehearsal import Rehearsal
from campaigns.tally import Tally
from campaigns.wandering_clock import NS_PER_S, WanderingClock
from openflexure_timelapse.frame import Frame, Outcome
from openflexure_timelapse.hosts.footage import movie_frames
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.movie.timeline import GapRule, Shot, beats
from openflexure_timelapse.plan import HERE
from openflexure_timelapse.run_state import EndReason, Phase, RunState
from openflexure_timelapse.schedule import Grid, grid_of, seconds_to_ns
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.exif import read_frame_record
from openflexure_timelapse.store.layout import local_time

__all__ = ["ClockTally", "check"]

FPS = 15.0
TAGS = ("DateTimeOriginal", "SubSecTimeOriginal", "OffsetTimeOriginal")
TAG_IDS = (0x9003, 0x9291, 0x9011)
EXIF_IFD = 0x8769
SLACK_NS = NS_PER_S // 10
READ_PAIR_NS = 1_000_000


@dataclass
class ClockTally(Tally):
    """Figures of one attack on the clock."""

    doubled: int = 0
    bursts: int = 0
    off_grid_ns: int = 0
    wrong_exif: int = 0
    unknown_gaps: int = 0
    silent: int = 0


@dataclass(frozen=True)
class Lived:
    """One process as it was.

    Attributes
    ----------
    clock : WanderingClock
        Of that process.
    origin_true_ns : int or None
        The true time of slot 0, if the process must know it.
    seen : range
        Of `Rehearsal.seen`.
    """

    clock: WanderingClock
    origin_true_ns: Optional[int]
    seen: range


def check(
    tally: ClockTally,
    case: Case,
    run: Rehearsal,
    lived: Sequence[Lived],
    end: Optional[RunState],
) -> None:
    """Add a run's figures to the tally, and what fell."""
    frames, grid = run.frames(), grid_of(run.plan)
    _check_end(tally, run, end)
    _check_slots(tally, run, grid)
    _check_grid(tally, case, run, frames, lived)
    _check_bursts(tally, run, grid)
    _check_exif(tally, run, frames, lived)
    _check_status(tally, case, run, lived)
    _check_movie(tally, run, frames)


def _check_end(tally: ClockTally, run: Rehearsal, end: Optional[RunState]) -> None:
    """Check that the run has come to its end."""
    if end is None or end.end_reason is not EndReason.COMPLETED:
        tally.fell(f"The run did not complete: {end}.")
    if run.details("failed"):
        tally.fell(f"The run failed: {run.details('failed')[0]['error']}.")


def _check_slots(tally: ClockTally, run: Rehearsal, grid: Grid) -> None:
    """Check that each slot has one outcome, and a reason if it was missed."""
    slots = run.slots()
    tally.slots += len(slots)
    made = (Outcome.CAPTURED, Outcome.LATE)
    tally.captured += sum(slot.outcome in made for slot in slots)
    missed = [slot for slot in slots if slot.outcome not in made]
    tally.missed += len(missed)
    tally.reasonless += sum(slot.reason is None for slot in missed)
    if [slot.first for slot in slots] != list(range(grid.slots or 0)):
        tally.fell(f"Slots without one outcome: {[slot.first for slot in slots]}.")
    if any(slot.reason is None for slot in missed):
        tally.fell("A slot was missed without a reason.")
    if run.plan.start_at is not None and missed:
        tally.fell(f"{len(missed)} slots were lost to a start at a time of day.")


def _check_grid(
    tally: ClockTally,
    case: Case,
    run: Rehearsal,
    frames: Sequence[Frame],
    lived: Sequence[Lived],
) -> None:
    """Check where exposures were on the grid, by the truth beside the run."""
    twice = Counter(frame.draft.slot for frame in frames)
    doubled = sum(count - 1 for count in twice.values())
    tally.doubled += doubled
    elapsed = [frame.draft.elapsed_ns for frame in frames]
    if doubled or elapsed != sorted(elapsed):
        tally.fell(f"Frames doubled or out of order: {elapsed}.")
    exposures = _exposures(run)
    at = 0
    for process in lived:
        own = exposures.get(process.clock.boot_id(), [])
        count = _count(frames[at:], process, own)
        worst_ns = _worst_ns(frames[at : at + count], process, own)
        at += count
        if process is lived[0] or case.gap == "exact":
            tally.off_grid_ns = max(tally.off_grid_ns, worst_ns)
        if worst_ns > READ_PAIR_NS:
            tally.fell(f"Frames are {worst_ns / 1e9:.3f} s off the grid.")


def _exposures(run: Rehearsal) -> Dict[str, List[int]]:
    """Return the monotonic times of all exposures by boot, from the truth."""
    found: Dict[str, List[int]] = {}
    truth = run.data_folder / "truth.jsonl"
    if truth.exists():
        for line in truth.read_text("utf-8").splitlines():
            told = json.loads(line)
            found.setdefault(told["boot_id"], []).append(told["monotonic_ns"])
    return found


def _count(frames: Sequence[Frame], process: Lived, own: Sequence[int]) -> int:
    """Return how many of the next frames a process took."""
    stamps = {frame.draft.metadata["sensor_timestamp_ns"] for frame in frames}
    end_ns = process.clock.monotonic_ns()
    mine = set(own) & stamps
    count = 0
    for frame in frames:
        stamp = frame.draft.metadata["sensor_timestamp_ns"]
        if stamp not in mine or stamp > end_ns:
            break
        count += 1
    return count


def _worst_ns(frames: Sequence[Frame], process: Lived, own: Sequence[int]) -> int:
    """Return how far exposures were from where their frames put them on the grid."""
    worst_ns, origin_ns = 0, process.origin_true_ns
    for frame in frames:
        stamp = int(frame.draft.metadata["sensor_timestamp_ns"])
        exposed_ns = own[bisect_left(own, stamp)]
        true_ns = process.clock.true_ns(exposed_ns)
        if origin_ns is None:  # a gap of unknown length: at least the spacing is exact
            origin_ns = true_ns - frame.draft.elapsed_ns
        worst_ns = max(worst_ns, abs(true_ns - origin_ns - frame.draft.elapsed_ns))
    return worst_ns


def _check_bursts(tally: ClockTally, run: Rehearsal, grid: Grid) -> None:
    """Check for more visits back to back than the plan allows."""
    begun = [
        slot
        for slot in run.slots()
        if slot.outcome in (Outcome.CAPTURED, Outcome.LATE, Outcome.FAILED)
    ]
    interval_ns = grid.interval_at(0)
    allowed = run.plan.catch_up_slots if run.plan.late == "catch_up" else 0
    if run.plan.late == "shift":
        starts = _starts_ns(run)
        near_ns = interval_ns - interval_ns // 10 - SLACK_NS
        bursts = sum(b - a < near_ns for a, b in zip(starts, starts[1:]))
    else:
        bursts, row = 0, 0
        for slot in begun:
            overdue = slot.lateness_ns * 2 > interval_ns + SLACK_NS
            row = row + 1 if overdue else 0
            bursts += row > allowed + 1 or (overdue and not allowed)
    tally.bursts += bursts
    if bursts:
        tally.fell(f"{bursts} bursts under {run.plan.late!r}.")


def _starts_ns(run: Rehearsal) -> List[int]:
    """Return when the slots with frames were begun."""
    late_ns = {slot.first: slot.lateness_ns for slot in run.slots()}
    drafts = [frame.draft for frame in run.frames()]
    return [draft.due_ns + late_ns[draft.slot] for draft in drafts]


# -------------------------------------------------------------------------------- EXIF


def _check_exif(
    tally: ClockTally, run: Rehearsal, frames: Sequence[Frame], lived: Sequence[Lived]
) -> None:
    """Check that each file says the time of day, and its worth, as it was."""
    read = _read_exif([run.folder / frame.file for frame in frames])
    exposures = _exposures(run)
    at = 0
    for process in lived:
        own = exposures.get(process.clock.boot_id(), [])
        count = _count(frames[at:], process, own)
        for frame, told in list(zip(frames, read))[at : at + count]:
            stamp = int(frame.draft.metadata["sensor_timestamp_ns"])
            shown = process.clock.shown(stamp, NS_PER_S)
            if (told, _marked(run, frame)) not in [
                (_as_exif(wall_ns, offset_s), trusted)
                for wall_ns, offset_s, trusted in shown
            ]:
                tally.wrong_exif += 1
                tally.fell(f"{frame.file} says {told}, the clock {shown}.")
        at += count


def _marked(run: Rehearsal, frame: Frame) -> Optional[bool]:
    """Return whether a file says that its time can be believed."""
    record = read_frame_record((run.folder / frame.file).read_bytes())
    return None if record is None else record.draft.wall_trusted


def _as_exif(wall_ns: int, offset_s: int) -> Tuple[str, ...]:
    """Return a time as EXIF writes it."""
    moment = local_time(wall_ns, offset_s)
    zone = moment.strftime("%z")
    day = moment.strftime("%d %H:%M:%S")
    told = f"{moment.year:04d}:{moment.month:02d}:{day}"
    return told, f"{moment.microsecond:06d}", f"{zone[:3]}:{zone[3:]}"


def _read_exif(files: Sequence[Path]) -> List[Tuple[str, ...]]:
    """Return the three tags of each file, by another's reader."""
    program = shutil.which("exiftool")
    if program is None or not files:
        return [_by_pillow(file) for file in files]
    names = [f"-{tag}" for tag in TAGS]
    command = [program, "-json", *names, *map(str, files)]
    done = subprocess.run(command, check=True, capture_output=True)
    # Sub-seconds come as numbers, which lose their zeros.
    return [
        (
            str(row["DateTimeOriginal"]),
            str(row["SubSecTimeOriginal"]).zfill(6),
            str(row["OffsetTimeOriginal"]),
        )
        for row in json.loads(done.stdout)
    ]


def _by_pillow(file: Path) -> Tuple[str, ...]:
    """Return the three tags of a file."""
    with Image.open(io.BytesIO(file.read_bytes())) as picture:
        tags = picture.getexif().get_ifd(EXIF_IFD)
    return tuple(str(tags[tag]) for tag in TAG_IDS)


# ------------------------------------------------------------------------ what is told


def _check_status(
    tally: ClockTally, case: Case, run: Rehearsal, lived: Sequence[Lived]
) -> None:
    """Check that countdowns are sane, and what nobody knows is told."""
    tally.silent += sum(_silences(run, process) for process in lived)
    gaps = [told.get("unknown_gap") for told in run.details("resumed")]
    tally.unknown_gaps += sum(map(bool, gaps))
    wanted = {"exact": [False], "unknown": [True]}.get(case.gap)
    if len(lived) > 1 and wanted is not None and gaps != wanted:
        tally.fell(f"The gap was {case.gap}, and the run says {gaps}.")
    if any(gaps):
        last = [run.seen[index][1] for index in lived[-1].seen]
        told = [status for status in last if "unknown" in " ".join(status.warnings)]
        if not told and len(last) > 1:
            tally.silent += 1
            tally.fell("A gap of unknown length is not in the status.")


def _silences(run: Rehearsal, process: Lived) -> int:
    """Count what a process's status kept to itself or got wrong."""
    silent = 0
    longest_s = float(run.plan.interval_s or 0) + 1
    for index in process.seen:
        at_ns, status = run.seen[index]
        trusted = [each[2] for each in process.clock.shown(at_ns, 1)]
        told = " ".join(status.warnings)
        silent += not any(trusted) and "not synchronised" not in told
        if status.phase in (Phase.RUNNING, Phase.PAUSED):
            silent += not 0 <= (status.next_due_in_s or 0) <= longest_s
    return silent


def _check_movie(tally: ClockTally, run: Rehearsal, frames: Sequence[Frame]) -> None:
    """Check that no burned-in clock runs backwards without a word."""
    if not frames:
        return
    interval_ns = seconds_to_ns(float(run.plan.interval_s or 1))
    rule = GapRule.of("hold", FPS, interval_ns, labelled=True, dated=True)
    before_ns: Optional[int] = None
    unknown = 0
    for beat in beats(_shots(run), rule, len(run.slots())):
        shown_ns = beat.wall_ns + beat.utc_offset_s * NS_PER_S
        back = before_ns is not None and shown_ns < before_ns - NS_PER_S
        if back and "ime" not in beat.label and "lock" not in beat.label:
            tally.silent += 1
            tally.fell(f"A movie's clock runs back without a word ({beat.label!r}).")
        unknown += "unknown" in beat.label
        before_ns = shown_ns
    gaps = [told for told in run.details("resumed") if told.get("unknown_gap")]
    if gaps and not unknown and frames[-1].draft.elapsed_ns > _last_gap_ns(run):
        tally.silent += 1
        tally.fell("A movie closes a gap of unknown length without a word.")


def _last_gap_ns(run: Rehearsal) -> int:
    """Return when the newest process began, on the grid."""
    return max(each.elapsed_ns for each in run.events() if each.kind == "resumed")


def _shots(run: Rehearsal) -> Iterator[Shot[Any]]:
    """Yield the frames of a run as a movie gets them."""
    library = Library(run.data_folder, run.clock, RealDisk())
    for frame in movie_frames(library, run.folder.name, HERE, 0):
        yield Shot(frame, "a picture")
