"""The self-check of a microscope without a server, part by part.

What another program holds is not opened. Nothing moves unless that was asked for.
"""

import contextlib
import getpass
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from openflexure_timelapse.hosts.direct.check_board import check_board
from openflexure_timelapse.hosts.direct.check_camera import check_camera
from openflexure_timelapse.hosts.direct.check_computer import check_computer
from openflexure_timelapse.hosts.direct.claims import (
    HIDDEN,
    PortUser,
    camera_users,
    servers_running,
    users_of,
)
from openflexure_timelapse.hosts.direct.config import DirectSettings
from openflexure_timelapse.hosts.direct.opening import PLACE_FILE
from openflexure_timelapse.hosts.direct.port import find_ports
from openflexure_timelapse.hosts.finding import Finding
from openflexure_timelapse.ports import Clock

__all__ = ["PLACE_FILE", "CheckupOrder", "checkup", "private_words"]


@dataclass(frozen=True)
class CheckupOrder:
    """What to check, and how far.

    Attributes
    ----------
    data_folder : Path
        Where runs would be kept.
    place_file : Path
        Where the stage's place is kept.
    port : str or None
        Of the board, instead of the settings'.
    stills : int
        How many to take.
    moves : bool
        Whether the stage may move a little.
    """

    data_folder: Path
    place_file: Path
    port: Optional[str] = None
    stills: int = 5
    moves: bool = False


def checkup(
    order: CheckupOrder, settings: DirectSettings, clock: Clock
) -> Iterator[Finding]:
    """Yield what is found, one thing after the other, whatever fails.

    Parameters
    ----------
    order : CheckupOrder
        What to check.
    settings : DirectSettings
        As a run would have them.
    clock : Clock
        Measures.
    """
    if order.port is not None:
        settings = replace(settings, port=order.port)
    yield from check_computer(order.data_folder)
    servers = servers_running()
    if servers:
        told = (
            f"OpenFlexure's {servers[0].told} holds camera and board, which were not "
        )
        yield Finding("Users", "bad", f"{told}looked at; stop it: {servers[0].stop}")
        return
    ports = find_ports() if settings.port is None else [settings.port]
    of_board = [user for port in ports for user in users_of(port)]
    of_camera = camera_users()
    if not of_board and not of_camera:
        told = "no OpenFlexure server runs, and no other program has camera or board"
        yield Finding("Users", "good", told)
    yield from _unless_used("Camera", of_camera) or check_camera(
        settings.camera, clock, order.stills
    )
    yield from _unless_used("Board", of_board) or check_board(
        settings, clock, order.place_file, moves=order.moves
    )


def _unless_used(topic: str, users: List[PortUser]) -> List[Finding]:
    """Return that others have a part, without what else their command lines say."""
    if not users:
        return []
    names = [f"process {user.pid} ({_program(user.command)})" for user in users]
    told = f"in use by {', '.join(names)}, so it was not looked at; end that first"
    return [Finding(topic, "bad", told)]


def _program(command: str) -> str:
    """Return the name of a program, or of what Python runs, and no other word."""
    if command == HIDDEN:
        return command
    first, *words = command.split()
    name = Path(first).name
    if not name.startswith("python"):
        return name
    runs = words[1:] if words[:1] == ["-m"] else words
    is_told = bool(runs) and not runs[0].startswith("-")
    return f"{name} {Path(runs[0]).name}" if is_told else name


def private_words() -> Dict[str, str]:
    """Return what a report must not tell of this computer and who uses it."""
    words = {
        platform.node(): "this-computer",
        str(Path.home()): "~",
        str(Path.cwd()): "here",
    }
    with contextlib.suppress(KeyError, OSError):  # a user without a name
        words[getpass.getuser()] = "user"
    if "SUDO_USER" in os.environ:
        words[os.environ["SUDO_USER"]] = "user"
    return words
