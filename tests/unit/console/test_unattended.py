"""Recording unattended: systemd's words, and whom the command line tells."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict

import pytest
from cases.receivers import WebReceiver

from openflexure_timelapse.cli import main
from openflexure_timelapse.console.doctor import examine
from openflexure_timelapse.hosts.lifeline import Lifeline
from openflexure_timelapse.hosts.notify_file import ENVIRONMENT
from openflexure_timelapse.store.verify import verify

PATIENCE_S = 120
PLAN: Dict[str, Any] = {
    "name": "alone",
    "interval_s": 30,
    "frames": 3,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}


@pytest.fixture(name="plan")
def _plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN), "utf-8")
    return path


def whom(folder: Path, receiver: WebReceiver) -> Path:
    """Write whom to tell."""
    file = folder / "notify.json"
    file.write_text(json.dumps({"webhooks": [receiver.url], "name": "lab"}), "utf-8")
    file.chmod(0o600)
    return file


def recorded(plan: Path, *more: str) -> int:
    """Record a plan at the highest speed."""
    out = str(plan.parent / "runs")
    return main(["record", str(plan), "--speed", "max", "--out", out, *more])


def test_the_end_is_told_before_the_command_ends(plan: Path) -> None:
    """Whom the option names; nothing waits for a quieter minute."""
    with WebReceiver() as receiver:
        file = whom(plan.parent, receiver)
        assert recorded(plan, "--notify", str(file), "--json") == 0
        assert [got["kind"] for got in receiver.got] == ["ended"]
        assert receiver.got[0]["counts"] == {**receiver.got[0]["counts"], "captured": 3}


def test_a_message_that_cannot_be_sent_fails_no_run(
    plan: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says so, without the address, and the command ends well."""
    with WebReceiver() as receiver:
        receiver.answer = 500
        file = whom(plan.parent, receiver)
        assert recorded(plan, "--notify", str(file)) == 0
    said = capsys.readouterr()
    assert "Messages by webhook were not delivered." in caplog.text
    assert "s3cret" not in said.out + said.err + caplog.text


def test_a_file_that_is_not_there_is_told(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run is recorded all the same: nobody's pictures depend on a message."""
    assert recorded(plan, "--notify", str(plan.parent / "nothing.json")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "nothing.json: it does not exist" in said


def test_without_a_file_the_command_says_where_it_belongs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a check-up says that nobody would be told."""
    assert main(["notify", "--test"]) == 2
    assert "docs/unattended.md" in capsys.readouterr().err
    finding = next(item for item in examine(tmp_path) if item.topic == "Notifications")
    assert (finding.level, finding.detail.split(";")[0]) == (
        "warning",
        "nobody is told when a run fails",
    )


def test_a_trial_says_what_became_of_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without --test nothing is sent."""
    with WebReceiver() as receiver:
        monkeypatch.setenv(ENVIRONMENT, str(whom(tmp_path, receiver)))
        assert main(["notify"]) == 0
        assert receiver.tries == 0
        assert main(["notify", "--test"]) == 0
        assert [got["kind"] for got in receiver.got] == ["test"]
        receiver.answer = 403
        assert main(["notify", "--test"]) == 1
    said = capsys.readouterr()
    assert "not sent: its server answered 403" in said.out
    assert "s3cret" not in said.out + said.err
    finding = next(item for item in examine(tmp_path) if item.topic == "Notifications")
    assert (finding.level, finding.detail.split(";")[0]) == ("good", "webhook")


# ------------------------------------------------------------------------- systemd


def hear(line: socket.socket, *starts: str) -> None:
    """Listen as systemd does until there was a word with each of these starts."""
    awaited = set(starts)
    while awaited:
        words = line.recv(4096).decode("utf-8").split("\n")
        awaited -= {s for s in awaited if any(word.startswith(s) for word in words)}


def test_systemd_hears_a_recording_from_start_to_stop(
    plan: Path, tmp_path: Path
) -> None:
    """Ready when the run has begun, alive while it goes on, stopping when asked to."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address)
        line.settimeout(PATIENCE_S)
        environ = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
        command = [sys.executable, "-m", "openflexure_timelapse", "record", str(plan)]
        out = tmp_path / "runs"
        with subprocess.Popen([*command, "--out", str(out)], env=environ) as program:
            hear(line, "READY=1", "WATCHDOG=1", "STATUS=alone: ")
            program.send_signal(signal.SIGTERM)
            hear(line, "STOPPING=1")
            assert program.wait(PATIENCE_S) == 1  # left, to be resumed
    assert main(["record", "--resume", "--speed", "max", "--out", str(out)]) == 0


def test_who_is_told_that_it_is_ready_may_end_it(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM is taken before systemd hears of it: nothing dies in between."""
    taken = []

    def tell(_: Lifeline, *words: str) -> None:
        if "READY=1" in words:
            taken.append(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)

    monkeypatch.setattr(Lifeline, "tell", tell)
    out = str(tmp_path / "runs")
    assert main(["record", str(plan), "--speed", "max", "--out", out]) == 0
    assert taken == [True]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


HUNG = """
import sys, threading
from openflexure_timelapse import cli
from openflexure_timelapse.hosts import watchdog
from openflexure_timelapse.store.disk import RealDisk

watchdog.LOOK_S = 0.02
write, frames = RealDisk.write, [0]

def hung(disk, path, data):
    frames[0] += path.endswith(".jpeg")
    if frames[0] == 3:
        threading.Event().wait()
    write(disk, path, data)

RealDisk.write = hung
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_stuck_run_is_ended_by_systemd_and_goes_on(
    plan: Path, tmp_path: Path
) -> None:
    """The signs of life end; what systemd then does loses nothing that was kept."""
    address, out = str(tmp_path / "notify"), str(tmp_path / "runs")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address)
        environ = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"}
        options = ["record", str(plan), "--speed", "max", "--out", out]
        command = [sys.executable, "-c", HUNG, *options]
        with subprocess.Popen(command, env=environ) as program:
            line.settimeout(PATIENCE_S)
            hear(line, "READY=1")
            began_s = last_s = time.monotonic()
            while last_s + 2 > time.monotonic() and time.monotonic() < began_s + 60:
                line.settimeout(0.1)
                try:
                    heard = line.recv(4096).decode("utf-8")
                except socket.timeout:
                    continue
                if "WATCHDOG=1" in heard:
                    last_s = time.monotonic()
            assert last_s + 2 <= time.monotonic()
            program.send_signal(signal.SIGABRT)
            assert program.wait(PATIENCE_S) == -signal.SIGABRT
    assert main(["record", "--resume", "--speed", "max", "--out", out]) == 0
    (run,) = (path.parent for path in Path(out).glob("*/run.json"))
    assert verify(run).ok
