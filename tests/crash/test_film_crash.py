"""A recording that is killed while its film so far grows loses neither of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from openflexure_timelapse.store.verify import verify

PATIENCE_S = 120
PLAN: Dict[str, Any] = {
    "name": "film",
    "interval_s": 30,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": {"width": 320, "scale_bar": False},
}
# Films grow at once, and the program says so.
RECORD = """
import sys
from openflexure_timelapse import cli
from openflexure_timelapse.hosts import films
films.FIRST_REST_NS = films.REST = 0
step = films._FilmSet.step
def telling(films_of_run):
    grown = step(films_of_run)
    if grown:
        print("grown", file=sys.stderr, flush=True)
    return grown
films._FilmSet.step = telling
sys.exit(cli.main(sys.argv[1:]))
"""


def recording(data: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a recording as a person does, with films that grow at once."""
    command = [sys.executable, "-c", RECORD, "record", *arguments, "--json"]
    return subprocess.Popen(
        [*command, "--out", str(data), "--speed", "max"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


def workers() -> List[str]:
    """Return the processes that make movies on this computer below our own folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue  # it has ended
        if "openflexure_timelapse.movie.worker" in words:
            found.append(words[-2])
    return found


@pytest.mark.parametrize("segments", [0, 1])
def test_a_killed_film_goes_on_and_becomes_the_movie(
    tmp_path: Path, segments: int
) -> None:
    """Killed with so many segments kept, it ends in the movie of a fresh render."""
    plan, data = tmp_path / "plan.json", tmp_path / "data"
    plan.write_text(json.dumps(PLAN))
    first = recording(data, str(plan))
    assert first.stderr is not None
    for line in first.stderr:
        kept = [journal.read_bytes() for journal in data.rglob(".here_so_far.jsonl")]
        if line.startswith("grown") and kept[0].count(b"\n") > segments:
            break
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (run,) = [path for path in data.iterdir() if path.is_dir()]
    assert (run / "movies" / "here_so_far.mp4").stat().st_size > 0
    second = recording(data, "--give-up")
    told, said = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, said
    assert json.loads(told)["status"]["counts"]["failed"] == 0
    movies = run / "movies"
    assert [item.name for item in movies.iterdir()] == ["here.mp4"]
    assert verify(run).ok
    assert [job for job in workers() if str(tmp_path) in job] == []
    copy = tmp_path / "copy" / run.name
    shutil.copytree(str(run), str(copy))
    command = [sys.executable, "-m", "openflexure_timelapse", "movie", str(copy)]
    options = ["--width=320", "--no-scale-bar"]
    subprocess.run(
        [*command, *options],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "80"},
    )
    fresh = (copy / "movies" / "here_2.mp4").read_bytes()
    assert fresh == (movies / "here.mp4").read_bytes()
