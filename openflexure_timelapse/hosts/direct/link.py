"""The sangaboard library's own class, with a deadline on every line and open ears.

What the library (0.4.1) does not do by itself: a silent board would be waited for
without end, noise would come out as an error of Unicode, the banner of a board that
starts anew would be taken for an answer, or thrown away before the next question; that
of one that has just got power would put each answer one question late.
"""

import logging
import re
import select
from typing import Any, Dict, List, Optional, Tuple

from sangaboard import Sangaboard

from openflexure_timelapse.errors import HardwareError

__all__ = ["Link", "LinkTrouble"]

# What goes wrong is told by our errors; the library's log would be a second voice.
logging.getLogger("sangaboard").addHandler(logging.NullHandler())

BANNER = re.compile(r"(Sangaboard Firmware|OpenFlexure Motor Board) v\S+")
LONGEST_LINE = 256
MOST_LINES = 40
TRIES = 3
QUIET_S = 0.05
"""Silence after which a board has said all; adapters hold bytes back up to 16 ms."""
SHOWN = 40


class LinkTrouble(Exception):  # noqa: N818 (never leaves the board's module)
    """What went wrong in an exchange; `Board` translates it.

    Attributes
    ----------
    kind : {"silent", "garbage", "restarted"}
        No whole line came in time; what came is no text; the board has started anew.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Link(Sangaboard):
    """One open port.

    Parameters
    ----------
    port : str
        Of the board.
    reply_s : float
        Longest time for a line, in real seconds: the library reads by those.

    Attributes
    ----------
    name : str
        The port.
    modules : tuple of str
        What the firmware said it has.
    is_ready : bool
        Whether the library has finished its greeting.

    Raises
    ------
    LinkTrouble, OSError
        When nobody answers there, or somebody else has the port.
    HardwareError
        For a firmware that the library does not know.
    """

    def __init__(self, port: str, reply_s: float) -> None:
        # The library's settings belong to the class, and every instance would add its
        # own to them; this hides them behind settings of this instance.
        self.port_settings: Dict[str, Any] = {
            **Sangaboard.port_settings,
            "exclusive": True,
            "write_timeout": reply_s,
        }
        self.name = port
        self.modules: Tuple[str, ...] = ()
        self._reply_s = reply_s
        self._asked = ""
        self._lines_left = MOST_LINES
        self.is_ready = False
        super().__init__(port)
        self.is_ready = True

    # ------------------------------------------------------- what the library calls

    def open(self, port: Optional[str] = None, quiet: bool = True) -> None:  # noqa: FBT001, FBT002 (the library's signature)
        """Open the port, and leave none open that nobody can use."""
        try:
            super().open(port, quiet)
        except BaseException:  # whatever ends it; raised again
            if hasattr(self, "_ser"):
                self.close()
            raise

    def test_communications(self) -> bool:
        """Ask for the firmware, again where the first question fell on a restart.

        What was heard may be the greeting of a board that has just started, with the
        answer behind it; so it is heard out, or each answer would be one too late.
        """
        for left in reversed(range(TRIES)):
            try:
                is_there = bool(super().test_communications())
            except LinkTrouble:  # noqa: PERF203 (twice)
                if not left:
                    raise
            else:
                self._hear_out()
                return is_there
        return False

    def check_valid_firmware(self) -> bool:
        """Tell what firmware there is where the library only says no."""
        is_valid = bool(super().check_valid_firmware())
        said = _shown(self.firmware or "")
        if not is_valid and BANNER.match(said) is None:  # a late answer to a question
            raise LinkTrouble("garbage", f"{said!r} in the place of a version")
        if not is_valid:
            told = f"The board's firmware says {said!r}; "
            raise HardwareError(
                told + "a Sangaboard with firmware 0.5 or 1.0 is needed."
            )
        return is_valid

    def list_modules(self) -> List[str]:
        """Ask for the modules, and remember them."""
        self.modules = tuple(map(str, super().list_modules()))
        return list(self.modules)

    def query(self, message: str, *args: Any, **kwargs: Any) -> str:
        """Ask, and remember what."""
        self._asked, self._lines_left = message, MOST_LINES
        return str(super().query(message, *args, **kwargs))

    def flush_input_buffer(self) -> None:
        """Throw away what came unasked, unless it is the banner of a restart."""
        waiting = self._ser.in_waiting
        if waiting:
            self._listen_for_banner(self._ser.read(waiting).decode("ascii", "replace"))

    def readline(self, timeout: Optional[float] = None) -> str:
        """Read a line, or raise when none comes in time."""
        own_s = self._reply_s  # the library allows 2 s where it allows anything
        self._ser.timeout = own_s if timeout is None else min(own_s, timeout)
        data: bytes = self._ser.read_until(b"\n", LONGEST_LINE)
        self._lines_left -= 1
        if not data:
            raise LinkTrouble("silent", f"no answer to {self._asked!r}")
        try:
            text = data.decode("ascii")
        except UnicodeDecodeError:
            raise LinkTrouble("garbage", _shown(data)) from None
        if not text.endswith("\n") or not text.strip().isprintable():
            raise LinkTrouble("garbage", _shown(data))
        if self._lines_left < 0:
            raise LinkTrouble("garbage", "an answer without end")
        if self._asked != "version":
            self._listen_for_banner(text)
        return text

    # ---------------------------------------------------------------- what is added

    def hear(self, wait_s: float) -> Optional[str]:
        """Return a line that comes by itself; None when none comes in time.

        Raises
        ------
        LinkTrouble, OSError
            As an exchange does.
        """
        self._asked, self._lines_left = "a move", MOST_LINES
        with self.communications_lock:
            ready, _, _ = select.select([self._ser.fileno()], [], [], wait_s)
            return self.readline().strip() if ready else None

    def _hear_out(self) -> None:
        """Throw away what comes, until nothing does."""
        for _ in range(MOST_LINES):
            ready, _, _ = select.select([self._ser.fileno()], [], [], QUIET_S)
            if not ready:
                return
            self._ser.read(max(1, self._ser.in_waiting))

    def _listen_for_banner(self, text: str) -> None:
        """Raise when a board says that it has started anew."""
        if self.is_ready and BANNER.search(text):
            raise LinkTrouble(
                "restarted", f"the board has started anew ({_shown(text)})"
            )


def _shown(data: Any) -> str:
    """Return what came, short enough for a message."""
    text = data.strip() if isinstance(data, str) else repr(bytes(data))
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
