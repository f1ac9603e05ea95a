"""Whether the disk takes the next slot, and what keeps it from that."""

import contextlib
from typing import Callable, Optional

from openflexure_timelapse.errors import DiskFullError, StorageError
from openflexure_timelapse.forecast import Forecast, has_room, room_returned
from openflexure_timelapse.ledger import Ledger
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.store.disk import temporary_name
from openflexure_timelapse.store.layout import INDEX_FILE
from openflexure_timelapse.store.recover import recover
from openflexure_timelapse.store.run_store import RunStore, Totals

__all__ = ["Room"]

BYTES_PER_MB = 1_000_000


class Room:
    """Asks the disk and the ledger, and opens the run anew after the disk has failed.

    Parameters
    ----------
    plan : Plan
        For ``keep_free_mb`` and the frames of a slot.
    store : RunStore
        Whose disk is asked.
    disk : Disk
        The port.
    ledger : Ledger
        Is flushed first.
    typical_frame_bytes : int
        The camera's word, until there are frames to measure.

    Attributes
    ----------
    forecast : Forecast
        What a slot costs.
    """

    def __init__(
        self,
        plan: Plan,
        store: RunStore,
        disk: Disk,
        ledger: Ledger,
        typical_frame_bytes: int,
    ) -> None:
        self._store = store
        self._disk = disk
        self._ledger = ledger
        self._keep_free_bytes = plan.keep_free_mb * BYTES_PER_MB
        self._per_slot = len(plan.position_names()) * plan.planes.count
        self.forecast = Forecast(self._per_slot, typical_frame_bytes)
        self._has_failed = False
        self.learn(store.totals())

    @property
    def frames_per_slot(self) -> int:
        """Positions times planes."""
        return self._per_slot

    def learn(self, totals: Totals) -> None:
        """Take note of what the run has stored."""
        self.forecast = self.forecast.after(totals.frames, totals.bytes)

    def problem(self) -> Optional[StorageError]:
        """Return what keeps the next slot from being stored; None when nothing does.

        A `DiskFullError` when space is all that is lacking.
        """
        try:
            self._come_back()
            # Rows that find no memory wait: that is no matter of the disk.
            with contextlib.suppress(MemoryError):
                self._ledger.write_all()
            self._check_space(has_room)
        except StorageError as exc:
            return self._explained(exc)
        return None

    def lasting_problem(self) -> Optional[StorageError]:
        """Return what still keeps a run paused that was paused for its disk.

        None when the disk has taken a file like a frame, and all that waited.
        """
        try:
            self._come_back()
            self._check_space(room_returned)
            # A quota, or a disk that others fill, is seen in no number but this.
            self._try(self.forecast.frame_bytes)
            self._write_all()
        except StorageError as exc:
            return self._explained(exc)
        return None

    def unwritten(self) -> Optional[StorageError]:
        """Return what keeps the rows that wait from being written; None when none do.

        For a run that ends: it needs no more room than for them.
        """
        try:
            self._come_back()
            self._write_all()
        except StorageError as exc:
            return self._explained(exc)
        return None

    def _write_all(self) -> None:
        """Write the rows that wait; what keeps them is a matter of the disk here."""
        try:
            self._ledger.write_all()
        except MemoryError as exc:
            told = "There is no memory to record what has happened; "
            raise StorageError(told + "close other programs.") from exc

    def _come_back(self) -> None:
        """Open the run anew if the disk has failed since it was opened.

        Open files of a disk that was away belong to the one that was, and SQLite does
        not believe in a device that has failed it once.
        """
        if self._has_failed:
            self._try(1)
            self._store.reopen()
            recover(self._store)
            self._has_failed = False
        self._store.check_in_place()

    def _check_space(self, suffices: Callable[[Forecast, int, int], bool]) -> None:
        """Refuse to go on without room."""
        free_bytes = self._disk.free_bytes(str(self._store.folder))
        if not suffices(self.forecast, free_bytes, self._keep_free_bytes):
            told = f"The disk has {free_bytes / BYTES_PER_MB:.0f} MB free, and the run "
            told += f"leaves {self._keep_free_bytes / BYTES_PER_MB:.0f} MB free; "
            raise DiskFullError(told + "free some space and it goes on by itself.")

    def _try(self, size_bytes: int) -> None:
        """Write a file of that size beside the run's index, and remove it."""
        folder = self._store.folder
        if not (folder / INDEX_FILE).is_file():
            told = f"The run's folder {folder} is not there any more; mount its disk "
            raise StorageError(told + "again, and the run goes on by itself.")
        path = str(folder / temporary_name("try"))
        self._disk.write(path, bytes(size_bytes))
        self._disk.remove(path)

    def _explained(self, problem: StorageError) -> StorageError:
        """Return what a problem really is: SQLite takes a quota for a broken disk."""
        if isinstance(problem, DiskFullError):
            return problem
        self._has_failed = True
        self._store.release()
        try:
            self._try(self.forecast.frame_bytes)
        except StorageError as exc:
            return exc
        return problem
