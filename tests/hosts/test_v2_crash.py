"""Server v2 in a process of its own, ended in every way: its run goes on by itself."""

import contextlib
import signal
import urllib.request
from pathlib import Path

import pytest
from server_process import Host, listed, seen_frames
from v2_rig import API, OURS

from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.store.verify import verify

HOST = Host("v2", "timelapse", OURS, "video")


# ------------------------------------------------------------------------------ kills


@pytest.mark.parametrize("frames", [1, 3, 6])
def test_a_killed_servers_run_goes_on(tmp_path: Path, frames: int) -> None:
    """Kill -9 when so many frames have been seen: each of them is found again."""
    HOST.check_a_kill_after(tmp_path, frames)


def test_a_server_killed_again_and_again(tmp_path: Path) -> None:
    """Also the process that goes on may be killed, before and after a frame."""
    HOST.check_kills_one_after_the_other(tmp_path)


@pytest.mark.parametrize("done", [0, 1])
def test_a_server_killed_during_the_movie_makes_it_again(
    tmp_path: Path, done: int
) -> None:
    """The run has ended; what is left to do is the movie, begun or not."""
    HOST.check_a_kill_during_the_movie(tmp_path, done)


def test_sigterm_kills_a_real_server_and_loses_nothing(tmp_path: Path) -> None:
    """As ``systemctl restart`` does: no handler of the server's runs."""
    with HOST.serving(tmp_path, "like_real") as process:
        run = process.visitor.post("start", HOST.endless)["run"]
        before = seen_frames(process, run, 2)
        assert process.end(signal.SIGTERM) == -signal.SIGTERM
    HOST.check_that_it_can_go_on(tmp_path, run, before, "like_real")


# -------------------------------------------------------------------------- clean ends


@pytest.mark.parametrize("kind", ["simulate", "like_real"])
def test_ctrl_c_leaves_the_run_in_good_order(tmp_path: Path, kind: str) -> None:
    """The visit under way ends before the server closes its hardware."""
    with HOST.serving(tmp_path, kind) as process:
        run = process.visitor.post("start", HOST.endless)["run"]
        before = seen_frames(process, run, 2)
        assert process.end(signal.SIGINT) == 0
        assert runs_to_do(process.data) == [run]
        assert "Traceback" not in process.log()
    found = HOST.check_that_it_can_go_on(tmp_path, run, before, kind)
    assert "failed" not in found.values()


def test_ctrl_c_while_somebody_looks_at_the_live_view(tmp_path: Path) -> None:
    """A stream without end is cut, and nothing waits for it."""
    with HOST.serving(tmp_path, "like_real") as process:
        run = process.visitor.post("start", HOST.endless)["run"]
        stream = f"{process.url}{API}/streams/mjpeg"
        with urllib.request.urlopen(stream) as view:  # noqa: S310 - http only
            assert view.read(7) == b"--frame"
            before = seen_frames(process, run, 1)
            assert process.end(signal.SIGINT) == 0
    found = HOST.check_that_it_can_go_on(tmp_path, run, before, "like_real")
    assert "failed" not in found.values()


def test_ctrl_c_during_the_movie_leaves_it_to_the_next_server(tmp_path: Path) -> None:
    """The movie is given up, not the wish for it."""
    with HOST.serving(tmp_path, "like_real") as process:
        run = process.visitor.post("start", HOST.plan)["run"]
        process.visitor.until("jobs", lambda told: told["jobs"])
        before = listed(process, run)
        assert process.end(signal.SIGINT) == 0
    HOST.check_that_it_ends(tmp_path, run, before, "like_real")


def test_sigterm_of_the_simulated_server_is_a_clean_end(tmp_path: Path) -> None:
    """It is our own program, and takes the signal as Ctrl-C."""
    with HOST.serving(tmp_path) as process:
        run = process.visitor.post("start", HOST.endless)["run"]
        before = seen_frames(process, run, 1)
        assert process.end(signal.SIGTERM) == 0
    found = HOST.check_that_it_can_go_on(tmp_path, run, before)
    assert "failed" not in found.values()


# ----------------------------------------------------------------------- two servers


@pytest.mark.parametrize("kind", ["simulate", "like_real"])
def test_a_second_server_leaves_the_run_alone_and_says_so(
    tmp_path: Path, kind: str
) -> None:
    """It starts and answers; when the first has gone, it can be told to go on."""
    endless = {**HOST.endless, "movie": None}
    with contextlib.ExitStack() as servers:
        first = servers.enter_context(HOST.serving(tmp_path))
        run = first.visitor.post("start", endless)["run"]
        before = seen_frames(first, run, 1)
        second = servers.enter_context(HOST.serving(tmp_path, kind))
        told = second.visitor.until("status", lambda told: told["warnings"])
        assert (told["phase"], told["run_id"]) == ("idle", None)
        assert any("Another program records" in each for each in told["warnings"])
        assert second.visitor.ask("POST", "start", endless).code == 409
        before |= seen_frames(first, run, len(before) + 1)
        first.end(signal.SIGKILL)
        assert second.visitor.post("resume")["run_id"] == run
        before |= seen_frames(second, run, len(before) + 1)
        second.visitor.post("stop")
        status = second.visitor.wait_for("ended")
        assert (status["end_reason"], status["warnings"]) == ("stopped", [])
        assert before <= listed(second, run)
        assert verify(second.data / run).ok
