"""The reading half of a run on disk: header, counts, and lists in pages."""

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from openflexure_timelapse.errors import InvalidRequestError, NotFoundError
from openflexure_timelapse.frame import Event, Frame, Slot, Visit
from openflexure_timelapse.store.begun import begun_files
from openflexure_timelapse.store.counting import ReasonCount, count_reasons
from openflexure_timelapse.store.frames_csv import write_frames_csv
from openflexure_timelapse.store.header import read_header
from openflexure_timelapse.store.index import Index, Totals
from openflexure_timelapse.store.layout import (
    CSV_FILE,
    HEADER_FILE,
    INDEX_FILE,
    FrameName,
)
from openflexure_timelapse.store.overview import Overview
from openflexure_timelapse.store.survey import Survey

__all__ = ["RunReader"]

LARGEST_KEY = 2**63 - 1
CSV_PAGE = 1000
FULL_LOG_BYTES = 4_150_000
"""SQLite begins its log anew after a thousand pages of 4096 bytes."""


def _nothing() -> None:
    """Do nothing."""


class RunReader:
    """What can be read of a run, from any number of threads.

    Attributes
    ----------
    folder : Path
        Of the run, absolute.
    run_id : str
        The folder's name.
    overview : Overview
        The run at a glance.
    survey : Survey
        Its frames by a few of their facts.
    """

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.run_id = folder.name
        self._header = read_header(folder)
        self._index = index
        self.overview = Overview(index)
        self.survey = Survey(index)

    @property
    def header(self) -> Dict[str, Any]:
        """The content of ``run.json``, with ``id`` and ``dataset_id``."""
        return dict(self._header)

    def value(self, key: str) -> Any:
        """Return what `set_value` kept under `key`, None when nothing was."""
        return self._index.value(key)

    @property
    def is_there(self) -> bool:
        """Whether the run's folder is still at its place."""
        return (self.folder / HEADER_FILE).is_file()

    def log_growth_bytes(self) -> int:
        """Return by how much the index's log will still grow; then it is reused."""
        log = self.folder / f"{INDEX_FILE}-wal"
        try:
            return max(0, FULL_LOG_BYTES - log.stat().st_size)
        except OSError:  # none yet, or its disk is away
            return FULL_LOG_BYTES

    def engine(self) -> Dict[str, Any]:
        """Return what the engine kept: ``state``, ``settings``; empty for nothing."""
        kept = self._index.value("engine")
        whole = isinstance(kept, dict) and isinstance(kept.get("state"), dict)
        return kept if whole else {}

    def totals(self) -> Totals:
        """Return the counts; costs the same for any number of frames."""
        return self._index.totals()

    def frames(
        self,
        after: int = 0,
        limit: int = 100,
        position: Optional[str] = None,
        plane: Optional[int] = None,
    ) -> List[Frame]:
        """Return a page of frames in the order of their numbers.

        Parameters
        ----------
        after : int
            The number of the last frame that the caller has; 0 for the first page.
        limit : int
            The most frames to return, at least 1.
        position, plane
            Only frames of these; None for all.
        """
        after, limit = _page(after, limit)
        return self._index.frames(after, limit, position, plane)

    def frame(self, n: int) -> Frame:
        """Return the frame with number `n`.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        found = self._index.frame(n) if 0 < n <= LARGEST_KEY else None
        if found is None:
            message = f"The run {self.run_id} has no frame {n}; its last frame is "
            raise NotFoundError(message + f"{self._index.last_n()}.")
        return found

    def frame_at(self, slot: int, position: str, plane: int) -> Optional[Frame]:
        """Return the frame of a slot, position and plane, None when there is none."""
        return self._index.frame_at(slot, position, plane)

    def count_frames(self, position: str, plane: int) -> int:
        """Return the number of frames of a position and plane; costs a walk."""
        return self._index.count_frames(position, plane)

    def lists(self, name: FrameName) -> bool:
        """Tell whether the frame of a file name is listed."""
        return self._index.lists(name)

    def set_aside(self, file: str) -> Optional[Tuple[str, Optional[str]]]:
        """Return why a repair did not list a file, and its SHA-256 if it had one.

        None when no repair met it.
        """
        return self._index.set_aside(file)

    def begun_files(self) -> List[str]:
        """Return the names of frames whose writing may have been cut short.

        A process that was killed can have left a file, with its name or a temporary
        one, for these and for no others. Most of them are not there.
        """
        with self._index.readers.borrow() as reader:
            return begun_files(reader, self.folder)

    def last_frame(
        self, position: Optional[str] = None, plane: Optional[int] = None
    ) -> Optional[Frame]:
        """Return the newest frame (of a position, of a plane), None without any."""
        return self._index.last_frame(position, plane)

    def visits(self, after: int = 0, limit: int = 100) -> List[Visit]:
        """Return a page of visits as recorded.

        Parameters
        ----------
        after : int
            How many the caller has already: the next page is after ``after +
            len(page)``.
        limit : int
            The most to return, at least 1.
        """
        return self._index.visits(*_page(after, limit))

    def visit_at(self, slot: int, position: str) -> Optional[Visit]:
        """Return the visit of a slot and position, None when there was none."""
        return self._index.visit_at(slot, position)

    def slots(self, after: int = 0, limit: int = 100) -> List[Slot]:
        """Return a page of slot outcomes as recorded; `after` as in `visits`."""
        return self._index.slots(*_page(after, limit))

    def slot_at(self, slot: int) -> Optional[Slot]:
        """Return the outcome that covers `slot`, None when it has none yet."""
        return self._index.slot_at(slot)

    def reason_counts(self) -> List[ReasonCount]:
        """Return outcome, reason and number of slots; costs a walk, for reports."""
        with self._index.readers.borrow() as reader:
            return count_reasons(reader)

    def events(self, after: int = 0, limit: int = 100) -> List[Event]:
        """Return a page of events as recorded; `after` as in `visits`."""
        return self._index.events(*_page(after, limit))

    def write_csv(self, beat: Callable[[], None] = _nothing) -> Path:
        """Write ``frames.csv``, one line for each frame, and return its path.

        Parameters
        ----------
        beat : callable, optional
            Called now and then: a million frames take a while.

        Raises
        ------
        DiskFullError, StorageError
            When it could not be written; an older one is still there.
        """
        path = self.folder / CSV_FILE
        write_frames_csv(path, self._all_frames(beat))
        return path

    def _all_frames(self, beat: Callable[[], None]) -> Iterator[Frame]:
        """Yield every frame, a page at a time."""
        after = 0
        page = self.frames(after, CSV_PAGE)
        # A damaged index can answer in a circle; only progress goes on.
        while page and page[-1].n > after:
            yield from page
            beat()
            after = page[-1].n
            page = self.frames(after, CSV_PAGE)


def _page(after: int, limit: int) -> Tuple[int, int]:
    """Return the keys of a page, checked.

    Raises
    ------
    InvalidRequestError
        For a negative `after` or a `limit` below 1.
    """
    if after < 0 or limit < 1:
        message = f"A page after {after} with {limit} items cannot be had; "
        raise InvalidRequestError(message + "after starts at 0 and limit at 1.")
    return min(after, LARGEST_KEY), min(limit, LARGEST_KEY)
