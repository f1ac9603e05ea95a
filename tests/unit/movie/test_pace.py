"""How many frames of the movie a time point gets, by slots and in real time."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openflexure_timelapse.movie.frames import MovieFrame
from openflexure_timelapse.movie.pace import length_of
from openflexure_timelapse.movie.timeline import Beat, GapRule, Shot, beats

S = 1_000_000_000
FPS = 2.0
LONGEST = 120
"""Frames of a minute of movie."""


def shot(slot: int, second: float) -> Shot[str]:
    """Return a shot whose picture is named after its slot."""
    elapsed_ns = round(second * S)
    return Shot(MovieFrame("", slot, elapsed_ns, elapsed_ns, 0), f"#{slot}")


def rule(gaps: str, beat_s: Optional[float], last_s: float = 1.0) -> GapRule:
    """Return a rule for a movie with so much real time in each frame."""
    beat_ns = None if beat_s is None else round(beat_s * S)
    last_ns = round(last_s * S)
    return GapRule.of(gaps, FPS, last_ns, labelled=True, dated=False, beat_ns=beat_ns)


def told(stream: Sequence[Beat[str]]) -> str:
    """Return a movie in short: pictures, ``-`` for empty ones, ``=`` for held ones."""
    signs = {"show": "", "hold": "=", "blank": "-"}
    return " ".join(signs[beat.kind] + (beat.picture or "") for beat in stream)


class Case(NamedTuple):
    """Slots and seconds of pictures, what gaps do, real time in a frame, the movie."""

    shots: Tuple[Tuple[int, float], ...]
    gaps: str
    beat_s: Optional[float]
    movie: str


CASES: Dict[str, Case] = {
    "even": Case(((0, 0.3), (1, 1.3), (2, 2.3)), "hold", 1, "#0 #1 #2"),
    "late by less than half": Case(
        ((0, 0), (1, 1.4), (2, 2.0), (3, 3.0)), "hold", 1, "#0 #1 #2 #3"
    ),
    "late by more": Case(
        ((0, 0), (1, 1.7), (2, 3.0), (3, 4.0)), "hold", 1, "#0 #0 #1 #2 #3"
    ),
    "a longer interval": Case(
        ((0, 0), (1, 1), (2, 5), (3, 9)),
        "cut",
        1,
        "#0 #1 #1 #1 #1 #2 #2 #2 #2 #3",
    ),
    "the same by slots": Case(
        ((0, 0), (1, 1), (2, 5), (3, 9)), "cut", None, "#0 #1 #2 #3"
    ),
    "faster than the movie": Case(
        ((0, 0), (1, 0.4), (2, 0.8), (3, 1.2), (4, 1.6), (5, 2.0)),
        "hold",
        1,
        "#0 #2 #4",
    ),
    "a held gap": Case(((0, 0), (3, 3), (4, 4)), "hold", 1, "#0 =#0 =#0 #3 #4"),
    "an empty gap": Case(((0, 0), (3, 3), (4, 4)), "blank", 1, "#0 - - #3 #4"),
    "a cut gap": Case(((0, 0), (3, 3), (4, 4)), "cut", 1, "#0 #3 #4"),
    "a gap in half frames": Case(
        ((0, 0), (3, 3), (4, 4)), "blank", 0.5, "#0 #0 - - - - #3 #3 #4 #4"
    ),
    "a gap of no frame": Case(((0, 0), (2, 2), (5, 5)), "blank", 5, "#0 #5"),
    "a gap before the first": Case(((2, 2), (3, 3)), "hold", 1, "- - #2 #3"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_stands_in_the_movie(case: Case) -> None:
    """In real time each picture stands until the next one's moment."""
    shots = [shot(*facts) for facts in case.shots]
    made = list(beats(shots, rule(case.gaps, case.beat_s)))
    assert told(made) == case.movie


def test_a_day_without_images_is_a_minute_of_movie_and_says_so() -> None:
    """Nobody is made to watch a still picture for a day; the clocks tell the truth."""
    shots = [shot(0, 0), shot(86_400, 86_400), shot(86_401, 86_401)]
    made = list(beats(shots, rule("hold", 1)))
    assert len(made) == 1 + LONGEST + 2
    assert made[1].label == "Shortened: no images for 1 d"
    assert made[-1].elapsed_ns == 86_401 * S
    assert told(made[-2:]) == "#86400 #86401"
    end = list(beats([shot(0, 0)], rule("blank", 1), 86_401))
    assert (len(end), end[-1].label) == (
        1 + LONGEST,
        "Shortened: no images for 1 d",
    )


Facts = List[Tuple[int, float]]


@st.composite
def torn(draw: st.DrawFn) -> Facts:
    """Return slots and seconds of the pictures of a run with gaps and late frames."""
    found, slot, second = [], 0, 0.0
    for _ in range(draw(st.integers(1, 12))):
        interval = draw(st.sampled_from([0.5, 1.0, 4.0]))
        missing = draw(st.sampled_from([0, 0, 0, 1, 7]))
        slot, second = slot + missing, second + missing * interval
        late = draw(st.floats(0, 0.49))
        found.append((slot, second + late * interval))
        slot, second = slot + 1, second + interval
    return found


PACES = st.sampled_from([None, 0.25, 1.0, 3.0])
GAPS = st.sampled_from(["hold", "blank", "cut"])


@settings(max_examples=60)
@given(facts=torn(), gaps=GAPS, beat_s=PACES, more=st.integers(0, 5))
def test_any_run(facts: Facts, gaps: str, beat_s: Optional[float], more: int) -> None:
    """In real time each picture stands from its moment to the next one's."""
    shots = [shot(*fact) for fact in facts]
    slots = facts[-1][0] + 1 + more
    made = list(beats(shots, rule(gaps, beat_s), slots))
    frames = [each.frame for each in shots]
    length = length_of(frames, rule(gaps, beat_s).pace(), slots)
    shown = [beat.picture for beat in made if beat.kind == "show"]
    assert length.beats == len(made)
    assert length.dropped >= len(facts) - len(set(shown))
    clocks = [beat.elapsed_ns for beat in made]
    assert clocks == sorted(clocks)
    if beat_s is None or gaps == "cut":
        return
    lead = sum(beat.kind == "blank" and beat.picture is None for beat in made[:1])
    first = next(at for at, beat in enumerate(made) if beat.kind == "show")
    assert lead == bool(first)
    begin, half = int(made[first].elapsed_ns), beat_s * S / 2
    for at, beat in enumerate(made):
        moment = begin + (at - first) * beat_s * S
        if beat.kind == "show":
            assert beat.elapsed_ns <= moment + half
            later = [frame.elapsed_ns > beat.elapsed_ns for frame in frames]
            newer = [frame.elapsed_ns for frame, is_it in zip(frames, later) if is_it]
            assert min(newer, default=moment) > moment - half - 1


@settings(max_examples=60)
@given(facts=torn(), gaps=GAPS, beat_s=PACES, known=st.integers(1, 12))
def test_more_frames_change_nothing_of_what_there_was(
    facts: Facts, gaps: str, beat_s: Optional[float], known: int
) -> None:
    """The movie of the first frames is the beginning of the movie of all of them.

    Up to the last of them: by slots with it; in real time it is only known how long
    that stands when the next one comes.
    """
    shots = [shot(*fact) for fact in facts]
    whole = list(beats(shots, rule(gaps, beat_s)))
    part = list(beats(shots[:known], rule(gaps, beat_s)))
    newest = shots[:known][-1].picture
    shown = [beat.kind == "show" and beat.picture == newest for beat in part]
    same = shown.index(True) + (beat_s is None) if any(shown) else len(part)
    assert part[:same] == whole[:same]
