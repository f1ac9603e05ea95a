"""Every format, read back by programs that are not ours; crops and metadata."""

import csv
import io
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from numbered import BARE, context, number_of, write_frames
from PIL import Image, ImageSequence

from openflexure_timelapse.errors import FfmpegMissingError
from openflexure_timelapse.movie.codecs import find_encoder, parse_encoders
from openflexure_timelapse.movie.ffmpeg import CHOICE
from openflexure_timelapse.movie.framing import Framing, canvas_size, region_of
from openflexure_timelapse.movie.render import MovieFrame, RenderJob
from openflexure_timelapse.recipe import parse_recipe

SLOTS = (0, 1, 2, 4, 5)
SHOWN = [0, 1, 2, 2, 4, 5]
KNOWN = {
    "name": "pond",
    "title": "Dammen \u6c34",
    "photographer": "Ada \u00d6",
    "licence": "CC-BY-4.0",
    "place": "Uppsala",
    "latitude": 59.8586,
    "longitude": -17.6389,
    "taxon": {"name": "Volvox"},
}


def made(frames: List[MovieFrame], folder: Path, **recipe: Any) -> RenderJob:
    """Render and return the job, which has ended."""
    chosen = parse_recipe(recipe)
    out = folder / f"movie.{chosen.ending}"
    known = replace(context(6), known=KNOWN)
    job = RenderJob(frames, len(frames), chosen, known, str(out))
    job.start()
    ended = job.wait()
    assert ended.state == "done", ended.message
    return job


@pytest.fixture(name="few", scope="module")
def _few(tmp_path_factory: pytest.TempPathFactory) -> List[MovieFrame]:
    """Write five numbered frames; slot 3 is missing."""
    return write_frames(tmp_path_factory.mktemp("few"), SLOTS)


def told_by(program: str, *arguments: str) -> Dict[str, Any]:
    """Return what a program prints as JSON; skip where it is missing."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = [program, *arguments]
    said = json.loads(
        subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    )
    return dict(said[0] if isinstance(said, list) else said)


VIDEOS = {
    "hevc": {"format": "mp4", "codec": "hevc"},
    "av1": {"format": "mp4", "codec": "av1"},
    "vp9": {"format": "webm"},
}


@pytest.mark.parametrize("codec", VIDEOS)
def test_videos_of_every_codec(
    few: List[MovieFrame], tmp_path: Path, codec: str
) -> None:
    """By ffprobe each has its codec, every frame, and the colours that we promise."""
    job = made(few, tmp_path, **VIDEOS[codec])
    arguments = ["-v", "error", "-count_packets", "-show_streams", "-of", "json"]
    stream = told_by("ffprobe", *arguments, str(job.progress().file))["streams"][0]
    assert (stream["codec_name"], stream["nb_read_packets"]) == (codec, "6")
    assert (stream["color_range"], stream["color_space"]) == ("tv", "smpte170m")


@pytest.mark.parametrize("kind", ["webp", "apng"])
def test_moving_pictures(few: List[MovieFrame], tmp_path: Path, kind: str) -> None:
    """By Pillow each slot is shown for its time; what stays the same is one frame."""
    job = made(few, tmp_path, format=kind, fps=7, gap_label=False, **BARE)
    seen, lasts = [], 0.0
    with Image.open(str(job.progress().file)) as movie:
        for frame in ImageSequence.Iterator(movie):
            picture = np.asarray(frame.convert("RGB"))
            lasts += movie.info["duration"]
            seen.append(number_of(picture))
    assert seen == [0, 1, 2, 4, 5]
    assert lasts == round(1000 * 6 / 7)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_sequences(few: List[MovieFrame], tmp_path: Path, kind: str) -> None:
    """A zip has a picture for each slot, named after it, and a table of the times."""
    job = made(few, tmp_path, format=kind)
    with zipfile.ZipFile(str(job.progress().file)) as pack:
        assert pack.testzip() is None
        names = pack.namelist()
        pictures = [Image.open(io.BytesIO(pack.read(name))) for name in names[:-1]]
        rows = list(csv.DictReader(io.StringIO(pack.read("frames.csv").decode())))
    assert names[2:4] == [
        f"0000002_slot0000002.{kind}",
        f"0000003_slot0000002_hold.{kind}",
    ]
    assert [number_of(np.asarray(picture)) for picture in pictures] == SHOWN
    assert [row["file"] for row in rows] == names[:-1]
    assert [row["elapsed_s"] for row in rows][-1] == "150.000000"
    assert rows[3]["label"].startswith("No images")
    assert pictures[0].getexif()[0x010E]


def test_untouched_pictures_are_the_stored_bytes(
    few: List[MovieFrame], tmp_path: Path
) -> None:
    """A JPEG sequence without anything written into it is what was stored, and says so.

    What its EXIF names cannot be kept back then.
    """
    job = made(few, tmp_path, format="jpeg", gaps="cut", gap_label=False, **BARE)
    with zipfile.ZipFile(str(job.progress().file)) as pack:
        stored = [pack.read(name) for name in pack.namelist()[:-1]]
    assert stored == [Path(frame.path).read_bytes() for frame in few]
    assert "its EXIF names the place" in job.progress().message


FORMATS = ("mp4", "webm", "gif", "webp", "apng")


@pytest.mark.parametrize("place", [False, True])
@pytest.mark.parametrize("kind", FORMATS)
def test_files_say_what_they_are(
    few: List[MovieFrame], tmp_path: Path, kind: str, *, place: bool
) -> None:
    """By exiftool: title, author, licence, times; the place only when allowed.

    The same recipe gives the same bytes again.
    """
    recipe = {"format": kind, "place": place, "width": 96}
    job = made(few[:2], tmp_path, **recipe)
    path = Path(str(job.progress().file))
    before = path.read_bytes()
    said = " ".join(map(str, told_by("exiftool", "-json", str(path)).values()))
    for word in ("Dammen \u6c34", "Ada \u00d6", "CC-BY-4.0", "Volvox"):
        assert word in said
    assert "2024:05:01" in said or "2024-05-01" in said
    assert "OpenFlexure Timelapse" in said
    assert ("Uppsala" in said) == place
    if place:
        made(few[:2], tmp_path, **recipe)
    assert path.read_bytes() == before


def test_a_crop_shows_its_part(few: List[MovieFrame], tmp_path: Path) -> None:
    """Bits 3 to 5 of the number are left; the scale is that of the frames."""
    part = {"x": 96, "y": 40, "width": 96, "height": 64}
    job = made(few, tmp_path, format="apng", crop=part, **BARE)
    with Image.open(str(job.progress().file)) as movie:
        shown = np.asarray(movie.convert("RGB")).astype(int)
    with Image.open(few[0].path) as frame:
        stored = np.asarray(frame).astype(int)
    assert np.abs(shown - stored[40:104, 96:192]).max() <= 4


def test_shapes_fill_their_frame_and_enlarge_little() -> None:
    """A phone's shape is cut from the middle, and grows at most to the double."""
    square = region_of((1640, 1232), None, "square")
    assert square == (204, 0, 1232, 1232)
    assert canvas_size(square, None, None, "mp4", "square") == (1080, 1080)
    portrait = region_of((1640, 1232), None, "portrait")
    assert canvas_size(portrait, None, None, "mp4", "portrait") == (1080, 1920)
    small = region_of((320, 240), None, "portrait")
    width, height = canvas_size(small, None, None, "mp4", "portrait")
    assert (width, height) == (270, 480)
    framing = Framing((1640, 1232), portrait, (1080, 1920))
    picture = np.zeros((framing.source[1], framing.source[0], 3), np.uint8)
    assert framing.cut(picture).shape == (1920, 1080, 3)


def test_an_ffmpeg_without_the_codec_says_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is made, the refusal names the codecs that are there."""
    program = tmp_path / "ffmpeg"
    listing = " V....D libx264  H.264\n A....D aac  AAC\n V....D libx265  HEVC\n"
    program.write_text(f"#!/bin/sh\ncat <<END\n{listing}END\n")
    program.chmod(0o755)
    assert parse_encoders(listing.encode()) == {"libx264", "libx265"}
    with pytest.raises(FfmpegMissingError, match=r"it has H\.264 and HEVC"):
        find_encoder(str(program), "mp4", "av1")
    monkeypatch.setenv(CHOICE, str(program))
    recipe = parse_recipe({"format": "webm"})
    job = RenderJob([], 0, recipe, context(), str(tmp_path / "movie.webm"))
    with pytest.raises(FfmpegMissingError, match="cannot write VP9, nor anything else"):
        job.start()
