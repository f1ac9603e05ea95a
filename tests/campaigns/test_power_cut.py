"""The attack on the power in short, and that it sees what it looks for."""

import random
from pathlib import Path
from typing import Any, List

import pytest
from cases.stored import RUN_ID, finished_run

from campaigns import crash_story, power_cut
from campaigns.crash_disk import CrashDisk, Image, images
from campaigns.crash_judge import Judge, Promises
from campaigns.crash_story import lay_out
from campaigns.system_calls import STRACE, Call, Reader, record
from openflexure_timelapse.store.run_store import RunStore

SEED = 5
watched = pytest.mark.skipif(STRACE is None, reason="this test needs strace")


@watched
def test_nothing_promised_is_lost_when_the_power_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few moments of some stories: all that was promised is there again."""
    some = {name: power_cut.STORIES[name] for name in ("record", "frame", "use")}
    monkeypatch.setattr(power_cut, "STORIES", some)
    found = power_cut.attack(60, SEED, tmp_path)
    assert found.broken == ()
    titles, _calls, cuts, _whole, disks, *_rest = zip(*found.tables[1].rows)
    assert titles == tuple(title for _verb, title, _share in some.values())
    assert min(map(int, cuts)) > 0
    assert min(map(int, disks)) > 0


@watched
def test_a_program_that_does_not_flush_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same program without its flushes loses frames."""
    real = record

    def careless(*args: Any) -> List[Call]:
        return [call for call in real(*args) if call.verb != "flush"]

    monkeypatch.setattr(crash_story, "record", careless)
    monkeypatch.setattr(power_cut, "STORIES", {"record": ("record", "a run", 1.0)})
    broken = power_cut.attack(30, SEED, tmp_path).broken
    assert any("is lost" in said or "is gone" in said for said in broken)


@pytest.mark.parametrize("flushes", ["all", "nothing"])
def test_what_was_not_flushed_is_missed(tmp_path: Path, flushes: str) -> None:
    """A run that somebody copies is safe when it is flushed, and else it is not."""
    folder = finished_run(tmp_path / "made", 2)
    with RunStore.open_read(folder) as store:
        frames = {f"{RUN_ID}/{frame.file}": frame.sha256 for frame in store.frames()}
    copy = tmp_path / "copy"
    copy.mkdir()
    disk, promises = CrashDisk(copy), Promises()
    (folder.parent / ".active").write_text(RUN_ID, "utf-8")
    for path in sorted(folder.parent.rglob("*")):
        name = str(copy / path.relative_to(folder.parent))
        disk.apply(Call("folder" if path.is_dir() else "open", name))
        if path.is_file():
            disk.apply(Call("write", name, data=path.read_bytes()))
        for flushed in (name, str(Path(name).parent)):
            if flushes == "all":
                disk.apply(Call("flush", flushed, began=10_000))
    promises.frames.update(frames)
    (tmp_path / "spare").mkdir()
    judge, broken = Judge(tmp_path / "spare"), []
    found, _is_all = images(disk.questions(), random.Random(SEED), 12)  # noqa: S311
    for number, image in enumerate(found):
        lay_out(disk.tree(image), tmp_path / f"{number}")
        broken += judge.judge(tmp_path / f"{number}", promises, "open").broken
    assert (broken == []) is (flushes == "all")


# --------------------------------------------------------------------------- the disk


def disk_after(folder: Path, *calls: Call) -> CrashDisk:
    """Return a disk on which something was done."""
    disk = CrashDisk(folder)
    for call in calls:
        disk.apply(call)
    return disk


def left(disk: CrashDisk) -> Any:
    """Return all that may be left on it, as a set of sorted items."""
    found, is_all = images(disk.questions(), random.Random(SEED), 1000)  # noqa: S311
    assert is_all
    kinds = [image for image in found if image.torn is None]
    return {tuple(sorted(disk.tree(image).items())) for image in kinds}


def test_a_rename_may_come_before_its_data(tmp_path: Path) -> None:
    """Nothing flushed: no name, the old one, the new one, both; empty, whole."""
    old, new = str(tmp_path / "a"), str(tmp_path / "b")
    calls = (Call("open", old), Call("write", old, data=b"data"))
    disk = disk_after(tmp_path, *calls, Call("rename", old, target=new))
    found = left(disk)
    assert () in found
    for content in (b"", b"\0\0\0\0", b"data"):
        assert (("a", content),) in found
        assert (("b", content),) in found
        assert (("a", content), ("b", content)) in found


def test_flushed_in_the_right_order_nothing_is_open(tmp_path: Path) -> None:
    """Data, then the name, then the folder: one disk is left."""
    old, new, top = str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path)
    calls = [Call("open", old), Call("write", old, data=b"data")]
    calls += [Call("flush", old, began=2), Call("rename", old, target=new)]
    assert (("b", b"data"),) in left(disk_after(tmp_path, *calls))
    assert (("b", b""),) not in left(disk_after(tmp_path, *calls))
    calls += [Call("flush", top, began=4)]
    assert left(disk_after(tmp_path, *calls)) == {(("b", b"data"),)}


def test_a_flush_says_nothing_of_what_came_while_it_ran(tmp_path: Path) -> None:
    """A write that ended after the flush had begun may be lost."""
    path = str(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"old")
    calls = (Call("write", path, data=b"new"), Call("flush", path, began=0))
    found = left(disk_after(tmp_path, *calls))
    assert found == {(("a", b"old"),), (("a", b"new"),)}


def test_blocks_are_lost_torn_and_destroyed_one_by_one(tmp_path: Path) -> None:
    """A hole where a block is lost, sectors where it is torn, noise where destroyed."""
    path = str(tmp_path / "a")
    calls = (Call("open", path), Call("write", path, data=b"x" * 10_000))
    disk = disk_after(tmp_path, *calls)
    (block,) = (item for item in disk.questions() if item[1:] == ("block", 1))

    def content(*state: Any) -> bytes:
        return disk.tree(Image("", *state))["a"] or b""

    whole = b"x" * 10_000
    assert content(frozenset()) == whole
    lost = whole[:4096] + bytes(4096) + whole[8192:]
    assert content(frozenset([block])) == lost
    torn = whole[: 4096 + 1024] + bytes(3072) + whole[8192:]
    assert content(frozenset(), block, 2) == torn
    destroyed = content(frozenset(), block, -1)
    assert destroyed[:4096] + destroyed[8192:] == whole[:4096] + whole[8192:]
    assert destroyed[4096:8192] not in (whole[4096:8192], bytes(4096))


# ------------------------------------------------------------------- the system calls


def test_calls_are_read_as_strace_writes_them() -> None:
    """Numbers of files, quoted bytes, calls that overlap, calls that fail."""
    reader = Reader([b"/data"])
    for line in (
        b'7 openat(AT_FDCWD</>, "/data/a", O_WRONLY|O_CREAT, 0666) = 3</data/a>',
        b'7 write(3</data/a>, "a\\"\\\\\\0\\3771", 6)     = 5',
        b"8 fsync(4</data> <unfinished ...>",
        b'7 write(3</data/a>, ") = 9", 5) = 5',
        b"8 <... fsync resumed>) = 0",
        b'7 pwrite64(3</data/a>, "z", 1, 4096) = 1',
        b'7 unlinkat(5</data/b>, "c", 0) = 0',
        b'7 rename("/data/a", "/data/d") = 0',
        b'7 rename("/data/a", "/data/e") = -1 ENOENT (No such file or directory)',
        b'7 write(9</data/x>(deleted), "gone", 4) = 4',
        b'7 write(1</elsewhere>, "/data/a", 7) = 7',
        b"7 +++ exited with 0 +++",
    ):
        reader.read(line)
    assert reader.calls == [
        Call("open", "/data/a"),
        Call("write", "/data/a", data=b'a"\\\x00\xff'),
        Call("write", "/data/a", offset=5, data=b") = 9"),
        Call("flush", "/data", target="/data", began=2),
        Call("write", "/data/a", offset=4096, data=b"z"),
        Call("remove", "/data/b/c", target="/data/b/c", began=5),
        Call("rename", "/data/a", target="/data/d", began=6),
    ]


def test_a_call_that_the_model_does_not_know_is_refused() -> None:
    """A program that begins to use it is not misunderstood."""
    reader = Reader([b"/data"])
    with pytest.raises(RuntimeError, match="knows no link"):
        reader.read(b'7 link("/data/a", "/data/b") = 0')
