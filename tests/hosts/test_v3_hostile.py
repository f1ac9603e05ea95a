"""Server v3 under hostile requests, in short."""

from pathlib import Path
from typing import Any

from hostile_rig import check_no_request_does_harm
from thing_rig import started


def test_no_request_does_harm(tmp_path: Path, monkeypatch: Any) -> None:
    """Nothing falls; and what would is seen."""
    rig = started(tmp_path)
    try:
        data = rig.thing.verbs.service.library.data_folder
        port = int(rig.url.rpartition(":")[2])
        check_no_request_does_harm(data, port, "/api/v3/timelapse", monkeypatch)
    finally:
        rig.close()
