"""One run on disk: frames go in and are safe, everything comes out in pages.

A frame is *acknowledged* when `RunStore.add_frame` returns. By then its bytes are
flushed under a temporary name, the file has its name, the folder is flushed, and the
row with its SHA-256 is committed. A power cut at any instant loses at most what was not
acknowledged.
"""

import contextlib
import shutil
from pathlib import Path
from typing import (
    Any,
    Iterable,
    Mapping,
    Optional,
    Set,
    Union,
)

from typing_extensions import Self

from openflexure_timelapse.errors import (
    ConflictError,
    DamagedRunError,
    DiskFullError,
    NotFoundError,
    RunActiveError,
    StorageError,
)
from openflexure_timelapse.frame import Event, Frame, FrameDraft, Slot, Visit
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.store.digest import Hasher, sha256_of
from openflexure_timelapse.store.disk import rename_durably, temporary_name
from openflexure_timelapse.store.exif import FrameRecord, clean_draft, with_exif
from openflexure_timelapse.store.fence import check_links, is_inside
from openflexure_timelapse.store.header import (
    HEADER_KEY,
    frame_record,
    header_text,
    new_header,
    read_header,
)
from openflexure_timelapse.store.index import Index, Totals
from openflexure_timelapse.store.layout import (
    FRAMES,
    HEADER_FILE,
    INDEX_FILE,
    MOVIES,
    REPAIRED_INDEX_FILE,
    check_run_id,
    frame_file,
)
from openflexure_timelapse.store.lock import RunLock
from openflexure_timelapse.store.overview import Overview
from openflexure_timelapse.store.run_reader import RunReader
from openflexure_timelapse.store.survey import Survey

__all__ = ["RunStore", "Totals"]

PathLike = Union[str, Path]


class RunStore(RunReader):
    """A run, open for reading and perhaps for writing; see `create` and `open`.

    Reading is safe from any number of threads; writing is for one thread at a time.
    """

    def __init__(
        self,
        folder: Path,
        index: Index,
        disk: Optional[Disk],
        lock: Optional[RunLock],
    ) -> None:
        super().__init__(folder, index)
        self._disk = disk
        self._lock = lock
        self._folders: Set[Path] = set()
        self._hasher = None if disk is None else Hasher()

    # ------------------------------------------------------------- opening and closing

    @classmethod
    def create(
        cls,
        data_folder: PathLike,
        run_id: str,
        header: Mapping[str, Any],
        disk: Disk,
    ) -> "RunStore":
        """Make the folder of a new run and open it for writing.

        The folder is made under a hidden name and renamed when it is whole, so a run
        is in the list either entirely or not at all.

        Parameters
        ----------
        data_folder : str or Path
            Is made when it is missing.
        run_id : str
            See `layout.new_run_id`.
        header : mapping
            JSON-able; becomes ``run.json`` with ``id`` and ``dataset_id`` (a UUID as
            text) added.
        disk : Disk
            Writes all files but the index.

        Raises
        ------
        InvalidRequestError
            When `run_id` is not a plain name.
        ConflictError
            When there is a run of that id.
        DiskFullError, StorageError
            When the folder cannot be written; nothing of it is left in the list.
        """
        folder = Path(data_folder).absolute() / check_run_id(run_id)
        if folder.exists():
            message = f"There is already a run {run_id} in {folder.parent}; "
            raise ConflictError(message + "choose another id.")
        content = new_header(run_id, header)
        hidden = folder.with_name(temporary_name(run_id))
        with contextlib.ExitStack() as unfinished:
            unfinished.callback(shutil.rmtree, str(hidden), ignore_errors=True)
            cls._fill(hidden, content, disk)
            rename_durably(hidden, folder)
            unfinished.pop_all()
        return cls.open(folder, disk)

    @staticmethod
    def _fill(hidden: Path, content: Mapping[str, Any], disk: Disk) -> None:
        """Put into the folder of a new run what every run has."""
        disk.make_folder(str(hidden / FRAMES))
        disk.make_folder(str(hidden / MOVIES))
        Index.create(hidden / INDEX_FILE)
        with contextlib.closing(Index(hidden / INDEX_FILE, writable=True)) as index:
            index.write(values={HEADER_KEY: content})
        disk.write(str(hidden / HEADER_FILE), header_text(content))

    @classmethod
    def open(cls, folder: PathLike, disk: Disk) -> "RunStore":
        """Open an existing run for writing.

        Raises
        ------
        NotFoundError
            When there is no such folder.
        RunActiveError
            When it is open for writing elsewhere.
        DamagedRunError, StorageError
            When it cannot be trusted or written.
        """
        place = _existing(folder)
        with contextlib.ExitStack() as opened:
            lock = RunLock(place)
            opened.callback(lock.release)
            index = _open_index(place, writable=True)
            opened.callback(index.close)
            store = cls(place, index, disk, lock)
            opened.pop_all()
        return store

    @classmethod
    def open_read(cls, folder: PathLike) -> "RunStore":
        """Open an existing run for reading, also while another process writes it.

        Raises
        ------
        NotFoundError, DamagedRunError, StorageError
            As `open`.
        """
        place = _existing(folder)
        index = _open_index(place, writable=False)
        with contextlib.ExitStack() as opened:
            opened.callback(index.close)
            store = cls(place, index, None, None)
            opened.pop_all()
        return store

    def close(self) -> None:
        """Close the run; a second call is fine. Nothing waits here to be written."""
        if self._hasher is not None:
            self._hasher.close()
        self.release()

    def release(self) -> None:
        """Hold no file open any more, so that the disk can be unmounted and mended.

        Until `reopen` nothing can be written.
        """
        self._index.close()
        if self._lock is not None:
            self._lock.release()

    def check_in_place(self) -> None:
        """Refuse to write when the run's folder is not where it was, or is another one.

        A card that was pulled leaves an empty folder of the system's own disk behind,
        and open files go on as if nothing had happened.

        Raises
        ------
        StorageError
            Saying what to do.
        """
        if self._lock is None or not self._lock.holds(self.folder):
            told = f"The run's folder {self.folder} is not there any more; mount its "
            raise StorageError(told + "disk again, and the run goes on by itself.")

    def reopen(self) -> None:
        """Open the run anew at its place, after its disk failed or was away.

        Raises
        ------
        DamagedRunError, StorageError
            When it is not there, is another run, or cannot be opened.
        """
        self.release()
        try:
            lock = RunLock(self.folder)
        except RunActiveError as exc:
            raise StorageError(str(exc)) from exc
        with contextlib.ExitStack() as opened:
            opened.callback(lock.release)
            if read_header(self.folder)["dataset_id"] != self._header["dataset_id"]:
                told = f"Another run is in {self.folder}; put the right disk back, and "
                raise StorageError(told + "the run goes on by itself.")
            index = _open_index(self.folder, writable=True)
            opened.pop_all()
        self._lock, self._index = lock, index
        self.overview, self.survey = Overview(index), Survey(index)
        self._folders.clear()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close it."""
        self.close()

    # ------------------------------------------------------------------------- writing

    def add_frame(
        self, jpeg: bytes, draft: FrameDraft, state: Mapping[str, Any]
    ) -> Frame:
        """Make a frame durable and return it; from then on it is acknowledged.

        Parameters
        ----------
        jpeg : bytes
            A whole JPEG; its compressed image is stored as it is.
        draft : FrameDraft
            What is known of it.
        state : mapping
            The instrument's state for the EXIF block, JSON-able.

        Raises
        ------
        IncompleteImageError
            When `jpeg` is cut short.
        ConflictError
            When the slot, position and plane have their frame already.
        DiskFullError, StorageError
            When it could not be made durable; it is not acknowledged then.
        """
        disk, hasher = self._disk, self._hasher
        if disk is None or hasher is None:
            raise StorageError(f"The run {self.run_id} is open for reading only.")
        self.check_in_place()
        draft = clean_draft(draft)
        file = frame_file(draft.position, draft.slot, draft.plane)
        path = self.folder / file
        self._check_free(path, draft)
        n = self._index.last_n() + 1
        content = with_exif(jpeg, frame_record(self._header, n, draft), state)
        if path.parent not in self._folders:
            disk.make_folder(str(path.parent))
            if not is_inside(self.folder, path.parent):
                told = f"{path.parent} is a link that leads out of the run; "
                raise StorageError(told + "put a folder in its place.")
            self._folders.add(path.parent)
        # Hashing and flushing both leave Python's lock, so they overlap.
        digest = hasher.begin(content)
        try:
            disk.write(str(path), content)
        finally:
            sha256 = digest.result()
        frame = Frame(n, file, sha256, len(content), draft)
        try:
            self._index.write(frames=(frame,))
        except DiskFullError:
            # A file without its row would only keep the disk full. After any other
            # error it stays: the recovery adopts it.
            disk.remove(str(path))
            raise
        return frame

    def _check_free(self, path: Path, draft: FrameDraft) -> None:
        """Refuse to write over an acknowledged frame."""
        if not path.exists():
            return
        if self._index.frame_at(draft.slot, draft.position, draft.plane) is not None:
            message = f"Slot {draft.slot} of {self.run_id} has its frame of "
            message += f"{draft.position!r}, plane {draft.plane}; it is kept."
            raise ConflictError(message)

    def record(
        self,
        *,
        visits: Iterable[Visit] = (),
        slots: Iterable[Slot] = (),
        events: Iterable[Event] = (),
        values: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Add what happened in one durable transaction: all of it or nothing.

        Raises
        ------
        ConflictError
            When a slot has its outcome, or a position its visit in that slot.
        DiskFullError, StorageError
            When nothing was recorded.
        """
        if self._disk is not None:
            self.check_in_place()
        self._index.write(visits=visits, slots=slots, events=events, values=values)

    def add_visit(self, visit: Visit) -> None:
        """Record a visit durably; errors as `record`."""
        self.record(visits=(visit,))

    def add_slot(self, slot: Slot) -> None:
        """Record the one outcome of a slot, or of a range; errors as `record`."""
        self.record(slots=(slot,))

    def add_event(self, event: Event) -> None:
        """Record an event durably; errors as `record`."""
        self.record(events=(event,))

    def set_value(self, key: str, value: Any) -> None:
        """Keep a JSON-able value under `key` durably; errors as `record`."""
        self.record(values={key: value})

    def adopt(self, content: bytes, record: FrameRecord) -> Frame:
        """List a file that is complete on disk but whose row was never committed.

        The event ``frame_adopted`` says so.

        Parameters
        ----------
        content : bytes
            Of the file.
        record : FrameRecord
            What the file says about itself.

        Raises
        ------
        ConflictError
            When its slot, position and plane are listed already.
        DiskFullError, StorageError
            When it was not listed.
        """
        draft = record.draft
        frame = Frame(
            n=self._index.last_n() + 1,
            file=frame_file(draft.position, draft.slot, draft.plane),
            sha256=sha256_of(content),
            size_bytes=len(content),
            draft=draft,
        )
        details = {"file": frame.file, "n": frame.n}
        event = Event(draft.wall_ns, draft.elapsed_ns, "frame_adopted", details)
        self._index.write(frames=(frame,), events=(event,))
        return frame


def _existing(folder: PathLike) -> Path:
    """Return the absolute path of a run's folder, which is there."""
    place = Path(folder).absolute()
    if not place.is_dir():
        message = f"There is no run {place.name} in {place.parent}; list the runs "
        raise NotFoundError(message + "to see which there are.")
    return check_links(place)


def _open_index(folder: Path, *, writable: bool) -> Index:
    """Open the index, unless a repair of it was cut short."""
    if (folder / REPAIRED_INDEX_FILE).exists():
        message = f"A repair of the run {folder.name} was cut short; run it again."
        raise DamagedRunError(message)
    return Index(folder / INDEX_FILE, writable=writable)
