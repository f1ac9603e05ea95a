"""A bundle is whole or not at all, as a folder and as a zip file."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Callable, Dict, Tuple

import pytest
from cases.stored import small_disk

from openflexure_timelapse.errors import (
    DiskFullError,
    ShareCancelledError,
    StorageError,
)
from openflexure_timelapse.share.archive import check_archive, packed
from openflexure_timelapse.share.bundle import (
    Finish,
    check_bundle,
    new_bundle,
    settled,
)
from openflexure_timelapse.share.sharing import free_name
from openflexure_timelapse.store.disk import RealDisk, is_temporary

FILES = {
    "README.txt": "Så här gör du: å ä ö\n".encode(),
    "images/0001.jpg": bytes(range(256)) * 20,
    "images/Ålö.jpg": b"\x00",
    "a/b/empty": b"",
}
WAYS: Dict[str, Tuple[Finish, Callable[..., Tuple[str, ...]], str]] = {
    "folder": (settled, check_bundle, "pond_gbif"),
    "zip": (packed, check_archive, "pond_gbif.zip"),
}
EACH = pytest.mark.parametrize(("finish", "check", "name"), WAYS.values(), ids=WAYS)


def quiet(_done: int, _total: int) -> None:
    """Tell nobody."""


def made(out: Path, finish: Finish) -> Path:
    """Return a bundle of all `FILES`."""
    with new_bundle(out, quiet, lambda: False, finish) as bundle:
        for name, content in FILES.items():
            bundle.add(name, content)
    return out


@EACH
def test_what_is_in_it_comes_out(
    tmp_path: Path, finish: Finish, check: Callable[..., Tuple[str, ...]], name: str
) -> None:
    """Every byte, its name and its checksum; nothing else is beside it."""
    out = made(tmp_path / "new" / name, finish)
    assert check(out, quiet) == ()
    assert [item.name for item in out.parent.iterdir()] == [name]
    folder = out
    if out.is_file():
        with zipfile.ZipFile(str(out)) as found:
            assert found.testzip() is None
            assert {item.compress_type for item in found.infolist()} == {0}
            found.extractall(str(tmp_path))
        folder = tmp_path / "pond_gbif"
    for file, content in FILES.items():
        assert (folder / file).read_bytes() == content
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--strict", "-c", "checksums.sha256"]
        subprocess.run(command, cwd=str(folder), check=True, stdout=subprocess.DEVNULL)


def test_a_zip_is_the_same_at_any_time(tmp_path: Path) -> None:
    """The same content gives the same bytes."""
    first = made(tmp_path / "1" / "pond.zip", packed).read_bytes()
    assert made(tmp_path / "2" / "pond.zip", packed).read_bytes() == first


@EACH
def test_one_that_is_given_up_leaves_nothing(
    tmp_path: Path, finish: Finish, check: object, name: str
) -> None:
    """Neither its name nor a hidden one."""
    del check
    told = 0

    def is_cancelled() -> bool:
        return told > 1

    def shared() -> None:
        nonlocal told
        with new_bundle(tmp_path / name, quiet, is_cancelled, finish) as bundle:
            for step in range(5):
                bundle.add(f"{step}.bin", b"x")
                bundle.tell(step, 5)
                told += 1

    with pytest.raises(ShareCancelledError):
        shared()
    assert list(tmp_path.iterdir()) == []


@EACH
def test_one_that_is_given_up_at_the_end_leaves_nothing(
    tmp_path: Path, finish: Callable[..., None], check: object, name: str
) -> None:
    """While checksums are added or the zip is packed."""
    del check

    def tell(done: int, total: int) -> None:
        if done * 2 >= total:
            raise ShareCancelledError("Enough.")

    def finished(folder: Path, out: Path) -> None:
        finish(folder, out, tell)

    with pytest.raises(ShareCancelledError, match="Enough"):
        made(tmp_path / name, finished)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from openflexure_timelapse.share import archive, bundle
def kill(done, total):
    os.kill(os.getpid(), signal.SIGKILL)
def finish(folder, out):
    {"folder": bundle.settled, "zip": archive.packed}[sys.argv[2]](folder, out, kill)
with bundle.new_bundle(Path(sys.argv[1]), kill, lambda: False, finish) as made:
    made.add("a.bin", b"x" * 1000)
"""


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_kill_leaves_only_what_a_start_removes(tmp_path: Path, way: str) -> None:
    """Nothing under the bundle's name; the rest is hidden and known as temporary."""
    name = WAYS[way][2]
    command = [sys.executable, "-c", KILLED, str(tmp_path / name), way]
    assert subprocess.run(command, check=False).returncode == -9
    left = [item.name for item in tmp_path.iterdir()]
    assert left
    assert all(is_temporary(item) for item in left)


@EACH
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, finish: Finish, check: object, name: str
) -> None:
    """It is told as that, wherever it happens."""
    del check
    with small_disk(tmp_path / "card", 8192) as card:
        free = RealDisk().free_bytes(str(card))
        # A folder of two does not fit, and a folder beside its zip does not.
        files = 2 if finish is settled else 1

        def shared() -> None:
            with new_bundle(card / name, quiet, lambda: False, finish) as bundle:
                for number in range(files):
                    bundle.add(f"{number}.bin", b"x" * int(free * 0.6))

        with pytest.raises(DiskFullError):
            shared()
        assert list(card.iterdir()) == []


def test_a_folder_that_is_deleted_meanwhile_does_not_come_back(tmp_path: Path) -> None:
    """A run that a person deletes is gone, also while it is shared."""
    run = tmp_path / "run"

    def deleted() -> bool:
        shutil.rmtree(str(run))
        return False

    def shared() -> None:
        with new_bundle(run / "share" / "x", quiet, deleted) as bundle:
            bundle.tell(0, 1)
            bundle.add("a/b.bin", b"x")

    with pytest.raises(StorageError, match="does not exist"):
        shared()
    assert list(tmp_path.iterdir()) == []


def _changed(folder: Path) -> None:
    """Do to a bundle what may happen to one."""
    (folder / "README.txt").write_bytes(b"other")
    (folder / "images" / "0001.jpg").unlink()
    (folder / "images" / "new.jpg").write_bytes(b"new")


TOLD = ("images/0001.jpg is missing.", "images/new.jpg was added.")
TOLD += ("README.txt was changed.",)


def test_what_was_changed_is_named(tmp_path: Path) -> None:
    """Each file that is missing, was added or was changed, in a folder and zipped."""
    folder = made(tmp_path / "pond", settled)
    _changed(folder)
    assert check_bundle(folder, quiet) == TOLD
    again = shutil.make_archive(str(tmp_path / "again"), "zip", str(tmp_path), "pond")
    assert check_archive(Path(again), quiet) == TOLD
    flat = shutil.make_archive(str(tmp_path / "flat"), "zip", str(folder))
    assert check_archive(Path(flat), quiet) == TOLD


def test_a_broken_zip_is_told(tmp_path: Path) -> None:
    """One that is cut, one with a changed byte, and what is no bundle."""
    out = made(tmp_path / "pond.zip", packed)
    content = out.read_bytes()
    at = content.index(FILES["README.txt"])
    out.write_bytes(content[:at] + b"X" + content[at + 1 :])
    assert check_archive(out, quiet) == ("README.txt was changed.",)
    for other in (content[:-50], b"", b"no zip"):
        out.write_bytes(other)
        with pytest.raises(StorageError, match="is no whole zip file"):
            check_archive(out, quiet)
    with zipfile.ZipFile(str(out), "w") as foreign:
        foreign.writestr("a", "b")
    with pytest.raises(StorageError, match=r"has no checksums\.sha256"):
        check_archive(out, quiet)
    with pytest.raises(StorageError):
        check_bundle(tmp_path, quiet)


def test_packing_takes_little_more_room_than_the_zip(tmp_path: Path) -> None:
    """What is in the zip already is given back to the disk piece by piece."""
    size = 160_000_000
    most = 0

    def tell(_done: int, _total: int) -> None:
        nonlocal most
        blocks = [
            item.stat().st_blocks * 512
            for item in tmp_path.rglob("*")
            if item.is_file()
        ]
        most = max(most, sum(blocks))

    def finish(folder: Path, out: Path) -> None:
        packed(folder, out, tell)

    with new_bundle(
        tmp_path / "x.zip", quiet, lambda: False, finish
    ) as bundle, bundle.open("large.bin") as stream:
        for _ in range(size // 1_000_000):
            stream.write(bytes(range(250)) * 4000)
    assert most < size * 1.5
    assert (tmp_path / "x.zip").stat().st_size < size + 1000


def test_names_are_unique(tmp_path: Path) -> None:
    """A bundle never takes the place of another one."""
    for expected in ("a.zip", "a_2.zip", "a_3.zip"):
        path = free_name(tmp_path, "a.zip")
        assert path.name == expected
        path.write_bytes(b"")
