"""What a killed share leaves is told and removed; what another one works on is not."""

import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from cases.gallery import bundled, shared_run

from openflexure_timelapse.share import leftover
from openflexure_timelapse.share.leftover import (
    growing,
    is_growing,
    leftovers,
    remove_leftovers,
)
from openflexure_timelapse.store.disk import is_temporary

SHARE = """
import sys
from pathlib import Path
from openflexure_timelapse.share.leftover import growing
with growing(Path(sys.argv[1])) as hidden:
    (hidden / "images").mkdir()
    (hidden / "images" / "1.jpg").write_bytes(b"half")
    print(hidden.name, flush=True)
    sys.stdin.read()
"""


def begun(out: Path) -> "subprocess.Popen[str]":
    """Return a process that has begun a bundle and waits."""
    command = [sys.executable, "-c", SHARE, str(out)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, universal_newlines=True, **pipes)


def test_only_what_nobody_works_on_is_left_over(tmp_path: Path) -> None:
    """While a share lives its folder is safe; when it was killed another one cleans."""
    with begun(tmp_path / "out" / "a_gbif") as killed, begun(
        tmp_path / "out" / "b_gbif"
    ) as living:
        assert killed.stdout is not None
        assert living.stdout is not None
        names = [each.stdout.readline().strip() for each in (killed, living)]
        assert all(map(is_growing, names))
        assert leftovers(tmp_path / "out") == []
        assert remove_leftovers(tmp_path / "out") == []
        killed.kill()
        killed.wait()
        assert [path.name for path in leftovers(tmp_path / "out")] == names[:1]
        assert remove_leftovers(tmp_path / "out") == names[:1]
        assert [path.name for path in (tmp_path / "out").iterdir()] == names[1:]
        living.communicate("")
        assert living.returncode == 0
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_else_is_taken_for_left_over(tmp_path: Path) -> None:
    """No bundle, no run that begins, no link, no file, and nothing without a folder."""
    bundle = bundled(shared_run(tmp_path / "data", count=1), "nordic-microalgae")
    mine = tmp_path / "mine"
    mine.mkdir()
    out = bundle.parent
    (out / ".x.bundle.0123456789ab.part").symlink_to(mine)
    (out / ".y.bundle.0123456789ab.part").write_bytes(b"a file")
    (out / ".2026-11-23_083029_bundle.0123456789ab.part").mkdir()
    (out / ".bundle").mkdir()
    before = sorted(out.iterdir())
    assert remove_leftovers(out) == []
    assert remove_leftovers(tmp_path / "nowhere") == []
    assert sorted(out.iterdir()) == before


def test_a_folder_that_is_taken_too_early_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its name and its lock another program may think that nobody wants it."""
    flock, taken = leftover.fcntl.flock, []  # type: ignore[attr-defined]

    def late(descriptor: int, mode: int) -> None:
        if not taken and not mode & leftover.fcntl.LOCK_NB:  # type: ignore[attr-defined]
            taken.append(mode)
            assert len(remove_leftovers(tmp_path)) == 1
        flock(descriptor, mode)

    monkeypatch.setattr(leftover.fcntl, "flock", late)  # type: ignore[attr-defined]
    with growing(tmp_path / "x_gbif") as hidden:
        assert taken
        assert hidden.is_dir()
        assert remove_leftovers(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_server_removes_it_too(tmp_path: Path) -> None:
    """By the end of its name, as everything else that a write left."""
    names: List[str] = []
    with growing(tmp_path / "x_gbif.zip") as hidden:
        names.append(hidden.name)
    assert is_temporary(names[0])
