"""The end of a run: the hardware put back, the table written, the books on disk."""

from typing import Callable, Optional

from openflexure_timelapse.disk_watch import DiskWatch
from openflexure_timelapse.errors import HardwareError, StorageError
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.ports import Signal
from openflexure_timelapse.pulse import Pulse
from openflexure_timelapse.status import StatusBoard
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["Ending"]

NS_PER_S = 1_000_000_000
LOOK_AGAIN_NS = 10 * NS_PER_S


class Ending:
    """What an engine does when its loop is over.

    Parameters
    ----------
    store, pulse, ledger, board, watch
        The engine's.
    wake : Signal
        Raised when a wait is to be cut short.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (parts of the engine)
        self,
        store: RunStore,
        pulse: Pulse,
        ledger: Ledger,
        board: StatusBoard,
        watch: DiskWatch,
        wake: Signal,
    ) -> None:
        self._store = store
        self._pulse = pulse
        self._ledger = ledger
        self._board = board
        self._watch = watch
        self._wake = wake

    def put_back(self, *works: Callable[[], None]) -> None:
        """Put the hardware back, one thing after the other; what cannot be, is told."""
        for work in works:
            try:
                work()
            except HardwareError as exc:  # noqa: PERF203 (the rest is put back)
                self._board.see_not_restored(str(exc))
                self._ledger.event("hardware_not_restored", {"error": str(exc)})

    def write_csv(self) -> Optional[StorageError]:
        """Write the list of frames; return what keeps it from the disk."""
        try:
            self._store.check_in_place()
            self._store.write_csv(self._pulse.beat)
        except StorageError as exc:
            return exc
        return None

    def is_written(self, is_leaving: Callable[[], bool]) -> bool:
        """Wait until all is on disk, however long that takes; False when left."""
        while not self._watch.is_written():
            if is_leaving():
                return False
            self._wake.clear()
            look_again_ns = self._pulse.monotonic_ns() + LOOK_AGAIN_NS
            self._pulse.wait_until(look_again_ns, self._wake)
        return True
