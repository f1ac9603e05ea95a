"""What the port `Disk` promises, asked of the real one on real file systems."""

import os
from pathlib import Path
from typing import Any, List, Tuple

import pytest
from cases.limits import file_size_limit
from cases.stored import make_read_only, small_disk

from openflexure_timelapse.errors import DiskFullError, StorageError
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.store.disk import (
    RealDisk,
    is_temporary,
    temporary_name,
    usual_temporary_name,
)

LARGE = bytes(range(256)) * 4096


@pytest.fixture(params=[RealDisk], ids=["real"])
def disk(request: Any) -> Disk:
    """Return each implementation in turn."""
    return request.param()


def names(folder: Path) -> List[str]:
    """Return what is in a folder, hidden files too."""
    return sorted(item.name for item in folder.iterdir())


@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "byte", "large"])
def test_write_stores_exactly_the_bytes(
    disk: Disk, tmp_path: Path, data: bytes
) -> None:
    """What was written is what is there, under its name and no other."""
    disk.write(str(tmp_path / "a.jpeg"), data)
    assert (tmp_path / "a.jpeg").read_bytes() == data
    assert names(tmp_path) == ["a.jpeg"]


def test_write_replaces_an_older_file(disk: Disk, tmp_path: Path) -> None:
    """A second write under a name replaces the first."""
    disk.write(str(tmp_path / "a"), b"old and longer")
    disk.write(str(tmp_path / "a"), b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_bytes_are_flushed_before_the_name_and_the_name_after(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is flushed while it is still nameless, its folder once it is named."""
    seen: List[Tuple[str, bool]] = []
    flush = os.fsync

    def watched(descriptor: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        seen.append((target.name, (tmp_path / "a.jpeg").exists()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    disk.write(str(tmp_path / "a.jpeg"), LARGE)
    (first, named_at_first), (last, named_at_last) = seen
    assert is_temporary(first)
    assert not named_at_first
    assert (last, named_at_last) == (tmp_path.name, True)


def test_a_name_that_is_removed_is_flushed(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was removed is not back after a power cut."""
    disk.write(str(tmp_path / "a"), b"x")
    seen: List[Tuple[str, bool]] = []

    def watched(descriptor: int) -> None:
        place = os.readlink(f"/proc/self/fd/{descriptor}")
        seen.append((place, (tmp_path / "a").exists()))

    monkeypatch.setattr(os, "fsync", watched)
    disk.remove(str(tmp_path / "a"))
    assert seen == [(str(tmp_path), False)]


def test_what_a_cut_write_left_is_in_nobody_s_way(disk: Disk, tmp_path: Path) -> None:
    """Another write to the same name goes well, and leaves it to the recovery."""
    left = tmp_path / usual_temporary_name("a.jpeg")
    assert is_temporary(left.name)
    left.write_bytes(b"half")
    disk.write(str(tmp_path / "a.jpeg"), b"whole")
    assert (tmp_path / "a.jpeg").read_bytes() == b"whole"
    assert left.read_bytes() == b"half"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("place", ["missing/a", "file/a"])
def test_write_to_a_bad_place_is_one_sentence(
    disk: Disk, tmp_path: Path, place: str
) -> None:
    """A folder that is missing or a file ends in a sentence with the path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=rf"Cannot write .*{place}: .*; .*\.$"):
        disk.write(str(tmp_path / place), b"x")
    assert names(tmp_path) == ["file"]


def test_failed_write_leaves_nothing(disk: Disk, tmp_path: Path) -> None:
    """A file that cannot be written to its end leaves neither name nor temporary."""
    with file_size_limit(100_000), pytest.raises(StorageError, match="too large here"):
        disk.write(str(tmp_path / "a"), bytes(100_001))
    assert names(tmp_path) == []


def test_failed_write_keeps_the_older_file(disk: Disk, tmp_path: Path) -> None:
    """A replacement that cannot be written leaves the older file as it was."""
    disk.write(str(tmp_path / "a"), b"old")
    with file_size_limit(100_000), pytest.raises(StorageError):
        disk.write(str(tmp_path / "a"), bytes(100_001))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_full_disk_is_named_and_left_clean(disk: Disk, tmp_path: Path) -> None:
    """On a full disk a write says so and gives back what it took."""
    with small_disk(tmp_path / "small") as small:
        before = disk.free_bytes(str(small))
        with pytest.raises(DiskFullError, match=r"No space is left to write .*/a;"):
            disk.write(str(small / "a"), LARGE)
        assert names(small) == []
        assert disk.free_bytes(str(small)) == before


def test_read_only_disk_is_named(disk: Disk, tmp_path: Path) -> None:
    """On a read-only disk every change ends in a sentence that says so."""
    with small_disk(tmp_path / "small") as small:
        disk.write(str(small / "a"), b"x")
        make_read_only(small)
        with pytest.raises(StorageError, match="file system is read-only"):
            disk.write(str(small / "b"), b"x")
        with pytest.raises(StorageError, match="file system is read-only"):
            disk.make_folder(str(small / "c"))
        with pytest.raises(StorageError, match="file system is read-only"):
            disk.remove(str(small / "a"))


def test_make_folder_makes_the_parents(disk: Disk, tmp_path: Path) -> None:
    """A folder is made with its parents, and making it again is fine."""
    for _ in range(2):
        disk.make_folder(str(tmp_path / "a" / "b" / "c"))
    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_make_folder_under_a_file_is_one_sentence(disk: Disk, tmp_path: Path) -> None:
    """A file in the way of a folder ends in a sentence, also at the very end."""
    (tmp_path / "file").write_bytes(b"")
    for place in ("file", "file/below"):
        with pytest.raises(StorageError, match="a file stands where a folder"):
            disk.make_folder(str(tmp_path / place))


def test_remove_forgives_a_missing_file_only(disk: Disk, tmp_path: Path) -> None:
    """A file is removed once, its absence is fine, a folder is not a file."""
    disk.write(str(tmp_path / "a"), b"x")
    disk.remove(str(tmp_path / "a"))
    disk.remove(str(tmp_path / "a"))
    assert names(tmp_path) == []
    with pytest.raises(StorageError, match="Cannot remove"):
        disk.remove(str(tmp_path))


def test_free_bytes_falls_by_what_is_written(disk: Disk, tmp_path: Path) -> None:
    """Free space is what this user may still write, of a path to be made as well."""
    with small_disk(tmp_path / "small") as small:
        before = disk.free_bytes(str(small / "not" / "yet"))
        disk.write(str(small / "a"), bytes(128 * 1024))
        assert before - disk.free_bytes(str(small)) == 128 * 1024


def test_temporary_names_are_hidden_and_no_images() -> None:
    """A temporary name is hidden, new each time, and never ends like an image."""
    made = {temporary_name("0000001.jpeg") for _ in range(100)}
    assert len(made) == 100
    for name in made:
        assert name.startswith(".")
        assert name.endswith(".part")
        assert is_temporary(name)


@pytest.mark.parametrize(
    "name", ["0000001.jpeg", ".hidden", "a.part", ".a.part", ".a.0123456789ab.part2"]
)
def test_other_names_are_not_taken_for_temporary(name: str) -> None:
    """Nothing but our own temporary names is ever cleaned away."""
    assert not is_temporary(name)
