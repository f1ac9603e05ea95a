"""Which stills of a run are shown: sharp ones, spread over time and over what happens.

The index tells the sharpest of each part of the time, and only these few are looked
at. So the choice costs memory and reading that do not grow with the run.
"""

import math
from itertools import accumulate
from pathlib import Path
from typing import (
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
)

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.errors import NotFoundError, ShareError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.quality import OUT_OF_MEMORY, decode_grey
from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.store.fence import (
    LARGEST_FRAME_BYTES,
    is_inside,
    read_at_most,
)

__all__ = [
    "Allowance",
    "Candidate",
    "change_between",
    "chosen",
    "named",
    "quotas",
    "stills",
    "stills_findings",
    "suggested",
]

LOOKED_AT = 4
"""How many frames are looked at for each that is chosen."""
THUMBNAIL = (64, 48)

Thumbnail = NDArray[np.float32]


class Candidate(NamedTuple):
    """A frame that may be chosen.

    Attributes
    ----------
    n, file, elapsed_ns
        Of the frame.
    sharpness : float
        Comparable between the frames of one run; 0 where it is not known.
    """

    n: int
    file: str
    elapsed_ns: int
    sharpness: float

    @classmethod
    def of(cls, frame: Frame) -> "Candidate":
        """Return what is needed of a frame."""
        known = frame.draft.sharpness
        sharpness = known if math.isfinite(known) else 0.0
        return cls(frame.n, frame.file, frame.draft.elapsed_ns, sharpness)


class Allowance(NamedTuple):
    """How many stills a destination takes.

    Attributes
    ----------
    most : int
        So many at most.
    each : bool
        Whether of each position, or of all together.
    """

    most: int
    each: bool

    def by_position(self, subject: Subject, order: ShareOrder) -> Dict[str, int]:
        """Return how many may be suggested of each position of an order."""
        places = subject.positions if order.position is None else (order.position,)
        return (
            dict.fromkeys(places, self.most) if self.each else quotas(places, self.most)
        )


def change_between(before: Thumbnail, after: Thumbnail) -> float:
    """Return by how much two reduced pictures differ, in grey levels.

    A change of the light alone is none.
    """
    difference = (after - after.mean()) - (before - before.mean())
    return float(np.abs(difference).mean())


def chosen(
    candidates: Sequence[Candidate], changes: Sequence[float], most: int
) -> List[Candidate]:
    """Return at most so many, in the order of time.

    Each stands for an equal part of a line that is half time and half change, and is
    the sharpest there. Where a sudden change leaves parts without any, what lies
    farthest from the chosen is added.

    Parameters
    ----------
    candidates : sequence of Candidate
        In the order of time.
    changes : sequence of float
        By how much each differs from the one before it; 0 for the first.
    most : int
        How many may be chosen.
    """
    if len(candidates) <= most:
        return list(candidates)
    line = _line(candidates, changes)
    best: Dict[int, int] = {}
    for index, candidate in enumerate(candidates):
        part = min(int(line[index] * most), most - 1)
        if part not in best or candidate.sharpness > candidates[best[part]].sharpness:
            best[part] = index
    picked = set(best.values())
    while len(picked) < most:
        rest = (index for index in range(len(candidates)) if index not in picked)
        picked.add(
            max(rest, key=lambda at: min(abs(line[at] - line[p]) for p in picked))
        )
    return [candidates[index] for index in sorted(picked)]


def _line(candidates: Sequence[Candidate], changes: Sequence[float]) -> List[float]:
    """Return where each lies between 0 and 1: half by time, half by change if any."""
    begin_ns = candidates[0].elapsed_ns
    length_ns = max(1, candidates[-1].elapsed_ns - begin_ns)
    times = [(one.elapsed_ns - begin_ns) / length_ns for one in candidates]
    changed = list(accumulate(changes))
    if not changed[-1]:
        return times
    return [(at + change / changed[-1]) / 2 for at, change in zip(times, changed)]


def quotas(positions: Sequence[str], most: int) -> Dict[str, int]:
    """Return how many stills each position may have of `most` in all.

    With more positions than stills the first ones have one each.
    """
    share, more = divmod(most, len(positions))
    counts = [share + (index < more) for index in range(len(positions))]
    return {name: count for name, count in zip(positions, counts) if count}


# -------------------------------------------------------------------------- the edge


def suggested(
    subject: Subject, allowed: Mapping[str, int], *, sound: bool = True
) -> List[Frame]:
    """Return the stills that we suggest, in the order of their numbers.

    Parameters
    ----------
    subject : Subject
        The run.
    allowed : mapping
        How many at most, by position.
    sound : bool
        Whether frames that failed a check are left out.

    Returns
    -------
    list of Frame
        None where no picture can be read.
    """
    found: List[Candidate] = []
    for position, most in allowed.items():
        numbers = _sharpest(subject, position, most, sound=sound)
        kept = [Candidate.of(subject.reader.frame(n)) for n in numbers]
        kept.sort(key=lambda one: (one.elapsed_ns, one.n))
        found += _look(subject.folder, kept, most)
    return [subject.reader.frame(n) for n in sorted(one.n for one in found)]


def _sharpest(subject: Subject, position: str, most: int, *, sound: bool) -> List[int]:
    """Return the numbers of the frames that are looked at."""
    first, last = subject.reader.frames(0, 1), subject.reader.last_frame()
    if not first or last is None:
        return []
    begin_ns, end_ns = first[0].draft.elapsed_ns, last.draft.elapsed_ns
    return subject.reader.survey.sharpest(
        position, LOOKED_AT * most, begin_ns, end_ns, sound=sound
    )


def _look(folder: Path, kept: Sequence[Candidate], most: int) -> List[Candidate]:
    """Look at the pictures of the candidates and choose; leave out what has none."""
    candidates, changes = [], []
    before: Optional[Thumbnail] = None
    for candidate in kept:
        picture = _thumbnail(folder, folder / candidate.file)
        if picture is None:
            continue
        candidates.append(candidate)
        changes.append(0.0 if before is None else change_between(before, picture))
        before = picture
    return chosen(candidates, changes, most)


def _thumbnail(folder: Path, path: Path) -> Optional[Thumbnail]:
    """Return a frame as a small grey picture; None for what is none any more."""
    if not (path.is_file() and is_inside(folder, path)):
        return None
    try:
        grey = decode_grey(read_at_most(path, LARGEST_FRAME_BYTES), THUMBNAIL[0])
        if grey is None:
            return None
        small = cv2.resize(grey, THUMBNAIL, interpolation=cv2.INTER_AREA)
    except (OSError, *OUT_OF_MEMORY):
        return None
    return np.asarray(small, np.float32)


def named(subject: Subject, order: ShareOrder) -> List[Frame]:
    """Return the frames that the order names, each once, in order of their numbers.

    Raises
    ------
    NotFoundError
        When the run has not all of them; `stills_findings` says so before.
    """
    return [subject.reader.frame(n) for n in sorted(set(order.frames))]


def stills(
    subject: Subject, order: ShareOrder, allowed: Mapping[str, int], bundle: Bundle
) -> Iterator[Frame]:
    """Yield the stills that the order names, or else those that we suggest.

    Parameters
    ----------
    subject, order
        Of what, and what.
    allowed : mapping
        How many we may suggest, by position.
    bundle : Bundle
        Is told of each.

    Raises
    ------
    ShareError
        When no picture can be read.
    """
    frames = named(subject, order) if order.frames else suggested(subject, allowed)
    if not frames:
        told = f"None of the frames of {subject.run_id} that were looked at is there; "
        raise ShareError(told + "run verify to see what is missing.")
    for done, frame in enumerate(frames):
        bundle.tell(done, len(frames))
        yield frame
    bundle.tell(len(frames), len(frames))


def stills_findings(
    subject: Subject, order: ShareOrder, allowance: Allowance
) -> List[Finding]:
    """Return what is wrong with the stills that are ordered, or with all of them.

    Parameters
    ----------
    subject, order
        Of what, and what.
    allowance : Allowance
        How many may be named.
    """
    if not order.frames:
        return _none_good(subject, order)
    found: List[Finding] = []
    counts: Dict[str, int] = {}
    for n in sorted(set(order.frames)):
        try:
            frame = subject.reader.frame(n)
        except NotFoundError as exc:
            found.append(Finding("order.frames", str(exc), blocks=True))
            continue
        place = frame.draft.position if allowance.each else subject.run_id
        counts[place] = counts.get(place, 0) + 1
        found += _doubts(frame, order)
    for place, here in counts.items():
        if here > allowance.most:
            told = f"{here} stills of {place} are named and at most {allowance.most} "
            told += "are taken; "
            found.append(Finding("order.frames", told + "name fewer.", blocks=True))
    return found


def _doubts(frame: Frame, order: ShareOrder) -> List[Finding]:
    """Return what is wrong with a frame that is named."""
    draft, found = frame.draft, []
    if order.position not in {None, draft.position}:
        told = f"Frame {frame.n} is of the position {draft.position}, not of "
        told += f"{order.position}; name frames of one of them."
        found.append(Finding("order.frames", told, blocks=True))
    if draft.flags:
        flags = ", ".join(flag.value for flag in draft.flags)
        told = f"Frame {frame.n} failed a check ({flags}); look at it before you share."
        found.append(Finding("order.frames", told))
    return found


def _none_good(subject: Subject, order: ShareOrder) -> List[Finding]:
    """Return a finding that blocks, where no frame can be suggested."""
    if order.position not in {None, *subject.positions} or not subject.imaged.frames:
        return []
    if subject.reader.survey.has_sound(order.position):
        return []
    told = f"No frame of {subject.run_id} passed its checks; name those that you want."
    return [Finding("order.frames", told, blocks=True)]
