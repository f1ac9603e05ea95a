"""Server v2 under hostile requests, in short."""

from pathlib import Path
from typing import Any

from hostile_rig import check_no_request_does_harm
from v2_rig import OURS, started


def test_no_request_does_harm(tmp_path: Path, monkeypatch: Any) -> None:
    """Nothing falls; and what would is seen."""
    rig = started(tmp_path)
    try:
        data = rig.extension.verbs.service.library.data_folder
        port = int(rig.api.address.split(":")[2].split("/")[0])
        check_no_request_does_harm(data, port, OURS, monkeypatch)
    finally:
        rig.close()
