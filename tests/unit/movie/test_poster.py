"""One picture of a whole run: what each pixel was, and a line over time."""

from pathlib import Path
from typing import Any, List, Optional

import cv2
import numpy as np
import pytest
from numbered import (
    BARE,
    HEIGHT,
    WIDTH,
    Pixels,
    context,
    frame_of,
    render,
    write_frames,
)
from PIL import Image

from openflexure_timelapse.errors import RenderError
from openflexure_timelapse.movie.composer import GAP_COLOUR
from openflexure_timelapse.movie.kymograph import Rows, pixels_along, ticks
from openflexure_timelapse.movie.poster import line_of
from openflexure_timelapse.movie.projection import Projection
from openflexure_timelapse.movie.render import MovieFrame, RenderJob
from openflexure_timelapse.movie.timeline import Beat
from openflexure_timelapse.recipe import Recipe

S = 1_000_000_000
MINUTE = 60 * S
HOUR = 60 * MINUTE


def read(path: Path) -> Pixels:
    """Return a PNG as another program reads it, blue first."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))[..., ::-1]


def made(frames: List[MovieFrame], out: Path, **recipe: Any) -> RenderJob:
    """Make a picture; return the job."""
    job = RenderJob(
        frames, len(frames), Recipe(**recipe), context(len(frames)), str(out)
    )
    job.start()
    job.wait()
    return job


def test_projections_are_what_numpy_says() -> None:
    """Average, maximum and minimum of many pictures, whatever their order."""
    pictures = np.random.default_rng(1).integers(0, 256, (9, 6, 8, 3), np.uint8)
    expected = {
        "average": np.floor(pictures.mean(axis=0) + 0.5),
        "maximum": pictures.max(axis=0),
        "minimum": pictures.min(axis=0),
    }
    for kind, truth in expected.items():
        projection = Projection(kind)
        assert projection.result() is None
        for picture in pictures:
            projection.add(picture)
        assert np.array_equal(projection.result(), truth), kind


@pytest.mark.parametrize("view", ["average", "maximum", "minimum"])
def test_a_projection_of_a_run(
    frames: List[MovieFrame], tmp_path: Path, view: str
) -> None:
    """The file is a PNG of the frames' size that holds what the frames held."""
    job = made(frames, tmp_path / "all.png", view=view, **BARE)
    assert job.progress().state == "done"
    stored = np.stack([cv2.imread(frame.path) for frame in frames])
    truth = {"average": stored.mean, "maximum": stored.max, "minimum": stored.min}
    picture = read(tmp_path / "all.png")
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert float(np.abs(picture - truth[view](axis=0)).max()) <= 1.0


def test_a_projection_says_of_what_it_is(tmp_path: Path) -> None:
    """How many images, and when, is written below; the rest of the picture is free."""
    frames = write_frames(tmp_path, range(3), (640, 480))
    bare = made(frames, tmp_path / "bare.png", view="average", **BARE)
    told = made(frames, tmp_path / "told.png", view="average", scale_bar=False)
    assert {bare.progress().message, told.progress().message} == {""}
    differs = (read(tmp_path / "bare.png") != read(tmp_path / "told.png")).any(axis=2)
    rows = np.flatnonzero(differs.any(axis=1))
    assert rows.min() > 420
    assert differs[:, 600:].sum() == 0


# ------------------------------------------------------------------------- kymographs


def test_pixels_on_a_line() -> None:
    """The line's own pixels from its beginning to its end, or their means."""
    ramp = np.repeat(np.arange(100, dtype=np.uint8)[np.newaxis, :, np.newaxis], 3, 2)
    picture = np.ascontiguousarray(np.repeat(ramp, 40, axis=0))
    assert np.array_equal(
        pixels_along(picture, (10, 5, 19, 5), 10)[:, 0], np.arange(10, 20)
    )
    backwards = pixels_along(picture, (19, 30, 10, 0), 33)[:, 0]
    assert backwards[0] == pytest.approx(19)
    assert backwards[-1] == pytest.approx(10)
    halved = pixels_along(picture, (0, 0, 99, 0), 50)[:, 1]
    assert np.allclose(halved, np.arange(50) * 2 + 0.5)


def test_a_line_lies_in_the_picture() -> None:
    """Without a line it is the middle row; one that leaves the picture is refused."""
    assert line_of(None, (640, 480)) == ((0, 240, 639, 240), 640)
    assert line_of((0, 0, 3, 4), (640, 480)) == ((0, 0, 3, 4), 6)
    with pytest.raises(RenderError, match="640 x 480 pixels; x ends at 639, y at 479"):
        line_of((0, 0, 640, 10), (640, 480))


def beat(number: int, kind: str = "show", label: str = "") -> Beat[Any]:
    """Return a frame of a movie."""
    return Beat(kind, None, number * S, 0, 0, label=label)


def row(level: Optional[float]) -> Any:
    """Return the pixels of a line, all alike; None for an empty picture."""
    return None if level is None else np.full((5, 3), level, np.float32)


def test_a_kymograph_of_any_length_has_a_few_rows() -> None:
    """Before there are too many, neighbours are averaged; no gap gets lost."""
    rows = Rows(most=8)
    for number in range(50):
        rows.add(beat(number, "hold" if number == 13 else "show"), row(number))
    found = rows.all()
    assert 4 <= len(found) <= 8
    assert [each.elapsed_ns // S for each in found] == list(range(0, 50, 8))
    levels = [float(each.pixels[0, 0]) for each in found if each.pixels is not None]
    assert levels == [*(begin + 3.5 for begin in range(0, 48, 8)), 48.5]
    assert [each.missing for each in found].index(True) == 1
    assert sum(each.missing for each in found) == 1


def test_empty_rows_do_not_darken_their_neighbours() -> None:
    """A mean is of what was seen; where nothing was, there is nothing."""
    rows = Rows(most=4)
    for number, level in enumerate((10, None, None, None)):
        rows.add(beat(number, "show" if level else "blank"), row(level))
    first, second = rows.all()
    assert first.pixels is not None
    assert float(first.pixels[0, 0]) == 10.0
    assert second.pixels is None


def test_a_gap_that_was_cut_out_is_marked() -> None:
    """The row after it is, and only that."""
    rows, label = Rows(), "Cut: no images for 1 h"
    for number, told in enumerate(("", label, label, "", "The clock was set back")):
        rows.add(beat(number, label=told), row(1.0))
    assert [each.missing for each in rows.all()] == [False, True, False, False, False]


TICKS = {
    (MINUTE, 60): ["0", "10 min", "20 min", "30 min", "40 min", "50 min"],
    (HOUR, 30): ["0", "6 h", "12 h", "18 h", "1 d"],
    (S // 10, 11): ["0", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s"],
}


@pytest.mark.parametrize(("grid", "texts"), TICKS.items(), ids=str)
def test_the_time_axis_has_round_marks(grid: Any, texts: List[str]) -> None:
    """A few, each at the first row that is not before it."""
    step, count = grid
    elapsed = [index * step + step // 20 for index in range(count)]
    marks = ticks(elapsed, 2)
    assert [text for _, text in marks] == texts
    assert marks[0][0] == 0
    rows = [place for place, _ in marks]
    assert rows == [rows[1] * index for index in range(len(rows))]


def test_a_kymograph_of_a_run(frames: List[MovieFrame], tmp_path: Path) -> None:
    """Time runs down, a step for each slot; the gap is marked beside it."""
    recipe = {"view": "kymograph", "line": (0, 72, WIDTH - 1, 72), **BARE}
    job = RenderJob(
        frames,
        len(frames),
        Recipe(**{**recipe, "gaps": "blank"}),
        context(26, um=None),
        str(tmp_path / "line.png"),
    )
    job.start()
    assert job.wait().state == "done"
    picture = read(tmp_path / "line.png").astype(int)
    left, lines = picture.shape[1] - WIDTH - 6, 26 * 4
    bits = picture[:, left + WIDTH // 12 :: WIDTH // 6][:, :6].mean(axis=2) > 130
    numbers = bits @ (1 << np.arange(6))
    shown = [slot for slot in range(26) if slot not in (10, 11)]
    middle = numbers[6 + 2 : 6 + lines : 4]
    assert [number for number in middle if number] == shown[1:]
    assert [int(middle[slot]) for slot in (10, 11)] == [0, 0]
    marked = np.flatnonzero(
        (picture == GAP_COLOUR).all(axis=2)[: 6 + lines].any(axis=1)
    )
    assert (marked.min(), marked.max()) == (6 + 40, 6 + 47)


def test_a_kymograph_with_everything_written(tmp_path: Path) -> None:
    """Axis, scale bar, title and name stand around the picture, not in it."""
    frames = write_frames(tmp_path, range(4), (640, 480))
    bare = made(frames, tmp_path / "bare.png", view="kymograph", **BARE)
    told = made(frames, tmp_path / "told.png", view="kymograph", title="Pond")
    assert bare.progress().state == told.progress().state == "done"
    small, large = read(tmp_path / "bare.png"), read(tmp_path / "told.png")
    assert large.shape[0] > small.shape[0]
    assert large.shape[1] > small.shape[1]
    field = small[7:-7, 14:-7]
    found = cv2.matchTemplate(large, field, cv2.TM_SQDIFF)
    _, _, (x, y), _ = cv2.minMaxLoc(found)
    assert np.array_equal(large[y:, x:][: field.shape[0], : field.shape[1]], field)


def test_a_line_outside_is_told_before_any_work(tmp_path: Path) -> None:
    """One sentence, and no file."""
    frames = [frame_of(write_frames(tmp_path, [0])[0].path, 0)]
    job = made(frames, tmp_path / "no.png", view="kymograph", line=(0, 0, 999, 0))
    assert job.progress().state == "failed"
    assert "leaves the pictures, which are 192 x 144" in job.progress().message
    assert not (tmp_path / "no.png").exists()


def test_a_movie_that_nobody_could_watch_is_refused(tmp_path: Path) -> None:
    """At life's own speed a run of hours by the frame says how much faster to go."""
    frames = write_frames(tmp_path, range(3))
    job = render(frames, tmp_path / "long.gif", pace="real", speed_up=0.001)
    assert job.progress().state == "failed"
    assert "give a speed_up of 1 or more, or pace 'frames'" in job.progress().message
