"""Who has the camera or the port is found, by real processes that really have it."""

import contextlib
import os
import pty
import socket
import subprocess
import sys
import tty
from pathlib import Path
from typing import Iterator, List

import pytest

from openflexure_timelapse.errors import HardwareBusyError
from openflexure_timelapse.hosts.direct.claims import (
    Server,
    camera_users,
    refuse_if_taken,
    servers_running,
    users_of,
)

HOLD = """
import sys
held = open(sys.argv[1], "rb+", buffering=0)
print("held", flush=True)
sys.stdin.read()
"""
SLEEP = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture(name="port")
def _port(tmp_path: Path) -> Iterator[str]:
    """Return a serial line with a name of its own, as a cable has in /dev."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    name = tmp_path / "ttyBOARD"
    name.symlink_to(os.ttyname(slave))
    os.close(slave)
    yield str(name)
    os.close(master)


@contextlib.contextmanager
def running(words: List[str], cwd: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program that says when it is up, and end it with the block."""
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=str(cwd)
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
        process.communicate()


def test_a_program_that_has_the_port_is_named(port: str, tmp_path: Path) -> None:
    """By its process and its command, whichever name of the device it opened."""
    assert users_of(port) == []
    words = [sys.executable, "-c", HOLD, os.path.realpath(port)]
    with running(words, tmp_path) as process:
        (user,) = users_of(port)
        assert user.pid == process.pid
        assert sys.executable in user.command
        with pytest.raises(HardwareBusyError, match=f"process {process.pid}"):
            refuse_if_taken(port)
    assert users_of(port) == []
    refuse_if_taken(port)


def test_we_are_not_another_program(port: str) -> None:
    """What this program has open itself is no reason to refuse."""
    with Path(port).open("rb+", buffering=0):
        assert users_of(port) == []


def test_a_file_or_a_missing_device_has_no_users(tmp_path: Path) -> None:
    """Only devices are claimed."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert users_of(str(tmp_path / "file")) == []
    assert users_of(str(tmp_path / "missing")) == []


def script(tmp_path: Path, name: str) -> str:
    """Return a program of that name that only waits."""
    path = tmp_path / name
    path.write_text(SLEEP, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "stop"),
    [
        ("openflexure-microscope-server", "systemctl stop openflexure-microscope"),
        ("openflexure_microscope.api.app", "ofm stop"),
    ],
)
def test_a_server_is_refused_with_what_to_type(
    tmp_path: Path, name: str, stop: str
) -> None:
    """By its command line, which everybody may read."""
    with running([sys.executable, script(tmp_path, name)], tmp_path) as process:
        assert process.pid in {server.pid for server in servers_running()}
        with pytest.raises(HardwareBusyError, match=stop):
            refuse_if_taken(None)
    assert process.pid not in {server.pid for server in servers_running()}


def test_an_editor_with_a_servers_file_is_no_server(tmp_path: Path) -> None:
    """Its name among the arguments of another program means nothing."""
    words = [
        sys.executable,
        script(tmp_path, "editor"),
        "openflexure-microscope-server",
    ]
    with running(words, tmp_path) as process:
        assert process.pid not in {server.pid for server in servers_running()}


def test_a_listener_that_can_be_seen_is_no_server() -> None:
    """Somebody else's web page on the server's port stops nobody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert servers_running(tcp_port=listener.getsockname()[1]) == []


class Proc:
    """A kernel that tells what it is told, for what needs other users and units."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "net").mkdir()
        (folder / "net" / "tcp").write_text("sl local\n", encoding="utf-8")

    def add(self, pid: int, command: str, unit: str = "ssh") -> None:
        """Add a process whose open files are hidden, as another user's are."""
        where = self.folder / str(pid)
        where.mkdir()
        (where / "cmdline").write_text(command.replace(" ", "\0"), encoding="utf-8")
        group = f"0::/system.slice/{unit}.service\n"
        (where / "cgroup").write_text(group, encoding="utf-8")

    def listen(self, port: int) -> None:
        """Add a socket that listens."""
        line = f"0: 00000000:{port:04X} 00000000:0000 0A 0:0 0:0 0 998 0 4711 1\n"
        with (self.folder / "net" / "tcp").open("a", encoding="utf-8") as table:
            table.write(line)


def test_a_unit_of_the_server_is_a_server(tmp_path: Path) -> None:
    """Whatever program it runs."""
    proc = Proc(tmp_path)
    proc.add(77, "/opt/anything --port 5000", "ofm-server")
    (server,) = servers_running(tmp_path)
    assert server == Server(
        77, "unit ofm-server (process 77)", "sudo systemctl stop ofm-server"
    )


def test_a_hidden_listener_on_the_servers_port_counts_as_one(tmp_path: Path) -> None:
    """Nobody can tell that it is none; the message names both ways to stop it."""
    proc = Proc(tmp_path)
    proc.add(12, "/usr/sbin/sshd")
    assert servers_running(tmp_path) == []
    proc.listen(5001)
    assert servers_running(tmp_path) == []
    proc.listen(5000)
    (server,) = servers_running(tmp_path)
    assert server.pid is None
    assert "5000" in server.told
    assert "ofm stop" in server.stop


def test_a_camera_in_use_is_seen(port: str, tmp_path: Path) -> None:
    """By any of its devices; the name of the device decides what a camera is."""
    devices = tmp_path / "dev"
    devices.mkdir()
    words = [sys.executable, "-c", HOLD, port]
    with running(words, tmp_path) as process:
        assert camera_users(devices=devices) == []
        (devices / "media0").symlink_to(port)
        assert [user.pid for user in camera_users(devices=devices)] == [process.pid]
