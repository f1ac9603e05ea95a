"""Hostile requests to a server of either kind, in short."""

from pathlib import Path
from typing import Any

from campaigns.hostile_folder import EVIL, linked, outside, small_run, told_evil
from campaigns.hostile_requests import Probe, attacked, sent
from campaigns.hostile_tally import Tally
from openflexure_timelapse.hosts import library

__all__ = ["check_no_request_does_harm"]

SEED = 20261126
REQUESTS = 60


def check_no_request_does_harm(
    data: Path, port: int, prefix: str, monkeypatch: Any
) -> None:
    """Send requests to a server with a hostile run; then see that harm is seen.

    Parameters
    ----------
    data : Path
        The server's data folder.
    port : int
        Of the server, on this machine.
    prefix : str
        Of our own addresses.
    """
    run = small_run(data)
    linked(run, outside(data.parent))
    told_evil(run, EVIL[0])
    tally = Tally("server", "hypothesis")
    attacked(tally, REQUESTS, SEED, port, prefix)
    assert (tally.tried, tally.falls) == (REQUESTS, [])
    probe = Probe("GET", f"{prefix}/runs/{run.name}/frames/1")
    tally.judge(str(probe), sent(port, probe))
    assert tally.falls == []
    monkeypatch.setattr(library, "is_inside", lambda *_: True)
    tally.judge(str(probe), sent(port, probe))
    assert [kind for kind, _ in tally.falls] == ["escape"]
