"""The camera's own process: ``python -m ….camera_child DESCRIPTOR``.

It alone touches picamera2, whose calls may hang for ever when a camera is gone; whoever
started it then kills it. It ends by itself when its starter is gone. Told what to do,
and telling what it saw, by `wire` messages through the socket with that descriptor.

``open`` settings → ``opened`` facts, or ``failed``; then a ``frame`` for each picture
of the live view. ``still``, ``raw`` and ``controls``, each with an ``id``, are answered
by ``done`` or ``refused`` of that id; ``close`` ends the process.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
from typing import Any, Dict, Mapping, Sequence

from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.hosts.direct.wire import Bytes, Message, receive, send

__all__ = ["Outbox", "die_with_parent", "main"]

DIE_WITH_PARENT = 1
"""``PR_SET_PDEATHSIG`` of prctl(2)."""


class Outbox:
    """Sends messages from several threads.

    Parameters
    ----------
    line : socket
        To the process that started this one.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._turn = threading.Lock()

    def tell(self, told: str, body: Sequence[Bytes] = (), **facts: Any) -> None:
        """Send a message; when nobody reads any more, end this process."""
        try:
            with self._turn:
                send(self._line, {"told": told, **facts}, body)
        except OSError:
            os._exit(0)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends."""
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if prctl is not None:
        prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def main(arguments: Sequence[str]) -> int:
    """Serve the camera until the socket closes.

    Parameters
    ----------
    arguments : sequence of str
        The socket's descriptor.
    """
    die_with_parent()
    # A keyboard's interrupt goes to all processes of a terminal, and systemd's end to
    # all of a service, which may still take its last picture; the other one decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    line = socket.socket(fileno=int(arguments[0]))
    outbox = Outbox(line)
    message = receive(line)
    if message is None:
        return 0
    camera = _opened(outbox, message.header)
    # picamera2 would wait for the camera at the end of the interpreter.
    if camera is None:
        os._exit(1)
    while True:
        message = receive(line)
        if message is None:
            os._exit(0)
        if message.header["do"] == "close":
            with contextlib.suppress(Exception):
                camera.close()
            os._exit(0)
        _obey(outbox, camera, message)


def _opened(outbox: Outbox, settings: Mapping[str, Any]) -> Any:
    """Return the camera, opened and streaming; None when it could not be."""
    try:
        from openflexure_timelapse.hosts.direct.eye import Eye  # noqa: PLC0415 (needs picamera2)
    except Exception as exc:  # noqa: BLE001 - told to whoever waits
        outbox.tell("failed", error=_not_loaded(exc), fatal=True)
        return None
    try:
        camera = Eye(outbox, settings)
        camera.begin()
        outbox.tell("opened", facts=camera.facts)
    except Exception as exc:  # noqa: BLE001 - a library's; told to whoever waits
        outbox.tell("failed", error=_sentence(exc), fatal=False)
        return None
    return camera


def _obey(outbox: Outbox, camera: Any, message: Message) -> None:
    """Do what a message says, and answer it now or later."""
    asked: Dict[str, Any] = message.header
    try:
        if asked["do"] == "controls":
            camera.set_controls(asked["controls"])
            outbox.tell("done", id=asked["id"])
        else:
            camera.take(asked)
    except Exception as exc:  # noqa: BLE001 - a library's; told to whoever waits
        outbox.tell("refused", id=asked["id"], error=_sentence(exc), kind="error")


def _not_loaded(error: Exception) -> str:
    """Return what to do where the libraries are not there, or do not fit each other."""
    told = f"The camera's library could not be loaded ({error}); "
    if not isinstance(error, ImportError):
        # Compiled for the system's numpy, they refuse to work with one of pip's.
        told += "make the environment anew with the system's numpy, as docs/direct.md "
        return told + "says under What you need."
    told += "type: sudo apt install python3-picamera2, and use a Python that sees the "
    return told + "system's packages (python3 -m venv --system-site-packages)."


def _sentence(error: BaseException) -> str:
    """Return what went wrong, for people."""
    if isinstance(error, TimelapseError):
        return str(error)
    cause = f" (from {error.__cause__!r})" if error.__cause__ is not None else ""
    return f"{error!r}{cause}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
