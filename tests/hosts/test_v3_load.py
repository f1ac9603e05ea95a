"""The load campaign beside a server, in short: no slot is lost, whatever the times."""

from pathlib import Path

import pytest

from campaigns import load_server


def test_nothing_is_lost_beside_clients_and_movies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few clients, and slots that a slow machine catches up."""
    monkeypatch.setattr(load_server, "CLIENTS", 5)
    late = {"late": "catch_up", "catch_up_slots": 1000}
    monkeypatch.setattr(load_server, "PLAN", {**load_server.PLAN, **late})
    found = load_server.beside_load(9, tmp_path, rounds=1)
    assert found.broken == ()
    assert all(row[1] for row in found.tables[0].rows)
