"""Pictures that are small on disk and huge in memory."""

import io
import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cases.stored import RUN_ID, draft, new_run, tiny_jpeg
from PIL import Image

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.movie import stills
from openflexure_timelapse.movie.stills import decoded
from openflexure_timelapse.movie.timeline import MovieFrame
from openflexure_timelapse.quality import MOST_SCANS, inspect, size_of
from openflexure_timelapse.store.disk import RealDisk


def said_to_be(width: int, height: int) -> bytes:
    """Return a JPEG whose header says another size than its picture has."""
    content = bytearray(tiny_jpeg())
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def png(width: int, height: int) -> bytes:
    """Return the beginning of a PNG of that size, well packed."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(1_000_000), 9)),
        (b"IEND", b""),
    )
    chunks = [
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def scanned(times: int) -> bytes:
    """Return a JPEG that is drawn over and over."""
    content = tiny_jpeg()
    at = content.index(b"\xff\xda")
    return content[:-2] + content[at:-2] * (times - 1) + b"\xff\xd9"


BOMBS = {
    "60000 x 60000": said_to_be(60_000, 60_000),
    "30000 x 30000": said_to_be(30_000, 30_000),
    "a PNG": png(30_000, 30_000),
    "many scans": scanned(MOST_SCANS + 1),
}


@pytest.fixture(name="no_decoder")
def _no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_options: Any) -> Any:
        pytest.fail("a bomb reached the decoder")

    monkeypatch.setattr(cv2, "imdecode", refuse)
    monkeypatch.setattr(cv2, "imread", refuse)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
@pytest.mark.usefixtures("no_decoder")
def test_a_bomb_has_no_preview(tmp_path: Path, bomb: bytes) -> None:
    """It is refused by its header, before anything is decoded."""
    with new_run(tmp_path) as store:
        frame = store.add_frame(tiny_jpeg(), _large(), {})
        (store.folder / frame.file).write_bytes(bomb)
    library = Library(tmp_path, RealClock(), RealDisk())
    with pytest.raises(DamagedRunError, match="cannot be decoded"):
        library.frame(RUN_ID, 1, 160)


def _large() -> Any:
    """Return a draft that says that a preview is worth it."""
    told = draft(0)
    return type(told)(**{**vars(told), "width": 3280, "height": 2464})


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
@pytest.mark.usefixtures("no_decoder")
def test_a_bomb_is_a_gap_in_a_movie(tmp_path: Path, bomb: bytes) -> None:
    """As every other damaged file; and no camera can hand one in."""
    path = tmp_path / "0000000.jpeg"
    path.write_bytes(bomb)
    frame = MovieFrame(str(path), 0, 0, 0, 0, clock_trusted=True)
    shot = stills.Loader((16, 12)).load(frame)
    assert (shot.picture, shot.problem) == (None, stills.DAMAGED)
    assert size_of(bomb) is None
    assert not inspect(bomb).complete


def test_usual_scans_are_taken() -> None:
    """A progressive picture has about ten."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (9, 99, 200)).save(stream, "jpeg", progressive=True)
    assert size_of(stream.getvalue()) == (64, 48)
    assert size_of(scanned(MOST_SCANS)) == (16, 12)


def test_a_preview_is_decoded_no_larger_than_needed(tmp_path: Path) -> None:
    """A twelfth of the memory, and the same picture as before."""
    noise = np.random.default_rng(1).integers(0, 255, (960, 1280, 3), dtype=np.uint8)
    _, encoded = cv2.imencode(".jpeg", noise)
    picture = decoded(encoded.tobytes(), 1280 // 160)
    assert picture is not None
    assert picture.shape == (120, 160, 3)
    with new_run(tmp_path) as store:
        store.add_frame(encoded.tobytes(), _large(), {})
    path = Library(tmp_path, RealClock(), RealDisk()).frame(RUN_ID, 1, 160)
    with closing(Image.open(path)) as small:
        assert small.size == (160, 120)
