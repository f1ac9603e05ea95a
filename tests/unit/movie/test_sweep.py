"""What a power cut left of a movie goes away; what is being made stays."""

import os
import time
from pathlib import Path

from openflexure_timelapse.movie.render import rendering_in, sweep_renders
from openflexure_timelapse.store.disk import temporary_name

TWO_HOURS_S = 7200


def render_folder(run: Path, name: str) -> Path:
    """Return the hidden folder of a render in a run, with its file."""
    folder = run / "movies" / temporary_name(name)
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"half a movie")
    return folder


def age(path: Path) -> None:
    """Let a path be two hours old."""
    then_s = time.time() - TWO_HOURS_S
    os.utime(str(path), (then_s, then_s))


def test_only_what_nobody_writes_any_more_is_removed(tmp_path: Path) -> None:
    """A render of more than an hour keeps its folder while its file grows."""
    dead, long, young = (
        render_folder(tmp_path, name) for name in ("dead.mp4", "long.mp4", "young.mp4")
    )
    for path in (dead / "dead.mp4", dead, long):
        age(path)
    finished = tmp_path / "movies" / "here.mp4"
    finished.write_bytes(b"a movie")
    age(finished)
    with rendering_in(tmp_path / "movies"):
        sweep_renders(tmp_path)
    assert not dead.exists()
    assert (long / "long.mp4").exists()
    assert (young / "young.mp4").exists()
    assert finished.exists()


def test_what_was_killed_a_moment_ago_goes_away(tmp_path: Path) -> None:
    """Nobody renders, so however young it is, nobody will finish it."""
    young = render_folder(tmp_path, "young.mp4")
    finished = tmp_path / "movies" / "here.mp4"
    finished.write_bytes(b"a movie")
    sweep_renders(tmp_path)
    assert not young.exists()
    assert finished.exists()


def test_a_run_without_movies_has_nothing_to_sweep(tmp_path: Path) -> None:
    """A missing folder is fine."""
    sweep_renders(tmp_path)
