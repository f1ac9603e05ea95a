"""A simulated server v2 for its own tests, and what asks it."""

import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from hardware_sim.v2_server import SimulatedServer, create

__all__ = ["API", "FAST", "SMALL", "asked", "in_thread", "over_beads", "recorded"]

API = "/api/v2"
FAST = 2_000.0
"""Simulated seconds in a real one: waits of the server take no time worth telling."""
SMALL = [832, 624]


def asked(server: SimulatedServer, method: str, path: str, body: Any = None) -> Any:
    """Ask the server as a script does; return what it answered."""
    headers = {"Accept": "application/json"}
    with server.app.test_client() as client:
        return client.open(API + path, method=method, json=body, headers=headers)


def in_thread(function: Any) -> Any:
    """Return what a function returns in a thread of its own."""
    told: List[Any] = []
    thread = threading.Thread(target=lambda: told.append(function()))
    thread.start()
    thread.join()
    return told[0]


def recorded(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seen: Any) -> Any:
    """Note `seen` at each call of a method, which still does its work."""
    notes: List[Any] = []
    inner = getattr(owner, name)

    def outer(*args: Any, **kwargs: Any) -> Any:
        notes.append(seen(*args))
        return inner(*args, **kwargs)

    monkeypatch.setattr(owner, name, outer)
    return notes


def over_beads(tmp_path: Path) -> Iterator[SimulatedServer]:
    """Start a server whose stills are small; a fixture for a file that wants it."""
    server = create(tmp_path, "beads", 1, FAST)
    server.microscope.camera.image_resolution = SMALL
    yield server
    server.close()
