"""Somebody else who uses the simulated server v3: the fault ``in_use``."""

import threading
from typing import Any

from hardware_sim.faults import Faults

__all__ = ["Visitor"]

LOOK_S = 0.005
END_S = 10.0


class Visitor:
    """Holds the global lock while the schedule says that the microscope is in use.

    Parameters
    ----------
    server : lt.ThingServer
        Whose lock.
    faults : Faults
        The schedule.
    """

    def __init__(self, server: Any, faults: Faults) -> None:
        self._lock = server.global_lock
        self._faults = faults
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._visit, name="v3 visitor")
        self._comes = self._lock is not None and bool(faults.of("in_use"))

    def start(self) -> None:
        """Come and go from now on, if the schedule ever says so."""
        if self._comes:
            self._thread.start()

    def close(self) -> None:
        """Go and come no more."""
        self._gone.set()
        if self._thread.ident is not None:
            self._thread.join(END_S)

    def _visit(self) -> None:
        """Take the lock and give it back; the work of one thread, which owns it."""
        held = False
        while not self._gone.wait(LOOK_S):
            wanted = self._faults.find("in_use") is not None
            if wanted and not held:
                held = self._lock.acquire(timeout=LOOK_S)
            elif held and not wanted:
                self._lock.release()
                held = False
        if held:
            self._lock.release()
