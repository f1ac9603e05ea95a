"""The line to what started the program: systemd, or whatever speaks its words.

A datagram to the socket that ``$NOTIFY_SOCKET`` names, as sd_notify(3) describes it.
While a run makes progress, and while there is none, systemd's watchdog is told so;
when a run is stuck it hears nothing more, ends the process and starts it again, and the
run goes on by itself. Without such a socket, nothing here does anything.
"""

import contextlib
import logging
import os
import socket
import threading
from typing import Any, Callable, Iterator, Mapping

from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.hosts.telling import line_of
from openflexure_timelapse.ports import Clock, Lane

__all__ = ["Lifeline"]

LOG = logging.getLogger(__name__)

NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
SLOWEST_S = 10.0
SIGNS = 4
"""So often within the time that systemd allows."""
STATUS_NS = 5 * NS_PER_S


class Lifeline:
    """Tells systemd how the program is.

    Parameters
    ----------
    environ : mapping of str to str
        The process's environment.
    clock : Clock
        The real one.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._clock = clock
        self._status = ""
        allowed_us = environ.get("WATCHDOG_USEC", "")
        is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.is_watched = bool(self._address) and allowed_us.isdigit() and is_ours
        allowed_s = int(allowed_us) / US_PER_S if self.is_watched else SLOWEST_S
        self._every_ns = int(min(SLOWEST_S, allowed_s / SIGNS) * NS_PER_S)

    def tell(self, *words: str) -> None:
        """Send words such as ``READY=1``; never waits and never raises."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # of the abstract kind, without a file
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.settimeout(0)
                line.sendto("\n".join(words).encode("utf-8"), address)
        except OSError as exc:
            LOG.warning("systemd was not told %s: %s", ", ".join(words), exc)

    @contextlib.contextmanager
    def kept(
        self, is_well: Callable[[], bool], status: Callable[[], Mapping[str, Any]]
    ) -> Iterator[None]:
        """Show signs of life for the length of a ``with`` block.

        Parameters
        ----------
        is_well : callable
            Tells whether no run is stuck; returns at once.
        status : callable
            Returns what the verb ``status`` does; may hang as the disk does.
        """
        if not self._address:
            yield
            return
        end = self._clock.signal()
        lane = self._clock.lane("timelapse-status")

        def work() -> None:
            ended = False
            while not ended:
                if self.is_watched and is_well():
                    self.tell("WATCHDOG=1")
                self._tell_status(lane, status)
                next_ns = self._clock.monotonic_ns() + self._every_ns
                ended = self._clock.wait_until(next_ns, end)

        thread = threading.Thread(target=work, name="timelapse-lifeline", daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()
            lane.close()

    def _tell_status(self, lane: Lane, status: Callable[[], Mapping[str, Any]]) -> None:
        """Tell in a line how the run goes, when that has changed."""
        deadline_ns = self._clock.monotonic_ns() + STATUS_NS
        try:
            told = lane.call("tell the status", status, deadline_ns)
        except TimelapseError as exc:
            line = str(exc)
        else:
            line = " ".join([line_of(told), *told.get("warnings", ())[:1]])
        line = line.replace("\n", " ")
        if line != self._status:
            self._status = line
            self.tell(f"STATUS={line}")
