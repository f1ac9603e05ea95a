"""A zip of any number of files and of any size is one that others read."""

import contextlib
import io
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openflexure_timelapse.share import zip_file
from openflexure_timelapse.share.zip_file import ZipFile

MANY = 70_000
LARGE_BYTES = (1 << 32) + 12_345
ZEROS = bytes(1 << 20)

NAMES = st.text("aåäöÅ .-_()'é\U0001f9a0", min_size=1, max_size=30)


@contextlib.contextmanager
def writing(stream: BinaryIO, folder: Path) -> Iterator[ZipFile]:
    """Lend a zip that is being written, and end it."""
    with contextlib.closing(ZipFile(stream, folder)) as made:
        yield made
        made.finish()


def add(made: ZipFile, name: str, *chunks: bytes) -> None:
    """Add a file."""
    made.add(name, sum(map(len, chunks)), chunks, len)


@settings(max_examples=50)
@given(st.dictionaries(NAMES, st.binary(max_size=300), max_size=20))
def test_python_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, files: Dict[str, bytes]
) -> None:
    """Each file with its name, content, and mode; nothing of the time it was made."""
    folder = tmp_path_factory.mktemp("zip")
    stream = io.BytesIO()
    with writing(stream, folder) as made:
        for name, content in files.items():
            add(made, f"pond/{name}", content[:7], content[7:])
    with zipfile.ZipFile(stream) as found:
        assert found.testzip() is None
        told = found.infolist()
        assert [each.filename for each in told] == [f"pond/{name}" for name in files]
        assert {each.date_time for each in told} <= {(1980, 1, 1, 0, 0, 0)}
        assert {each.external_attr >> 16 for each in told} <= {0o644}
        for name, content in files.items():
            assert found.read(f"pond/{name}") == content
    assert list(folder.iterdir()) == []


def test_unzip_reads_it_too(tmp_path: Path) -> None:
    """The program of Info-ZIP, where it is there."""
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("this test reads with unzip; type: sudo apt install unzip")
    out = tmp_path / "pond.zip"
    with out.open("wb") as stream, writing(stream, tmp_path) as made:
        add(made, "pond/Åland 1.jpg", b"picture" * 1000)
        add(made, "pond/empty")
    done = subprocess.run(
        [unzip, "-q", str(out), "-d", str(tmp_path)], check=True, capture_output=True
    )
    assert not done.stderr
    assert (tmp_path / "pond" / "Åland 1.jpg").read_bytes() == b"picture" * 1000


def test_more_files_than_old_zips_have(tmp_path: Path) -> None:
    """Told in the second form of a zip; the memory does not grow with them."""
    out = tmp_path / "many.zip"
    with out.open("wb") as stream, writing(stream, tmp_path) as made:
        for number in range(MANY):
            add(made, f"{number:06d}.jpg", b"%d" % number)
    end = out.read_bytes()[-98:]
    assert end[:4] == b"PK\6\6"
    assert struct.unpack_from("<2Q", end, 24) == (MANY, MANY)
    with zipfile.ZipFile(str(out)) as found:
        assert len(found.namelist()) == MANY
        for number in (0, 65_534, 65_535, 65_536, MANY - 1):
            assert found.read(f"{number:06d}.jpg") == b"%d" % number


class Sparse(io.FileIO):
    """A file on disk in which zeros take no room."""

    def write(self, data: Any) -> int:
        """Write what is not zero."""
        if data is ZEROS:
            self.seek(len(data), io.SEEK_CUR)
            return len(data)
        return int(super().write(data))


def test_files_larger_than_old_zips_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of more than 4 GiB, and one that begins behind it."""
    whole, rest = divmod(LARGE_BYTES, len(ZEROS))
    crc32 = zip_file.zlib.crc32  # type: ignore[attr-defined]
    quick: Dict[Tuple[int, int], int] = {}

    def of(chunk: bytes, crc: int) -> int:
        """Return the checksum; not worked out anew for the same zeros."""
        key = (len(chunk), crc) if chunk is ZEROS else (-1, -1)
        if key not in quick or key == (-1, -1):
            quick[key] = crc32(chunk, crc)
        return quick[key]

    monkeypatch.setattr(zip_file.zlib, "crc32", of)  # type: ignore[attr-defined]
    out = tmp_path / "large.zip"
    with Sparse(str(out), "w") as stream, writing(stream, tmp_path) as made:
        add(made, "large.tiff", *([ZEROS] * whole), bytes(rest))
        add(made, "behind.txt", b"behind")
    monkeypatch.undo()
    with zipfile.ZipFile(str(out)) as found:
        large, behind = found.infolist()
        assert (large.file_size, large.compress_size) == (LARGE_BYTES, LARGE_BYTES)
        assert behind.header_offset > LARGE_BYTES
        assert found.read("behind.txt") == b"behind"
        with found.open("large.tiff") as stream_of_large:
            assert stream_of_large.read(3) == b"\0\0\0"


def test_a_file_that_changes_meanwhile_is_told(tmp_path: Path) -> None:
    """A zip with a wrong size would be none."""
    with contextlib.closing(ZipFile(io.BytesIO(), tmp_path)) as made, pytest.raises(
        OSError, match="has changed while it was packed"
    ):
        made.add("x", 3, [b"four"], len)
