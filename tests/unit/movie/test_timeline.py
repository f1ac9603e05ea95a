"""The time axis of a movie tells the truth, whatever is missing."""

from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.timeline import (
    Beat,
    GapRule,
    MovieFrame,
    Shot,
    beats,
    duration_text,
    thin,
)

S = 1_000_000_000
INTERVAL = 60 * S


def shot(slot: int, picture: Optional[str] = "", reason: str = "") -> Shot[str]:
    """Return a shot whose picture is named after its slot, or has none."""
    due = slot * INTERVAL
    frame = MovieFrame("", slot, due, 10**18 + due, 0, gap_reason=reason)
    if picture is None:
        return Shot(frame, None, "damaged file")
    return Shot(frame, f"#{slot}")


def rule(gaps: str, label_frames: int = 1) -> GapRule:
    """Return a rule whose labels leave as soon as they may."""
    return GapRule(gaps, label_frames, INTERVAL)


def told(stream: List[Beat[str]]) -> str:
    """Return a movie in short: pictures, ``-`` for empty ones, ``=`` for held ones."""
    signs = {"show": "", "hold": "=", "blank": "-"}
    return " ".join(signs[beat.kind] + (beat.picture or "") for beat in stream)


class Case(NamedTuple):
    """Slots that have pictures, the length of the grid, and the movies."""

    slots: Tuple[int, ...]
    grid: Optional[int]
    hold: str
    blank: str
    cut: str


CASES: Dict[str, Case] = {
    "whole": Case((0, 1, 2), 3, "#0 #1 #2", "#0 #1 #2", "#0 #1 #2"),
    "one missing": Case((0, 2), 3, "#0 =#0 #2", "#0 - #2", "#0 #2"),
    "three missing": Case((0, 4), None, "#0 =#0 =#0 =#0 #4", "#0 - - - #4", "#0 #4"),
    "missing at the start": Case((2, 3), None, "- - #2 #3", "- - #2 #3", "#2 #3"),
    "missing at the end": Case((0, 1), 4, "#0 #1 =#1 =#1", "#0 #1 - -", "#0 #1 =#1"),
    "grid of unknown length": Case((0, 1), None, "#0 #1", "#0 #1", "#0 #1"),
    "more than the grid": Case((0, 1), 1, "#0 #1", "#0 #1", "#0 #1"),
}


@pytest.mark.parametrize("gaps", ["hold", "blank", "cut"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_stands_in_a_gap(case: Case, gaps: str) -> None:
    """Each missing slot is held, blank or cut, as the recipe says."""
    made = list(beats(map(shot, case.slots), rule(gaps), case.grid))
    assert told(made) == getattr(case, gaps)


LABELS: Dict[str, Tuple[List[Shot[str]], str, str]] = {
    "held, with its reason": (
        [shot(0), shot(3, reason="disk_full")],
        "hold",
        "No images for 3 min (disk full)",
    ),
    "cut": ([shot(0), shot(121)], "cut", "Cut: no images for 2 h 1 min"),
    "a damaged file": (
        [shot(0), shot(1, None), shot(2)],
        "hold",
        "No images for 2 min (damaged file)",
    ),
    "two reasons": (
        [shot(0), shot(1, None, "paused"), shot(4, reason="paused")],
        "blank",
        "No images for 4 min (paused, damaged file)",
    ),
    "the end": (
        [shot(0), shot(1, None)],
        "cut",
        "Cut: no images for 1 min (damaged file)",
    ),
    "the start": ([shot(2)], "hold", "No images for 2 min"),
}


@pytest.mark.parametrize(("shots", "gaps", "label"), LABELS.values(), ids=LABELS)
def test_what_a_label_says(shots: List[Shot[str]], gaps: str, label: str) -> None:
    """A label tells how long there was nothing to see, and why."""
    assert {beat.label for beat in beats(shots, rule(gaps))} - {""} == {label}


@pytest.mark.parametrize("gaps", ["hold", "blank", "cut"])
def test_a_gap_at_the_end_has_its_reason(gaps: str) -> None:
    """Slots after the last frame say why they are missing; others are not blamed."""
    made = list(beats([shot(0)], rule(gaps), 5, "disk_full"))
    assert made[-1].label.endswith("for 4 min (disk full)")
    made = list(beats([shot(0), shot(1, None)], rule(gaps), 5, "disk_full"))
    assert made[-1].label.endswith("for 4 min (damaged file, disk full)")
    made = list(beats([shot(0), shot(1, None)], rule(gaps), 2, "disk_full"))
    assert made[-1].label.endswith("for 1 min (damaged file)")
    assert list(beats([shot(0)], rule(gaps), 1, "disk_full"))[-1].label == ""


def test_labels_stay_long_enough_to_read() -> None:
    """A label over a short gap stays while the movie goes on, then leaves."""
    made = list(beats([shot(0), *map(shot, range(2, 9))], rule("hold", 4)))
    assert [bool(beat.label) for beat in made] == [False, *[True] * 4, *[False] * 4]


def test_labels_can_be_switched_off() -> None:
    """Without labels no picture says anything, and the gap is there all the same."""
    off = GapRule.of("hold", 15, INTERVAL, labelled=False, dated=False)
    made = list(beats([shot(0), shot(3)], off))
    assert told(made) == "#0 =#0 =#0 #3"
    assert {beat.label for beat in made} == {""}


@pytest.mark.parametrize("gaps", ["hold", "blank"])
def test_clocks_run_on_through_a_gap(gaps: str) -> None:
    """The clocks of missing slots lie evenly between those of their neighbours."""
    made = list(beats([shot(0), shot(3), shot(4)], rule(gaps), 6))
    assert [beat.elapsed_ns // INTERVAL for beat in made] == [0, 1, 2, 3, 4, 5]
    assert [beat.wall_ns - 10**18 for beat in made] == [
        beat.elapsed_ns for beat in made
    ]


REFUSED: Dict[str, Tuple[List[Shot[str]], str]] = {
    "backwards": ([shot(1), shot(0)], "Slot 0 comes after slot 1"),
    "twice": ([shot(1), shot(1)], "Slot 1 comes after slot 1"),
    "nothing": ([], "None of the frames"),
    "only damage": ([shot(0, None), shot(1, None)], "damaged file"),
}


@pytest.mark.parametrize(("shots", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(shots: List[Shot[str]], words: str) -> None:
    """Disorder and a movie without a picture are refused in words."""
    with pytest.raises(RenderError, match=words):
        list(beats(shots, rule("hold")))


@given(
    present=st.sets(st.integers(0, 60), min_size=1),
    damaged=st.sets(st.integers(0, 60)),
    gaps=st.sampled_from(["hold", "blank", "cut"]),
    grid=st.one_of(st.none(), st.integers(1, 70)),
    label_frames=st.integers(1, 5),
    step=st.integers(1, 5),
)
def test_any_gaps(  # noqa: PLR0913 (every way in which a run may be torn)
    *,
    present: Set[int],
    damaged: Set[int],
    gaps: str,
    grid: Optional[int],
    label_frames: int,
    step: int,
) -> None:
    """Each slot is one frame, each picture shows once, no gap is silent."""
    good = sorted(present - damaged)
    if not good:
        return
    shots = [
        shot(slot, None if slot in damaged else "")
        for slot in sorted(present | damaged)
    ]
    made = list(beats(shots, rule(gaps, label_frames), grid))
    shown = [beat.picture for beat in made if beat.kind == "show"]
    assert shown == [f"#{slot}" for slot in good]
    length = max(grid or 0, max(present | damaged) + 1)
    if gaps != "cut":
        assert len(made) == length
        assert all(beat.label for beat in made if beat.kind != "show")
    assert bool(good != list(range(length))) == any(beat.label for beat in made)
    clocks = [beat.elapsed_ns for beat in made]
    assert clocks == sorted(clocks)
    thinned = list(thin(made, step))
    assert sum(beat.span for beat in thinned) == len(made)
    assert {beat.label for beat in thinned if beat.label} == {
        labels[-1] for labels in _grouped_labels(made, step) if labels
    }


def _grouped_labels(made: List[Beat[str]], step: int) -> List[List[str]]:
    """Return the labels of each group of `step` frames."""
    groups = (made[at : at + step] for at in range(0, len(made), step))
    return [[beat.label for beat in group if beat.label] for group in groups]


DURATIONS = {
    0: "0 s",
    400_000_000: "0.4 s",
    30 * S: "30 s",
    90 * S: "1 min 30 s",
    3600 * S: "1 h",
    7800 * S: "2 h 10 min",
    86_400 * S + 5: "1 d",
    (3 * 86_400 + 4 * 3600 + 59) * S: "3 d 4 h",
    -5: "0 s",
}


@pytest.mark.parametrize(("duration_ns", "text"), DURATIONS.items(), ids=DURATIONS.get)
def test_durations_in_words(duration_ns: int, text: str) -> None:
    """A duration is told in its two largest units."""
    assert duration_text(duration_ns) == text


# ------------------------------------------------------------------- the time of day


def dated(slot: int, wall_s: float = 0.0, **facts: Any) -> Shot[str]:
    """Return a shot whose clock is ahead by so many seconds."""
    elapsed_ns = slot * INTERVAL
    wall_ns = elapsed_ns + int(wall_s * 10**9)
    frame = MovieFrame("", slot, elapsed_ns, wall_ns, **{"utc_offset_s": 3600, **facts})
    return Shot(frame, f"#{slot}")


NOTED = GapRule("hold", 2, INTERVAL, note_frames=2)


@pytest.mark.parametrize(
    ("after", "label"),
    [
        (dated(1, -3600), "The clock was set back by 1 h"),
        (dated(1, 1.0), "The clock was set forward by 1 s"),
        (dated(1, utc_offset_s=0), "Local time is now UTC+00:00"),
        (dated(1, utc_offset_s=-12_600), "Local time is now UTC-03:30"),
        (dated(1, 0.2), ""),
    ],
)
def test_a_clock_that_was_set_is_labelled(after: Shot[str], label: str) -> None:
    """No burned-in clock leaps or runs back without a word."""
    stream = list(beats([dated(0), after], NOTED))
    assert [beat.label for beat in stream] == ["", label]


def test_a_movie_without_a_time_of_day_says_nothing_of_it() -> None:
    """A label about a clock that nobody sees would only puzzle."""
    rule = GapRule.of("hold", 1, INTERVAL, labelled=True, dated=False)
    stream = list(beats([dated(0), dated(1, -3600)], rule))
    assert [beat.label for beat in stream] == ["", ""]


@pytest.mark.parametrize("slot", [1, 3])
def test_a_gap_of_unknown_length_is_labelled_and_not_added_up(slot: int) -> None:
    """The elapsed time is from then on the least that it can be."""
    shots = [dated(0), dated(slot, -(10**6), gap_unknown=True), dated(slot + 1)]
    stream = list(beats(shots, NOTED))
    assert "No images for an unknown time" in stream[1].label
    known = [beat.elapsed_known for beat in stream]
    assert known == [True] + [False] * (len(stream) - 1)


def test_a_set_clock_after_a_gap_is_told_with_it() -> None:
    """The gap's label does not hide the clock's."""
    stream = list(beats([dated(0), dated(2, -3600)], NOTED))
    assert stream[-1].label.startswith("The clock was set back by 1 h; No images for")
