"""What both servers promise of notifications, asked over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Mapping

import pytest
from cases.receivers import WebReceiver
from script import Visitor

from openflexure_timelapse.hosts.notify_file import ENVIRONMENT

__all__ = ["check_simulate", "check_that_people_are_told", "name_whom"]

PATIENCE_S = 60
PLAN: Mapping[str, Any] = {
    "name": "told",
    "interval_s": 5,
    "frames": 2,
    "late": "catch_up",
    "catch_up_slots": 1000,
    "keep_free_mb": 0,
    "movie": None,
}


def name_whom(
    folder: Path, receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Write the computer's file."""
    file = folder / "notify.json"
    file.write_text(json.dumps({"webhooks": [receiver.url], "name": "lab"}), "utf-8")
    file.chmod(0o600)
    monkeypatch.setenv(ENVIRONMENT, str(file))


def check_that_people_are_told(rig: Any, receiver: WebReceiver) -> None:
    """A trial and an end arrive; no answer holds an address, and none takes one."""
    visitor = rig.visitor
    assert visitor.get("status")["tells"] == ["webhook"]
    assert visitor.post("notify_test")["tells"] == ["webhook"]
    assert receiver.came.acquire(timeout=PATIENCE_S)
    refused = visitor.ask(
        "POST", "start", {**PLAN, "notify": {"webhooks": ["http://x"]}}
    )
    assert refused.code == 422
    run = visitor.post("start", {**PLAN, "notify": {"on": ["ended"]}})["run"]
    told = visitor.wait_for("ended")
    assert "s3cret" not in json.dumps(told)
    assert "s3cret" not in json.dumps(visitor.get(f"runs/{run}"))
    rig.close()  # which sends at once what would wait for a quieter minute
    assert [got["kind"] for got in receiver.got] == ["test", "ended"]
    assert receiver.got[1]["run"] == run
    assert receiver.got[1]["title"] == "told on lab has ended: completed"


def check_simulate(api: str, ours: str, folder: Path) -> None:
    """The command is ready, alive and stopping in systemd's words, and takes a file."""
    address, file = str(folder / "notify"), folder / "notify.json"
    file.write_text(json.dumps({"webhooks": ["http://127.0.0.1:9/"]}), "utf-8")
    file.chmod(0o600)
    environ = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"}
    command = [sys.executable, "-m", "openflexure_timelapse", "simulate", "--api", api]
    options = ["--port", "0", "--folder", str(folder), "--notify", str(file)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address)
        line.settimeout(PATIENCE_S)
        with subprocess.Popen([*command, *options], env=environ) as program:
            words: List[str] = []
            while not {"READY=1", "WATCHDOG=1"} <= set(words):
                words += line.recv(4096).decode("utf-8").split("\n")
            (serving,) = (word for word in words if word.startswith("STATUS=Serving "))
            url = serving.split()[1].rstrip("/")
            assert Visitor(url + ours).get("status")["tells"] == ["webhook"]
            program.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in words:
                words += line.recv(4096).decode("utf-8").split("\n")
            assert program.wait(PATIENCE_S) == 0
