"""What both servers promise of notifications, asked over HTTP."""

import json
from pathlib import Path
from typing import Any, Mapping

import pytest
from cases.receivers import WebReceiver

from openflexure_timelapse.hosts.notify_file import ENVIRONMENT

__all__ = ["check_that_people_are_told", "name_whom"]

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
