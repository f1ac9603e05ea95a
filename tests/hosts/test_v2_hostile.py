"""Server v2 under hostile requests, in short."""

from pathlib import Path
from typing import Any

from v2_rig import OURS, started

from campaigns.hostile_folder import EVIL, linked, outside, small_run, told_evil
from campaigns.hostile_requests import Probe, attacked, sent
from campaigns.hostile_tally import Tally
from openflexure_timelapse.hosts import library

SEED = 20261126


def test_no_request_does_harm(tmp_path: Path, monkeypatch: Any) -> None:
    """Nothing falls; and what would is seen."""
    rig = started(tmp_path)
    try:
        data = rig.extension.verbs.service.library.data_folder
        run = small_run(data)
        linked(run, outside(data.parent))
        told_evil(run, EVIL[0])
        tally = Tally("server v2", "hypothesis")
        port = int(rig.api.address.split(":")[2].split("/")[0])
        attacked(tally, 60, SEED, port, OURS)
        assert (tally.tried, tally.falls) == (60, [])
        probe = Probe("GET", f"{OURS}/runs/{run.name}/frames/1")
        tally.judge(str(probe), sent(port, probe))
        assert tally.falls == []
        monkeypatch.setattr(library, "is_inside", lambda *_: True)
        tally.judge(str(probe), sent(port, probe))
        assert [kind for kind, _ in tally.falls] == ["escape"]
    finally:
        rig.close()
