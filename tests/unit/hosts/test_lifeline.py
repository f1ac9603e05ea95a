"""What systemd hears, at the other end of a real socket."""

import os
import socket
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.hosts.lifeline import Lifeline
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.verbs import Verbs

PATIENCE_S = 60
IDLE: Dict[str, Any] = {"phase": "idle"}


class Systemd:
    """The end of the line where systemd listens."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line.bind(address.replace("@", "\0"))
        self.line.settimeout(PATIENCE_S)

    def environ(self, **more: str) -> Dict[str, str]:
        """Return what a process that it starts finds in its environment."""
        return {"NOTIFY_SOCKET": self.address, **more}

    def hears(self) -> List[str]:
        """Return the words of the next message."""
        return self.line.recv(4096).decode("utf-8").split("\n")

    def hears_until(self, word: str) -> List[str]:
        """Return all words up to one that begins so."""
        words: List[str] = []
        while not any(each.startswith(word) for each in words):
            words += self.hears()
        return words


@pytest.fixture(name="systemd", params=["file", "abstract"])
def _systemd(tmp_path: Path, request: Any) -> Iterator[Systemd]:
    address = str(tmp_path / "notify")
    if request.param == "abstract":
        address = f"@timelapse-test-{os.getpid()}"
    systemd = Systemd(address)
    yield systemd
    systemd.line.close()


def test_words_arrive(systemd: Systemd) -> None:
    """One message holds several, a line each."""
    Lifeline(systemd.environ(), RealClock()).tell("READY=1", "STATUS=Serving")
    assert systemd.hears() == ["READY=1", "STATUS=Serving"]


def test_the_watchdog_hears_of_a_run_that_is_well_only(systemd: Systemd) -> None:
    """A stuck run is silence, whatever else the program still does."""
    wells = iter([True, True, False, False, False, True])
    looked: List[bool] = []

    def is_well() -> bool:
        looked.append(next(wells, False))
        return looked[-1]

    def status() -> Dict[str, Any]:
        return {**IDLE, "warnings": [f"look {len(looked)}"]}

    line = Lifeline(systemd.environ(WATCHDOG_USEC="40000"), RealClock())
    with line.kept(is_well, status):
        words = systemd.hears_until("STATUS=No run: idle, nothing captured yet look 6")
    assert [
        word for word in words if word.startswith("WATCHDOG") or "look" in word
    ] == [
        "WATCHDOG=1",
        "STATUS=No run: idle, nothing captured yet look 1",
        "WATCHDOG=1",
        "STATUS=No run: idle, nothing captured yet look 2",
        *(f"STATUS=No run: idle, nothing captured yet look {n}" for n in (3, 4, 5)),
        "WATCHDOG=1",
        "STATUS=No run: idle, nothing captured yet look 6",
    ]


def test_a_status_that_hangs_or_fails_does_not_silence_it(systemd: Systemd) -> None:
    """The disk may be what hangs, and the run may be well."""

    def status() -> Dict[str, Any]:
        raise StorageError("The data folder\ndoes not answer.")

    line = Lifeline(systemd.environ(WATCHDOG_USEC="40000"), RealClock())
    with line.kept(lambda: True, status):
        words = [word for _ in range(6) for word in systemd.hears()]
    assert words.count("WATCHDOG=1") == 5
    assert "STATUS=The data folder does not answer." in words


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "no number"}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}],
)
def test_a_watchdog_of_nobody_or_of_another_process_is_left_alone(
    systemd: Systemd, environ: Dict[str, str]
) -> None:
    """The program is ready and says how it is; it does not bark for others."""
    line = Lifeline(systemd.environ(**environ), RealClock())
    assert not line.is_watched
    with line.kept(lambda: True, lambda: IDLE):
        assert systemd.hears() == ["STATUS=No run: idle, nothing captured yet"]


def test_without_systemd_nothing_happens() -> None:
    """Nor where its socket has gone."""
    Lifeline({}, RealClock()).tell("READY=1")
    Lifeline({"NOTIFY_SOCKET": "/no/such/socket"}, RealClock()).tell("READY=1")
    with Lifeline({"WATCHDOG_USEC": "9"}, RealClock()).kept(lambda: True, lambda: IDLE):
        pass


def test_a_server_whose_unit_has_a_watchdog_keeps_it(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one without a run, or without a service; it ends with the server."""
    for name, value in systemd.environ(WATCHDOG_USEC="40000").items():
        monkeypatch.setenv(name, value)

    def refuse(_: Path) -> Any:
        raise StorageError("no disk")

    verbs = Verbs(lambda: tmp_path, refuse)
    verbs.begin()
    words = systemd.hears_until("STATUS=")
    verbs.close()
    assert "WATCHDOG=1" in words
    assert verbs.is_well
