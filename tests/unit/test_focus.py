"""A real focus is found, and noise, edges and jumps are never taken for one."""

from dataclasses import replace
from typing import Any, Dict, List, Tuple

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from openflexure_timelapse.focus import decide_focus, sharpness_of
from openflexure_timelapse.plan import Accept
from openflexure_timelapse.ports import FocusSweep

RANGE = 2000
START = 500
HEIGHTS = tuple(range(START - 1000, START + 1001, 50))
METRICS = ("still_contrast", "laplacian_variance", "jpeg_bytes")


def hill(
    centre: float, width: float = 120.0, gain: float = 3.0, power: float = 1.5
) -> NDArray[np.float64]:
    """Return a focus curve over `HEIGHTS` that rises from 100 to 100 times `gain`."""
    away = np.abs(np.array(HEIGHTS) - centre) / width
    return np.asarray(100.0 * (1.0 + (gain - 1.0) / (1.0 + away**power)))


def swept(curve: NDArray[np.float64], z_steps: Tuple[int, ...] = HEIGHTS) -> FocusSweep:
    """Return the curve as a sweep."""
    return FocusSweep(z_steps, tuple(float(value) for value in curve), "jpeg_bytes")


# --------------------------------------------------------------------- a real focus


@st.composite
def curves(draw: st.DrawFn) -> Tuple[float, float, NDArray[np.float64]]:
    """Draw a centre and a width, and a noisy hill of any shape made from them."""
    centre = draw(st.floats(START - 700, START + 700))
    width, gain = draw(st.floats(60, 250)), draw(st.floats(1.3, 30))
    clean = hill(centre, width, gain, power=draw(st.floats(1.0, 4.0)))
    noise = np.random.default_rng(draw(st.integers(0, 10_000)))
    height = draw(st.floats(0, 0.01)) * 100.0 * (gain - 1.0)
    return centre, width, clean + noise.normal(0, height, len(clean))


@given(curve=curves())
def test_the_peak_is_found(
    curve: Tuple[float, float, NDArray[np.float64]],
) -> None:
    """A hill of any shape, with a little noise, is found within half a sample.

    A wide and low hill may be refused, but no hill is ever misplaced.
    """
    centre, width, values = curve
    decision = decide_focus(swept(values), Accept(), RANGE, None, START)
    if decision.accepted:
        assert decision.z == pytest.approx(centre, abs=25 + 0.15 * width)
    else:
        assert width > 150


@given(order=st.permutations(range(len(HEIGHTS))))
def test_the_order_of_heights_does_not_matter(order: List[int]) -> None:
    """A sweep may be measured downwards, coarse before fine, or in any order."""
    curve = hill(420.0)
    sweep = swept(curve[order], tuple(HEIGHTS[index] for index in order))
    assert decide_focus(sweep, Accept(), RANGE, None, START).z == pytest.approx(420, 3)


@pytest.mark.parametrize("at", range(0, len(HEIGHTS), 4))
@pytest.mark.parametrize("strength", [0.3, 2.0])
def test_one_passing_cell_does_not_move_the_focus(at: int, strength: float) -> None:
    """A spike in one picture, wherever in the sweep, moves nothing or is refused."""
    curve = hill(420.0)
    curve[at] *= strength
    decision = decide_focus(swept(curve), Accept(), RANGE, 400, START)
    assert decision.z == pytest.approx(420 if decision.accepted else 400, abs=30)


@pytest.mark.parametrize("disturbed", ["first", "second"])
def test_a_passing_cell_is_known_when_a_height_is_measured_again(
    disturbed: str,
) -> None:
    """Of two measurements of one height the lower is believed."""
    calm, spike = hill(420.0), hill(420.0)
    at = HEIGHTS.index(1000)
    spike[at] *= 4
    first, second = (spike, calm) if disturbed == "first" else (calm, spike)
    again = swept(np.append(first, second[at]), (*HEIGHTS, HEIGHTS[at]))
    decision = decide_focus(again, Accept(), RANGE, None, START)
    assert decision == replace(
        decide_focus(swept(calm), Accept(), RANGE, None, START),
        samples=decision.samples,
    )


# ------------------------------------------------------------------- no focus at all


@pytest.mark.parametrize("count", [20, 40])
@pytest.mark.parametrize("noise", [0.001, 0.02, 0.1, 0.4])
def test_noise_is_not_a_focus(noise: float, count: int) -> None:
    """Of 1,000 flat fields with noise, fewer than 10 are accepted."""
    draw = np.random.default_rng(count)
    z_steps = tuple(np.linspace(HEIGHTS[0], HEIGHTS[-1], count).astype(int).tolist())
    accepted = sum(
        decide_focus(
            swept(
                np.maximum(0.0, 100 * (1 + noise * draw.normal(size=count))), z_steps
            ),
            Accept(),
            RANGE,
            None,
            START,
        ).accepted
        for _ in range(1000)
    )
    assert accepted < 10


FLAT = np.full(len(HEIGHTS), 100.0)
SINE = 100 + 50 * np.sin(np.arange(len(HEIGHTS)) / 2)
REFUSED: Dict[str, Tuple[FocusSweep, Dict[str, Any], str]] = {
    "flat": (swept(FLAT), {}, "no clear peak: gain 1.000"),
    "dark": (swept(FLAT * 0), {}, "no clear peak"),
    "weak": (swept(hill(500, gain=1.05)), {}, "no clear peak"),
    "weaker than wanted": (swept(hill(500)), {"min_gain": 4.0}, "4 needed"),
    "several peaks": (swept(SINE), {}, "not one peak"),
    "peak at the lower end": (swept(hill(-500)), {}, "increase the range"),
    "peak at the upper end": (swept(hill(1500)), {}, "increase the range"),
    "peak beyond the range": (swept(hill(1900)), {}, "increase the range"),
    "peak just inside the end": (swept(hill(1480)), {}, "increase the range"),
    "too far away": (swept(hill(420)), {"max_shift": 100}, "limit 100"),
    "few heights": (swept(hill(420)[10:24], HEIGHTS[10:24]), {}, "only 14 heights"),
    "nothing": (FocusSweep((), (), "jpeg_bytes"), {}, "only 0 heights"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_focus_says_why_and_goes_back(
    case: Tuple[FocusSweep, Dict[str, Any], str],
) -> None:
    """A refused sweep leads to the last good height, with the reason in words."""
    sweep, limits, words = case
    decision = decide_focus(sweep, Accept(**limits), RANGE, 300, START)
    assert not decision.accepted
    assert words in decision.reason
    assert decision.z == 300


def test_a_refused_first_focus_stays_where_it_was() -> None:
    """Without a last good height, a refused focus returns to the start."""
    decision = decide_focus(swept(FLAT), Accept(), RANGE, None, START)
    assert (decision.accepted, decision.z) == (False, START)


@pytest.mark.parametrize(("max_shift", "accepted"), [(79, False), (81, True)])
def test_the_shift_is_limited_by_the_plan(
    max_shift: int,
    accepted: bool,  # noqa: FBT001  (a case's expectation)
) -> None:
    """The limit counts from the last good height, not from the sweep's middle."""
    accept = Accept(max_shift=max_shift)
    decision = decide_focus(swept(hill(420.0)), accept, RANGE, 340, START)
    assert decision.accepted is accepted
    assert decision.z == pytest.approx(420 if accepted else 340, abs=1)


def test_half_the_range_is_the_limit_when_none_is_given() -> None:
    """Without max_shift, a focus more than half a range away is refused."""
    for last_good_z, accepted in ((-500, True), (-700, False)):
        decision = decide_focus(swept(hill(420.0)), Accept(), RANGE, last_good_z, START)
        assert decision.accepted is accepted


# ------------------------------------------------------------------------ the record


def test_a_decision_is_recorded() -> None:
    """Everything about a decision survives as JSON."""
    decision = decide_focus(swept(hill(420.0)), Accept(), RANGE, 400, START)
    record = decision.to_json()
    assert record["accepted"] is True
    assert record["z"] == decision.z
    assert record["peak_z"] == pytest.approx(420, abs=5)
    assert record["gain"] == pytest.approx(decision.gain, abs=1e-3)
    assert record["last_good_z"] == 400
    assert record["reason"] == "clear peak"
    assert record["metric"] == "jpeg_bytes"
    assert [z for z, _ in record["samples"]] == list(HEIGHTS)


def test_a_long_sweep_is_thinned_out_but_keeps_its_peak() -> None:
    """At most 60 samples are recorded, the sharpest among them."""
    z_steps = tuple(range(0, 2000, 7))
    curve = np.exp(-(((np.array(z_steps) - 707) / 90.0) ** 2)) * 50 + 10
    decision = decide_focus(swept(curve, z_steps), Accept(), RANGE, None, START)
    assert len(decision.samples) <= 60
    assert max(decision.samples, key=lambda sample: sample[1])[0] == 707


# ------------------------------------------------------------------------ the metrics


SCENE = 1


def preview(blur_px: float, noise: int, swimmer: int = 0) -> bytes:
    """Return a JPEG preview of resting cells, all equally blurred.

    Parameters
    ----------
    blur_px : float
        Of the resting cells.
    noise : int
        The seed of the noise, which differs between two exposures.
    swimmer : int
        Where a cell swims that is in focus at this height, in pixels; 0 for none.
    """
    draw = np.random.default_rng(SCENE)
    scene = np.full((624, 832), 190, dtype=np.float32)
    for _ in range(40):
        centre = (int(draw.uniform(0, 832)), int(draw.uniform(0, 624)))
        cv2.circle(scene, centre, int(draw.uniform(4, 12)), 90, 2, cv2.LINE_AA)
    scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), blur_px), dtype=np.float32)
    for radius in range(5, 40, 6) if swimmer else ():
        cv2.ellipse(scene, (swimmer, 300), (2 * radius, radius), 30, 0, 360, 60, 2)
    noisy = scene + np.random.default_rng(noise).normal(0, 1, scene.shape)
    pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


@pytest.mark.parametrize("metric", METRICS)
def test_sharpness_falls_with_blur(metric: str) -> None:
    """Each metric falls with every step of blur."""
    values = [
        sharpness_of((preview(blur, 1), preview(blur, 2)), metric)
        for blur in (0.6, 1.2, 2.4, 5, 10)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > 1.15 * values[-1]


def test_a_swimmer_does_not_count_as_contrast_of_what_stands_still() -> None:
    """A cell in focus at a wrong height hardly matters, because it moves."""

    def share(metric: str) -> float:
        """Return how much of the way from blurred to sharp the swimmer makes."""
        low = sharpness_of((preview(6.0, 1), preview(6.0, 2)), metric)
        high = sharpness_of((preview(0.6, 1), preview(0.6, 2)), metric)
        swum = (preview(6.0, 1, swimmer=400), preview(6.0, 2, swimmer=415))
        return (sharpness_of(swum, metric) - low) / (high - low)

    assert share("still_contrast") < 0.03
    assert share("laplacian_variance") > 5 * share("still_contrast")


def test_noise_does_not_count_as_contrast_of_what_stands_still() -> None:
    """Noise in two pictures counts little of what it counts in one."""
    first, second = (
        bytes(cv2.imencode(".jpg", np.clip(pixels, 0, 255).astype(np.uint8))[1])
        for pixels in np.random.default_rng(3).normal(180, 3, (2, 624, 832))
    )
    in_two = sharpness_of((first, second), "still_contrast")
    in_one = sharpness_of((first, first), "still_contrast")
    assert in_two < in_one / 3


def test_pictures_that_cannot_be_compared_have_no_sharpness() -> None:
    """Broken bytes, or two sizes, count as nothing, not as an error."""
    whole = preview(1.0, 1)
    small = bytes(cv2.imencode(".jpg", np.zeros((240, 320), np.uint8))[1])
    assert sharpness_of((whole, b"\xff\xd8\xff"), "still_contrast") == 0.0
    assert sharpness_of((whole, small), "still_contrast") == 0.0


def test_an_unknown_metric_is_refused() -> None:
    """A misspelt metric is an error that names the known ones."""
    with pytest.raises(ValueError, match="'contrast' is unknown; use still_contrast"):
        sharpness_of((preview(1.0, 1),), "contrast")
