"""One life of the camera's process, from its start to its end."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, Mapping, NamedTuple, Optional

from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.hosts.direct.wire import Message, receive, send
from openflexure_timelapse.ports import Clock, Signal

__all__ = ["CameraProcess"]

CHILD = "openflexure_timelapse.hosts.direct.camera_child"
JOIN_S = 5.0
GENTLE_S = 2.0
LAST_WORDS = 12


class _Asked(NamedTuple):
    """A question that waits for its answer."""

    arrived: Signal
    answers: Deque[Message]


def _started(
    line: socket.socket, environ: Optional[Mapping[str, str]]
) -> "subprocess.Popen[bytes]":
    """Return the process, with the other end of the socket."""
    return subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-m", CHILD, str(line.fileno())],
        pass_fds=(line.fileno(),),
        env=None if environ is None else dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


class CameraProcess:
    """Starts the process, asks it, hears its frames, and kills it.

    Parameters
    ----------
    machine : Clock
        The machine's own.
    settings : mapping
        Of `CameraSettings`, and ``controls``; JSON-able.
    environ : mapping or None
        Of the process; None for this one's.
    on_frame : callable
        Called with each frame's message, in a thread of this object.
    on_change : callable
        Called when it has opened, failed or ended, in a thread of this object.

    Attributes
    ----------
    facts : dict or None
        What the camera is; None until it has opened.
    failure : str
        Why it did not open; empty while nothing failed.
    hopeless : bool
        Whether another start cannot help.
    """

    def __init__(
        self,
        machine: Clock,
        settings: Mapping[str, Any],
        environ: Optional[Mapping[str, str]],
        on_frame: Callable[[Message], None],
        on_change: Callable[[], None],
    ) -> None:
        self._machine = machine
        self._on_frame = on_frame
        self._on_change = on_change
        self.facts: Optional[Dict[str, Any]] = None
        self.failure = ""
        self.hopeless = False
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._asked: Dict[int, _Asked] = {}
        self._number = 0
        self._over = False
        self._words: Deque[str] = deque(maxlen=LAST_WORDS)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._line = ours
        with theirs:
            try:
                self._process = _started(theirs, environ)
            except OSError:
                ours.close()
                raise
        self._threads = [
            threading.Thread(target=each, name=f"timelapse-camera-{name}", daemon=True)
            for name, each in (("reader", self._read), ("words", self._listen))
        ]
        for thread in self._threads:
            thread.start()
        self._send({"do": "open", **settings})

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or does not listen any more."""
        return self._over

    def last_words(self) -> str:
        """Return what it wrote at last into its standard error."""
        return " | ".join(self._words)

    # ------------------------------------------------------------------------ asking

    def ask(self, question: Mapping[str, Any], until_ns: int) -> Message:
        """Ask, and return the answer.

        Parameters
        ----------
        question : mapping
            ``do`` and what belongs to it.
        until_ns : int
            Machine time by which it must have answered.

        Raises
        ------
        HardwareTimeoutError
            When it did not, or ended meanwhile.
        HardwareError
            When it refused.
        """
        with self._lock:
            self._number += 1
            number = self._number
            asked = _Asked(self._machine.signal(), deque())
            self._asked[number] = asked
        try:
            self._send({**question, "id": number})
            if not self._over:
                self._machine.wait_until(until_ns, asked.arrived)
        finally:
            with self._lock:
                del self._asked[number]
        if not asked.answers:
            why = "stopped working and is started again" if self._over else "is silent"
            message = f"The camera {why}; "
            raise HardwareTimeoutError(message + "the next picture may work.")
        answer = asked.answers[0]
        if answer.header["told"] == "refused":
            kind = answer.header["kind"]
            error = HardwareTimeoutError if kind == "timeout" else HardwareError
            if question["do"] == "controls":
                told = f"The camera does not take {question['controls']}: "
                raise error(f"{told}{answer.header['error']}; choose other values.")
            told = f"The camera gave no picture: {answer.header['error']}; "
            raise error(told + "look at its ribbon cable if this happens again.")
        return answer

    def _send(self, message: Mapping[str, Any]) -> None:
        """Send a message; a process that is gone is noticed by the reader."""
        with self._sending, contextlib.suppress(OSError):
            send(self._line, message)

    # ----------------------------------------------------------------------- hearing

    def _read(self) -> None:
        """Hear the process until it ends."""
        while True:
            message = receive(self._line)
            if message is None:
                break
            told = message.header.get("told")
            if told == "frame":
                self._on_frame(message)
            elif told in {"done", "refused"}:
                self._answer(message)
            elif told == "opened":
                self.facts = message.header["facts"]
                self._on_change()
            elif told == "failed":
                self.failure = message.header["error"]
                self.hopeless = message.header["fatal"]
        with self._lock:
            self._over = True
            waiting = list(self._asked.values())
        for asked in waiting:
            asked.arrived.set()
        self._on_change()

    def _answer(self, message: Message) -> None:
        """Give an answer to who waits for it; nobody may, any more."""
        with self._lock:
            asked = self._asked.get(message.header["id"])
            if asked is not None:
                asked.answers.append(message)
                asked.arrived.set()

    def _listen(self) -> None:
        """Keep the last lines of the standard error, and let the pipe never fill."""
        stream = self._process.stderr
        if stream is not None:
            # Closed here: elsewhere that would wait for a process that never ends.
            with stream:
                for line in stream:
                    self._words.append(line.decode("utf-8", "replace").strip())

    # ------------------------------------------------------------------------ ending

    def kill(self) -> None:
        """End it at once, whatever it hangs in, and wait for that."""
        self._process.kill()
        self._end()

    def close(self) -> None:
        """Ask it to stop the camera, and kill it when it does not."""
        self._send({"do": "close"})
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GENTLE_S)
        self.kill()

    def _end(self) -> None:
        """Close what belongs to it."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        # One that hangs in the kernel stays until that lets it go; its descriptors are
        # not ours.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(JOIN_S)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(JOIN_S)
        self._line.close()
