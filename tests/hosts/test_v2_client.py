"""The published Python client, in its own environment, against our extension."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from v2_rig import started

CLIENT = os.environ.get("TIMELAPSE_V2_CLIENT_PYTHON")


@pytest.mark.skipif(CLIENT is None, reason="nox -s server-v2-3.11 brings the client")
def test_the_published_client_records_and_downloads(tmp_path: Path) -> None:
    """It finds the extension, starts a run, reads status, stops it, has the movie."""
    rig = started(tmp_path)
    host, port = rig.visitor.address.split("/")[2].split(":")
    script = Path(__file__).with_name("published_client.py")
    try:
        done = subprocess.run(
            [str(CLIENT), str(script), host, port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        rig.close()
    assert done.returncode == 0, done.stderr.decode()
    seen = json.loads(done.stdout)
    assert seen["ended"]["end_reason"] == "stopped"
    assert seen["files"] == ["run.json", "frames.csv", "movies/here.mp4"]
    assert (seen["type"], seen["mark"]) == ("video/mp4", "ftyp")
