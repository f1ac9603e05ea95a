"""Who else has the camera or the port: read from /proc, before anything is opened.

Two programs that read one serial line each get half of the answers, and a camera has
one user at a time. An OpenFlexure server holds both all the time, so nothing of ours
opens them beside it. Programs of other users can only be seen by root; the server's
port and the programs' names are seen by everybody.
"""

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

from openflexure_timelapse.errors import HardwareBusyError

__all__ = [
    "HIDDEN",
    "PortUser",
    "Server",
    "camera_users",
    "refuse_if_taken",
    "servers_running",
    "told_users",
    "users_of",
]

PROC = Path("/proc")
SERVER_PORT = 5000
LISTENING = "0A"
TABLES = ("net/tcp", "net/tcp6")
V2_WORDS = ("openflexure_microscope.api.app",)
V3_WORDS = ("openflexure_microscope_server", "openflexure-microscope-server")
UNITS = ("openflexure-microscope-server", "ofm-server")
V2_STOP = "ofm stop"
V3_STOP = f"sudo systemctl stop {UNITS[0]}"
CAMERA_DEVICES = ("media", "video", "v4l-subdev")
LONGEST_COMMAND = 120
HIDDEN = "a program whose name is hidden"


@dataclass(frozen=True)
class PortUser:
    """A program that has a device open.

    Attributes
    ----------
    pid : int
        Of the process.
    command : str
        As it was started, cut to a readable length; its name where that is hidden.
    """

    pid: int
    command: str


@dataclass(frozen=True)
class Server:
    """An OpenFlexure server that runs.

    Attributes
    ----------
    pid : int or None
        None where only its TCP port shows that it is there.
    told : str
        How it was found, for people.
    stop : str
        What to type to stop it.
    """

    pid: Optional[int]
    told: str
    stop: str


def users_of(device: str, proc: Path = PROC) -> List[PortUser]:
    """Return the other programs that have a device open.

    Parameters
    ----------
    device : str
        A path; links are followed, and other names of the same device are found.
    proc : Path
        Where the kernel tells.
    """
    wanted = _device_number(Path(device))
    if wanted is None:
        return []
    return [
        PortUser(pid, _command(proc, pid))
        for pid in _others(proc)
        if wanted in _open_devices(proc, pid)
    ]


def camera_users(proc: Path = PROC, devices: Path = Path("/dev")) -> List[PortUser]:
    """Return the other programs that have a device of a camera open."""
    wanted = {
        number
        for path in devices.glob("*")
        if path.name.rstrip("0123456789") in CAMERA_DEVICES
        for number in [_device_number(path)]
        if number is not None
    }
    return [
        PortUser(pid, _command(proc, pid))
        for pid in _others(proc)
        if wanted & _open_devices(proc, pid)
    ]


def servers_running(proc: Path = PROC, tcp_port: int = SERVER_PORT) -> List[Server]:
    """Return the OpenFlexure servers of this computer.

    Found by the command line, by the systemd unit of the process, and by a program that
    listens on the server's TCP port and cannot be seen to be another one.

    Parameters
    ----------
    proc : Path
        Where the kernel tells.
    tcp_port : int
        On which the servers listen.
    """
    servers: List[Server] = []
    for pid in _others(proc):
        words = _words(proc, pid)
        groups = _read(proc / str(pid) / "cgroup")
        unit = next((unit for unit in UNITS if f"/{unit}.service" in groups), None)
        if _is_server(words, V2_WORDS):
            servers.append(Server(pid, f"server v2 (process {pid})", V2_STOP))
        elif unit is not None:
            told = f"unit {unit} (process {pid})"
            servers.append(Server(pid, told, f"sudo systemctl stop {unit}"))
        elif _is_server(words, V3_WORDS):
            servers.append(Server(pid, f"server v3 (process {pid})", V3_STOP))
    if not servers and _listens_unseen(proc, tcp_port):
        told = f"a program that listens on TCP port {tcp_port}, where the server does"
        servers.append(Server(None, told, f"{V3_STOP} (v3) or {V2_STOP} (v2)"))
    return servers


def refuse_if_taken(port: Optional[str], proc: Path = PROC) -> None:
    """Refuse to go on while an OpenFlexure server runs, or somebody has the port.

    Parameters
    ----------
    port : str or None
        Of the Sangaboard; None when it is still to be found.
    proc : Path
        Where the kernel tells.

    Raises
    ------
    HardwareBusyError
        Names the program, and what to type.
    """
    servers = servers_running(proc)
    if servers:
        server = servers[0]
        message = f"An OpenFlexure server holds the camera and the board: {server.told}"
        raise HardwareBusyError(f"{message}; stop it with: {server.stop}")
    users = [] if port is None else users_of(port, proc)
    if users:
        message = f"{port} is in use by {told_users(users)}; "
        raise HardwareBusyError(f"{message}end that program, then try again.")


def told_users(users: Sequence[PortUser]) -> str:
    """Return programs for a message."""
    return " and ".join(f"process {user.pid} ({user.command})" for user in users)


# ------------------------------------------------------------------- what /proc tells


def _others(proc: Path) -> Iterator[int]:
    """Yield the processes that are not this one."""
    for entry in sorted(proc.iterdir()):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            yield int(entry.name)


def _device_number(path: Path) -> Optional[int]:
    """Return the number of a device; None for what is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    is_device = stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)
    return found.st_rdev if is_device else None


def _open_devices(proc: Path, pid: int) -> "set[int]":
    """Return the numbers of the devices that a process has open."""
    numbers = map(_device_number, _open_files(proc, pid))
    return {number for number in numbers if number is not None}


def _words(proc: Path, pid: int) -> List[str]:
    """Return the command line of a process as its words."""
    text = _read(proc / str(pid) / "cmdline")
    return [word for word in text.split("\0") if word]


def _is_server(words: Sequence[str], names: Tuple[str, ...]) -> bool:
    """Tell whether a command line starts a server, and does not only speak of it.

    The program itself, or what Python was told to run: an editor that has a file of
    the server open is no server.
    """
    head = [word for word in words[:3] if not word.startswith("-")]
    if not head:
        return False
    first = Path(head[0]).name
    is_python = first.startswith(("python", "gunicorn"))
    runs = head[1:2] if is_python else head[:1]
    return any(name in Path(run).name for run in runs for name in names)


def _command(proc: Path, pid: int) -> str:
    """Return how a process was started."""
    words = " ".join(_words(proc, pid)) or _read(proc / str(pid) / "comm").strip()
    if len(words) > LONGEST_COMMAND:
        words = words[:LONGEST_COMMAND] + "..."
    return words or HIDDEN


def _listens_unseen(proc: Path, tcp_port: int) -> bool:
    """Tell whether a program that we may not look into listens on a TCP port."""
    inodes = _listeners(proc, tcp_port)
    return bool(inodes) and not any(
        f"socket:[{inode}]" in _open_names(proc, pid)
        for inode in inodes
        for pid in [os.getpid(), *_others(proc)]
    )


def _listeners(proc: Path, tcp_port: int) -> List[str]:
    """Return the sockets that listen on a TCP port of this computer."""
    found = []
    for table in TABLES:
        for line in _read(proc / table).splitlines()[1:]:
            address, state, inode = _fields(line)
            if state == LISTENING and int(address.rpartition(":")[2], 16) == tcp_port:
                found.append(inode)
    return found


def _fields(line: str) -> Tuple[str, str, str]:
    """Return address, state and number of a socket in the kernel's table."""
    fields = line.split()
    return fields[1], fields[3], fields[9]


def _open_names(proc: Path, pid: int) -> "set[str]":
    """Return what a process has open, by the kernel's names; empty where hidden."""
    names = set()
    for entry in _open_files(proc, pid):
        with contextlib.suppress(OSError):  # closed meanwhile
            names.add(os.readlink(entry))
    return names


def _open_files(proc: Path, pid: int) -> List[Path]:
    """Return the entries of a process's open files.

    None for one that has ended meanwhile, or that this user may not look into.
    """
    try:
        return list((proc / str(pid) / "fd").iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    """Return a file of the kernel; empty when it went away, or is hidden."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
