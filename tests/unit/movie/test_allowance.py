"""Size budgets: met by search, whatever the codec makes of it."""

import math
from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest
from numbered import frame_of, numbered, render

from openflexure_timelapse.movie.allowance import (
    MOST_WHOLES,
    Allowance,
    Setting,
    TooLargeError,
    settings_of,
)

MB = 1_000_000


@pytest.mark.parametrize("bias", [0.4, 0.8, 1.0, 1.3, 2.5])
@pytest.mark.parametrize("budget_mb", [0.2, 1, 3, 8, 15])
def test_the_budget_is_met_whatever_the_sample_says(
    bias: float, budget_mb: float
) -> None:
    """What is kept fits and is not wasteful, after few encodes, by any sample."""
    settings = settings_of("h264", 23, 1640, 15.0)
    sizes = {
        setting: 10 * MB * math.exp(-0.15 * (setting.quality - 23)) * setting.scale**2
        for setting in settings
    }
    budget = budget_mb * MB
    samples: List[Setting] = []
    wholes: List[float] = []
    kept: List[float] = []

    def expect(setting: Setting) -> float:
        samples.append(setting)
        return bias * sizes[setting]

    def make(setting: Setting) -> float:
        wholes.append(sizes[setting])
        if sizes[setting] > budget:
            raise TooLargeError(0.9 * sizes[setting])
        return sizes[setting]

    allowance = Allowance(settings, budget, expect, make)
    found = allowance.meet(lambda: kept.append(wholes[-1]))
    assert len(samples) <= len(settings)
    assert len(wholes) <= MOST_WHOLES + 1
    if min(sizes.values()) > budget:
        assert found is None
        return
    assert found is not None
    assert sizes[found] == kept[-1] <= budget
    finest = max(size for size in sizes.values() if size <= budget)
    assert kept[-1] >= 0.55 * finest


@pytest.mark.parametrize("noise", [0.0, 1.0, 2.0, 9.0])
def test_a_gif_gives_up_more_and_more(noise: float) -> None:
    """What was asked for comes first; size and time only after noise, and not all."""
    settings = settings_of("gif", noise, 480, 10.0)
    given_up = [(one.quality, -one.scale, one.step) for one in settings]
    assert given_up[0] == (noise, -1.0, 1)
    assert given_up == sorted(given_up)
    assert len(set(given_up)) == len(given_up)
    assert min(one.scale for one in settings) * 480 >= 120
    assert 10.0 / settings[-1].step >= 2.0


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif", "webp", "apng"])
def test_movies_meet_their_budget(tmp_path: Path, suffix: str) -> None:
    """A noisy movie fits, tells what was given up, or says why it cannot."""
    noisy = []
    draw = np.random.default_rng(5)
    for slot in range(6):
        picture = numbered(slot, (320, 240)).astype(float)
        picture += draw.normal(0, 12, picture.shape)
        path = tmp_path / f"{slot}.jpeg"
        cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))
        noisy.append(frame_of(path, slot))
    out = tmp_path / f"movie.{suffix}"
    whole = render(noisy, out).progress()
    assert whole.message == ""
    budget = out.stat().st_size / 2
    ended = render(noisy, out, max_mb=budget / MB).progress()
    assert ended.state == "done"
    assert 0.3 * budget < out.stat().st_size <= budget
    assert ended.message.startswith("made to fit ")
    tiny = render(noisy, tmp_path / f"tiny.{suffix}", max_mb=0.0001).progress()
    assert tiny.state == "failed"
    assert "raise max_mb" in tiny.message
    assert not (tmp_path / f"tiny.{suffix}").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name[0] == "."] == []
