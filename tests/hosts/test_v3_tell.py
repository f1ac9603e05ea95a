"""People are told of a run on server v3."""

from pathlib import Path

import pytest
from cases.receivers import WebReceiver
from tell_case import check_simulate, check_that_people_are_told, name_whom
from thing_rig import started


def test_people_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whom the computer's own file names, and by nobody else."""
    with WebReceiver() as receiver:
        name_whom(tmp_path, receiver, monkeypatch)
        check_that_people_are_told(started(tmp_path), receiver)


def test_a_simulated_server_speaks_to_systemd(tmp_path: Path) -> None:
    """Ready when it listens, alive while no run is stuck."""
    check_simulate("v3", "/api/v3/timelapse", tmp_path)
