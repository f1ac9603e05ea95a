"""From frames and their slots to the pictures of a movie, one after the other.

How many frames of the movie a slot gets is the pace's to say. A slot without a picture
is a gap; gaps are decided on slot numbers, never on seconds. The recipe says what
stands in a gap:

``hold``
    the last picture (an empty one before the first);
``blank``
    an empty picture;
``cut``
    nothing.

In each case a label comes up and stays for a moment longer than it takes to read,
even where the gap itself is one frame or none. The clocks run on through a gap. Where
the time of day was set or the zone changed, a label says that, too: a clock in the
picture never leaps or runs back without a word.

Pure, streaming, without look-ahead: what more frames follow changes nothing of what
stands before the end of the last one.
"""

from dataclasses import dataclass, replace
from typing import Generic, Iterable, Iterator, List, Optional, TypeVar

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.frames import MovieContext, MovieFrame
from openflexure_timelapse.movie.pace import Pace, Stay, pace_of

__all__ = [
    "Beat",
    "GapRule",
    "MovieContext",
    "MovieFrame",
    "Shot",
    "beats",
    "duration_text",
    "thin",
]

Picture = TypeVar("Picture")

NS_PER_S = 1_000_000_000
LABEL_S = 1.5
LONGEST_GAP_S = 60
STEP_SHOWN_NS = NS_PER_S // 2
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
DECIMALS_BELOW_NS = 10 * NS_PER_S


@dataclass(frozen=True)
class Shot(Generic[Picture]):
    """A frame with its picture, or with the reason why it has none to show."""

    frame: MovieFrame
    picture: Optional[Picture]
    problem: str = ""


@dataclass(frozen=True)
class Beat(Generic[Picture]):
    """One frame of the movie.

    Attributes
    ----------
    kind : str
        ``show``, ``hold`` or ``blank``.
    picture : Picture or None
        What is shown; None for an empty picture.
    elapsed_ns, wall_ns, utc_offset_s : int
        What the clocks say.
    clock_trusted : bool
        Whether that time of day can be believed.
    label : str
        About a gap or a clock that was set; empty for none.
    span : int
        How many frames of the movie it stands for.
    elapsed_known : bool
        False after a gap of unknown length: at least so much time has passed.
    """

    kind: str
    picture: Optional[Picture]
    elapsed_ns: int
    wall_ns: int
    utc_offset_s: int
    clock_trusted: bool = True
    label: str = ""
    span: int = 1
    elapsed_known: bool = True


@dataclass(frozen=True)
class GapRule:
    """How missing slots are shown.

    Attributes
    ----------
    gaps : str
        ``hold``, ``blank`` or ``cut``.
    label_frames : int
        How long a label stays at least, in frames of the movie; 0 for no labels.
    last_interval_ns : int
        From slot to slot at the end, where no frame tells the time.
    note_frames : int
        The same for what is said of the time of day; 0 where no picture shows it.
    beat_ns : int or None
        Real time in one frame of the movie; None where each slot is one.
    longest_gap : int
        In frames of the movie; a longer one is shortened where time is real.
    """

    gaps: str
    label_frames: int
    last_interval_ns: int
    note_frames: int = 0
    beat_ns: Optional[int] = None
    longest_gap: int = 0

    @staticmethod
    def of(  # noqa: PLR0913 (a recipe's words)
        gaps: str,
        fps: float,
        last_interval_ns: int,
        *,
        labelled: bool,
        dated: bool,
        beat_ns: Optional[int] = None,
    ) -> "GapRule":
        """Return the rule for a movie of `fps` frames per second."""
        frames = max(1, round(LABEL_S * fps))
        return GapRule(
            gaps,
            labelled * frames,
            last_interval_ns,
            note_frames=dated * frames,
            beat_ns=beat_ns,
            longest_gap=max(1, round(LONGEST_GAP_S * fps)),
        )

    def pace(self) -> Pace:
        """Return what says how many frames of the movie a slot gets."""
        rest = self.label_frames if self.gaps == "cut" else 0
        longest = 0 if self.gaps == "cut" else self.longest_gap
        return pace_of(
            self.beat_ns,
            longest,
            self.last_interval_ns,
            cut=self.gaps == "cut",
            rest=rest,
        )


def beats(
    shots: Iterable[Shot[Picture]],
    rule: GapRule,
    slots: Optional[int] = None,
    end_reason: str = "",
) -> Iterator[Beat[Picture]]:
    """Yield the frames of the movie.

    Parameters
    ----------
    shots : iterable of Shot
        By rising slot. One without a picture counts as missing.
    rule : GapRule
        What stands where slots are missing.
    slots : int or None
        How many the movie covers; None: it ends with its last frame.
    end_reason : str
        Why those after the last frame are missing, for the label.

    Raises
    ------
    RenderError
        When slots do not rise, or when no shot has a picture.
    """
    timeline: _Timeline[Picture] = _Timeline(rule)
    return timeline.run(shots, slots, end_reason)


class _Timeline(Generic[Picture]):
    """The state between two frames: the last picture and the label that still shows."""

    def __init__(self, rule: GapRule) -> None:
        self._rule = rule
        self._pace = rule.pace()
        self._before: Optional[Shot[Picture]] = None
        self._label = ""
        self._label_left = 0
        self._unknown = False
        self._ever_unknown = False

    def run(
        self, shots: Iterable[Shot[Picture]], slots: Optional[int], end_reason: str
    ) -> Iterator[Beat[Picture]]:
        """Yield every beat of the movie."""
        reasons: List[str] = []
        last_slot = -1
        for shot in shots:
            if shot.frame.slot <= last_slot:
                told = f"Slot {shot.frame.slot} comes after slot {last_slot}; "
                raise RenderError(told + "give the frames of one position in order.")
            last_slot = shot.frame.slot
            reasons.append(shot.frame.gap_reason)
            self._unknown = self._unknown or shot.frame.gap_unknown
            if shot.picture is None:
                reasons.append(shot.problem)
                continue
            before = None if self._before is None else self._before.frame
            stay = self._pace.step(before, shot.frame)
            for beat in self._between(shot, stay, reasons):
                yield beat
            reasons = []
            self._announce_clock(shot)
            self._unknown = False
            self._before = shot
            if stay.shown:
                yield self._beat("show", shot, 0)
        end = max(slots or 0, last_slot + 1)
        if end > last_slot + 1:
            reasons.append(end_reason)
        for beat in self._after(end, reasons):
            yield beat

    def _between(
        self, shot: Shot[Picture], stay: Stay, reasons: List[str]
    ) -> Iterator[Beat[Picture]]:
        """Yield what stays of the picture before, and the gap before a picture."""
        before, frame = self._before, shot.frame
        for _ in range(stay.repeats):
            yield self._beat("show", before or shot, 0)
        first = 0 if before is None else before.frame.slot + 1
        missing = frame.slot - first
        self._ever_unknown = self._ever_unknown or self._unknown
        if missing == 0:
            if self._unknown:
                self._announce(0, reasons)
            return
        if before is None:
            self._announce(max(frame.elapsed_ns, 0), reasons, short=stay.shortened)
            for index in range(stay.gap):
                past = frame.elapsed_ns * index // stay.gap - frame.elapsed_ns
                yield self._beat("blank", shot, past)
            return
        lasts = frame.elapsed_ns - before.frame.elapsed_ns
        self._announce(lasts, reasons, short=stay.shortened)
        for index in range(stay.gap):
            past = lasts * (stay.gap + missing * index) // ((missing + 1) * stay.gap)
            yield self._beat(self._rule.gaps, before, past)

    def _after(self, slots: int, reasons: List[str]) -> Iterator[Beat[Picture]]:
        """Yield the rest of the last picture, and the gap after it."""
        before = self._before
        if before is None:
            told = "None of the frames can be shown"
            seen = ", ".join(_distinct(reasons))
            raise RenderError(f"{told}{': ' + seen if seen else ''}; check the run.")
        missing = max(0, slots - before.frame.slot - 1)
        stay = self._pace.end(before.frame, missing)
        for _ in range(stay.repeats):
            yield self._beat("show", before, 0)
        if not missing:
            return
        lasts = missing * self._rule.last_interval_ns
        self._announce(lasts, reasons, short=stay.shortened)
        for index in range(stay.gap):
            if self._rule.gaps == "cut":
                yield self._beat("hold", before, 0)
                continue
            past = self._rule.last_interval_ns + lasts * index // stay.gap
            yield self._beat(self._rule.gaps, before, past)

    def _announce(
        self, lasts_ns: int, reasons: List[str], *, short: bool = False
    ) -> None:
        """Put up the label of a gap."""
        told = "No images for"
        if self._rule.gaps == "cut" or short:
            cut = "Cut" if self._rule.gaps == "cut" else "Shortened"
            told = f"{cut}: no images for"
        lasts = "an unknown time" if self._unknown else duration_text(lasts_ns)
        why = ", ".join(_distinct(reasons))
        self._label = f"{told} {lasts}{f' ({why})' if why else ''}"
        self._label_left = self._rule.label_frames

    def _announce_clock(self, shot: Shot[Picture]) -> None:
        """Say why the time of day does not go on as time does."""
        if self._before is None or not self._rule.note_frames:
            return
        before, now = self._before.frame, shot.frame
        told = []
        passed_ns = now.elapsed_ns - before.elapsed_ns
        step_ns = now.wall_ns - before.wall_ns - passed_ns
        if abs(step_ns) >= STEP_SHOWN_NS and not self._unknown:
            way = "back" if step_ns < 0 else "forward"
            told.append(f"The clock was set {way} by {duration_text(abs(step_ns))}")
        if now.utc_offset_s != before.utc_offset_s:
            sign = "-" if now.utc_offset_s < 0 else "+"
            hours, minutes = divmod(abs(now.utc_offset_s) // 60, 60)
            told.append(f"Local time is now UTC{sign}{hours:02d}:{minutes:02d}")
        if not told:
            return
        if self._label_left > 0:
            told.append(self._label)
        self._label = "; ".join(told)
        self._label_left = max(self._label_left, self._rule.note_frames)

    def _beat(self, kind: str, shot: Shot[Picture], past_ns: int) -> Beat[Picture]:
        """Return one frame of the movie, `past_ns` after a shot."""
        in_gap = kind != "show" and self._rule.label_frames > 0
        label = self._label if in_gap or self._label_left > 0 else ""
        self._label_left = max(0, self._label_left - 1)
        return Beat(
            kind=kind,
            picture=None if kind == "blank" else shot.picture,
            elapsed_ns=shot.frame.elapsed_ns + past_ns,
            wall_ns=shot.frame.wall_ns + past_ns,
            utc_offset_s=shot.frame.utc_offset_s,
            clock_trusted=shot.frame.clock_trusted,
            label=label,
            elapsed_known=not self._ever_unknown,
        )


def thin(stream: Iterable[Beat[Picture]], step: int) -> Iterator[Beat[Picture]]:
    """Yield one beat for each `step`, lasting as long as those that it stands for.

    The last of each group is shown; a label of any of them stays, so that thinning
    never hides a gap.
    """
    held: Optional[Beat[Picture]] = None
    for beat in stream:
        if held is None:
            held = beat
        else:
            label = beat.label or held.label
            held = replace(beat, label=label, span=held.span + beat.span)
        if held.span >= step:
            yield held
            held = None
    if held is not None:
        yield held


def duration_text(duration_ns: int) -> str:
    """Return a duration in its two largest units: ``4 min 30 s``, ``3 d 4 h``."""
    if duration_ns < DECIMALS_BELOW_NS:
        return f"{round(max(duration_ns, 0) / NS_PER_S, 1):g} s"
    left_s = (duration_ns + NS_PER_S // 2) // NS_PER_S
    parts: List[str] = []
    for index, (unit, size_s) in enumerate(UNITS):
        count, rest_s = divmod(left_s, size_s)
        if not count:
            if parts:
                break
            continue
        parts.append(f"{count} {unit}")
        left_s = rest_s
        if len(parts) == 2 or index == len(UNITS) - 1:  # noqa: PLR2004 (two units)
            break
    return " ".join(parts)


def _distinct(reasons: Iterable[str]) -> List[str]:
    """Return each reason once, in words."""
    words = (reason.replace("_", " ").strip() for reason in reasons)
    return list(dict.fromkeys(word for word in words if word))
