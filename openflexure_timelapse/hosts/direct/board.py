"""A Sangaboard: every exchange has a deadline, every trouble is told.

Trouble on the line never lasts longer than it must. What may be asked twice is asked
again at once, over a port that was opened anew where that is needed; a command to move
is never repeated, since nobody knows whether it was heard. Each trouble is an incident,
which the run's log takes over.
"""

import re
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Dict, List, Match, Optional, Tuple

from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    HardwareTimeoutError,
)
from openflexure_timelapse.hosts.direct.port import (
    check_library,
    find_ports,
    open_first,
    ports_after,
)
from openflexure_timelapse.ports import JsonDict

if TYPE_CHECKING:
    from openflexure_timelapse.hosts.direct.link import Link

__all__ = ["ANY", "OBEYED", "Board", "BoardFacts"]

ANY = r".*"
"""An answer of which only the end matters."""
OBEYED = r"(?!Error|Type ).+"
"""An answer that is no refusal: firmware 1.0.4 is not public, its words not known."""
DONE = r"(done\.?|stopped)"
COUNT = r"(-?\d+) (-?\d+) (-?\d+)"
MOST_INCIDENTS = 200
NEW = 1
LOOK_S = 0.05
CLOSED = "The board was closed; start the program again."


@dataclass(frozen=True)
class BoardFacts:
    """What does not change about a board, but for the number of its port.

    Attributes
    ----------
    port : str
        Where it is connected.
    board, firmware : str
        As it calls itself.
    modules : tuple of str
        What its firmware has besides motors.
    has_light : bool
        Whether it can switch an illumination.
    is_blocking : bool
        Whether it hears nothing while it moves (version 0.5).
    starts_from_zero : bool
        Whether it forgets its count with its power (version 1).
    """

    port: str
    board: str
    firmware: str
    modules: Tuple[str, ...]
    has_light: bool
    is_blocking: bool
    starts_from_zero: bool


class Board:
    """One board, for as long as the program runs, whatever happens to its cable.

    Parameters
    ----------
    port : str or None
        Its device; None: the usual ones are tried.
    reply_s : float
        Longest time for an answer, in real seconds.

    Attributes
    ----------
    facts : BoardFacts
        What it is.
    epoch : int
        Grows with each restart of the board and each reopening of the port: who
        remembers what the board counted must look again.

    Raises
    ------
    HardwareBusyError
        When somebody else has the port.
    HardwareError
        When there is no Sangaboard, or one with a firmware that is not known.
    """

    def __init__(self, port: Optional[str] = None, reply_s: float = 2.0) -> None:
        check_library()
        self._reply_s = reply_s
        self._lock = threading.RLock()
        self._incidents: List[JsonDict] = []
        self._kept: Dict[str, Tuple[str, str]] = {}
        self._needs_restoring = True
        self._closed = threading.Event()
        self._moves_deaf = False
        self.epoch = 0
        self._is_named = port is not None
        self._lost_s = 0.0
        ports = find_ports() if port is None else [port]
        self._link: Optional[Link] = open_first(ports, reply_s)
        self.facts = _facts_of(self._link)
        if not self.facts.is_blocking:
            self.keep("blocking_moves", "blocking_moves false", OBEYED)

    # ------------------------------------------------------------------- the exchange

    def ask(self, message: str, form: str, *, again: bool = True) -> Match[str]:
        """Send a command and return its answer.

        Parameters
        ----------
        message : str
            The command, without an end of line.
        form : str
            A regular expression that the whole answer must match.
        again : bool
            Whether it may be sent twice: not for a move.

        Raises
        ------
        HardwareTimeoutError
            When the board gives no answer.
        HardwareError
            When it is unplugged, answers with something else, or has started anew.
        """
        with self._lock:
            if self._moves_deaf:
                message = f"The board is moving and cannot be asked {message!r}; "
                raise HardwareBusyError(message + "wait until the move is over.")
            try:
                return self._exchange(message, form)
            except HardwareError:
                if not again:
                    raise
                return self._exchange(message, form)

    def count(self) -> Tuple[int, int, int]:
        """Return what the board counts, in its own steps."""
        x, y, z = map(int, self.ask("p?", COUNT).groups())
        return x, y, z

    def begin_deaf_move(self, message: str) -> None:
        """Send a move to a board that hears nothing until it is over; no answer yet."""
        with self._lock:
            link = self._ready_link()
            try:
                link.flush_input_buffer()
                link.write(message)
            except Exception as exc:  # pyserial and the library
                raise self._trouble(exc, message) from exc
            self._moves_deaf = True

    def hear_end(self, wait_s: float) -> bool:
        """Tell whether the end of such a move is heard within `wait_s` real seconds.

        Raises
        ------
        HardwareError
            When something else is heard, or the board is gone.
        """
        with self._lock:
            if not self._moves_deaf or self._link is None:
                raise HardwareError("The move was broken off; look where the stage is.")
            try:
                line = self._link.hear(wait_s)
            except Exception as exc:  # pyserial and the library
                raise self._trouble(exc, "a move") from exc
            if line is None:
                return False
            self._moves_deaf = False
            if re.fullmatch(DONE, line) is None:
                raise self._strange("a move", line)
            return True

    def give_up_deaf_move(self) -> None:
        """Wait no more for the end of a move; the port is opened anew before the next.

        What the board says late is then not taken for another answer.
        """
        with self._lock:
            self._drop_link()

    def keep(self, name: str, message: str, form: str = ANY) -> Match[str]:
        """Send a setting, and again whenever the board has forgotten it.

        Parameters
        ----------
        name : str
            What is set; a later call with the same name replaces this one.
        message, form : str
            As `ask` takes them.
        """
        with self._lock:
            self._kept[name] = (message, form)
            return self.ask(message, form)

    def set_again(self) -> None:
        """Take note that the board has started anew without a word."""
        with self._lock:
            self.epoch += 1
            self._needs_restoring = True

    def close(self) -> None:
        """Close the port; whoever waits for a board to come back waits no more."""
        self._closed.set()
        with self._lock:
            self._drop_link()

    # ---------------------------------------------------------------------- incidents

    def incidents(self) -> List[JsonDict]:
        """Return what has happened since the last call, and forget it.

        Returns
        -------
        list of dict
            ``kind`` (``silent``, ``garbage``, ``board_reset``, ``unplugged``,
            ``reconnected``, and what a stage adds) and ``detail``, a sentence.
        """
        with self._lock:
            told, self._incidents = self._incidents, []
            return told

    def note(self, kind: str, detail: str) -> None:
        """Take note of an incident; of very many, only the first are kept."""
        with self._lock:
            if len(self._incidents) < MOST_INCIDENTS:
                self._incidents.append({"kind": kind, "detail": detail})

    # ------------------------------------------------------------------------ the line

    def _exchange(self, message: str, form: str) -> Match[str]:
        """Ask once, over a line that is ready."""
        link = self._ready_link()
        try:
            answer = link.query(message)
        except Exception as exc:  # pyserial and the library
            raise self._trouble(exc, message) from exc
        found = re.fullmatch(form, answer)
        if found is None:
            raise self._strange(message, answer)
        return found

    def _strange(self, message: str, answer: str) -> HardwareError:
        """Note an answer to something else; the line is opened anew, so it is empty."""
        self.note("garbage", f"{message!r} was answered by {answer!r}")
        self._drop_link()
        told = f"The board answered {message!r} with {answer!r}; "
        return HardwareError(told + "check its cable and its firmware.")

    def _trouble(self, error: Exception, message: str) -> HardwareError:
        """Note what went wrong in an exchange, and return our error."""
        kind = getattr(error, "kind", "")
        self._moves_deaf = False
        if isinstance(error, HardwareError):
            return error
        if kind == "restarted":
            self.epoch += 1
            self._needs_restoring = True
            self.note("board_reset", f"at {message!r}: {error}")
            told = f"The board started anew at {message!r}; check its supply."
            return HardwareError(told)
        self._drop_link()
        if kind == "silent":
            self.note("silent", str(error))
            told = (
                f"The board gave no answer to {message!r} within {self._reply_s:g} s; "
            )
            return HardwareTimeoutError(told + "check its cable and its power.")
        if kind == "garbage":
            self.note("garbage", f"{message!r} was answered by {error}")
            told = f"The board answered {message!r} with noise ({error}); "
            return HardwareError(told + "check its cable and its supply.")
        self.note("unplugged", f"at {message!r}: {error}")
        told = f"The board is gone from its port at {message!r} ({error}); "
        return HardwareError(told + "check its cable.")

    def _drop_link(self) -> None:
        """Close the port; it is opened anew when it is needed."""
        link, self._link = self._link, None
        self._moves_deaf = False
        if link is not None:
            self._lost_s = time.monotonic()
            link.close()

    def _ready_link(self) -> "Link":
        """Return an open line to a board that is set as it must be."""
        if self._closed.is_set():
            raise HardwareError(CLOSED)
        if self._link is None:
            self._link = self._reopen()
            self._needs_restoring = True
            self.epoch += 1
            self.facts = replace(self.facts, port=self._link.name)
            self.note("reconnected", f"{self._link.firmware} at {self.facts.port}")
        link = self._link
        while self._needs_restoring:
            self._needs_restoring = False
            for message, form in self._kept.values():
                try:
                    answer = link.query(message)
                except Exception as exc:  # pyserial and the library
                    self._needs_restoring = True
                    raise self._trouble(exc, message) from exc
                if re.fullmatch(form, answer) is None:
                    raise self._strange(message, answer)
        return link

    def _reopen(self) -> "Link":
        """Open the port again.

        A board with USB of its own takes its port along when it starts anew, and comes
        back after a second or so: a port that has just been lost is waited for.
        """
        port = self.facts.port
        while True:
            try:
                ports = [port] if self._is_named else ports_after(port)
                return open_first(ports, self._reply_s)
            except HardwareError:
                if time.monotonic() > self._lost_s + self._reply_s:
                    raise
            # A poll: nothing tells of a port that comes.
            if self._closed.wait(LOOK_S):
                raise HardwareError(CLOSED)


def _facts_of(link: "Link") -> BoardFacts:
    """Return what a board says of itself."""
    is_new = link.version_tuple[0] >= NEW
    return BoardFacts(
        port=link.name,
        board=str(link.board),
        firmware=str(link.firmware),
        modules=link.modules,
        has_light=hasattr(link, "illumination"),
        is_blocking=not is_new,
        starts_from_zero=is_new,
    )
