"""The verbs that look at runs on disk: list, show, page through, serve, delete.

Nothing is served that these lists do not name, and no list costs more for a long run
than for a short one.
"""

import mimetypes
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, List, Optional

from openflexure_timelapse.errors import (
    ConfirmationError,
    DiskFullError,
    InvalidRequestError,
    NotFoundError,
)
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.hosts.previews import Previews
from openflexure_timelapse.movie.reel import is_reel
from openflexure_timelapse.ports import Clock, Disk
from openflexure_timelapse.status import local_time
from openflexure_timelapse.store import catalogue, layout
from openflexure_timelapse.store.fence import (
    check_links,
    finished_files,
    is_inside,
)
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["BUNDLE_SUFFIX", "Library", "checked_limit", "frame_json"]

LARGEST_PAGE = 1000
BYTES_PER_MB = 1_000_000
BUNDLE_SUFFIX = ".zip"
MOVIE_TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".apng": "image/apng",
    ".png": "image/png",
    ".zip": "application/zip",
}
for _suffix, _kind in MOVIE_TYPES.items():  # some computers know only the oldest
    mimetypes.add_type(_kind, _suffix)


class Library:
    """Reads the runs below one data folder.

    Parameters
    ----------
    data_folder : Path
        Where every run has its folder.
    clock : Clock
        Knows the local zone.
    disk : Disk
        Writes previews.

    Attributes
    ----------
    data_folder : Path
        As given.
    """

    def __init__(self, data_folder: Path, clock: Clock, disk: Disk) -> None:
        self.data_folder = data_folder
        self._clock = clock
        self._disk = disk
        self._previews = Previews(disk)

    # --------------------------------------------------------------------------- runs

    def runs(self, after: str = "", limit: int = 50) -> Dict[str, Any]:
        """Return a page of runs, newest first.

        Parameters
        ----------
        after : str
            The last id of the page before; empty for the first page.
        limit : int
            At most so many, 1 to 1000.
        """
        page = catalogue.list_runs(
            self.data_folder, after or None, checked_limit(limit)
        )
        return {"runs": [_brief(summary) for summary in page]}

    def run(self, run_id: str) -> Dict[str, Any]:
        """Return everything about one run but its frames.

        Raises
        ------
        NotFoundError
            When there is no such run.
        """
        with self.open_read(run_id) as store:
            engine, totals = store.engine(), store.totals()
            return {
                "run": run_id,
                "name": store.header["plan"]["name"],
                "started": store.header["created"],
                "frames": totals.frames,
                "bytes": totals.bytes,
                "counts": dict(totals.counts),
                "header": store.header,
                "state": engine.get("state"),
                "settings": engine.get("settings"),
                "movies": [
                    entry["name"]
                    for entry in self._movies(run_id)
                    if not is_reel(entry["name"])
                ],
            }

    def delete(self, run_id: str, confirm: str) -> Dict[str, Any]:
        """Delete a run with its frames and movies.

        Parameters
        ----------
        confirm : str
            The run's id once more.

        Raises
        ------
        ConfirmationError, NotFoundError, RunActiveError
            Nothing is deleted then.
        """
        catalogue.delete_run(self.data_folder, run_id, confirm)
        return {"deleted": run_id}

    # ------------------------------------------------------------------------- frames

    def frames(
        self,
        run_id: str,
        after: int = 0,
        limit: int = 100,
        position: Optional[str] = None,
        slot: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Return a page of frames in the order of their acknowledgement.

        Parameters
        ----------
        after : int
            The last ``n`` of the page before; 0 for the first page.
        limit : int
            At most so many, 1 to 1000.
        position : str or None
            Only of this position; None for all.
        slot : int or None
            Only of this slot; None for all.
        """
        limit = checked_limit(limit)
        with self.open_read(run_id) as store:
            if slot is None:
                page = store.frames(after, limit, position)
            else:
                page = store.overview.frames_of_slot(slot, after, limit, position)
        return {"frames": [self._told(frame) for frame in page]}

    def slots(self, run_id: str, after: int = 0, limit: int = 100) -> Dict[str, Any]:
        """Return a page of slot outcomes; `after` counts those had already."""
        with self.open_read(run_id) as store:
            page = store.slots(after, checked_limit(limit))
        return {"slots": [_plain(slot) for slot in page]}

    def reasons(self, run_id: str) -> List[Dict[str, Any]]:
        """Return how many slots ended in which outcome for which reason.

        Walks all outcomes of the run: for a report at its end, not for a list.
        """
        with self.open_read(run_id) as store:
            counts = store.reason_counts()
        names = ("outcome", "reason", "slots")
        return [dict(zip(names, count)) for count in counts]

    def frame(self, run_id: str, n: int, width: Optional[int] = None) -> Path:
        """Return the file of frame `n`, or of a smaller picture of it.

        Parameters
        ----------
        n : int
            The frame's number, from 1.
        width : int or None
            Wanted in pixels; the next larger of 160, 320, 640 and 1280 is made, once.
            None for the frame itself.

        Raises
        ------
        NotFoundError
            When there is no such run or frame.
        """
        with self.open_read(run_id) as store:
            frame = store.frame(n)
        return self.frame_file(run_id, frame, width)

    def latest(self, run_id: str, width: Optional[int] = None) -> Path:
        """Return the file of a run's newest frame, or of a smaller picture of it.

        Raises
        ------
        NotFoundError
            When the run has none yet.
        """
        with self.open_read(run_id) as store:
            frame = store.last_frame()
        if frame is None:
            raise NotFoundError(f"{run_id} has no frame yet; wait for its first one.")
        return self.frame_file(run_id, frame, width)

    def frame_file(self, run_id: str, frame: Frame, width: Optional[int]) -> Path:
        """Return the file of `frame`, or of a preview of at least `width` pixels."""
        folder = self.folder(run_id)
        original = folder / frame.file
        if not (original.is_file() and is_inside(folder, original)):
            message = (
                f"Frame {frame.n} of {run_id} should be {frame.file} but is gone; "
            )
            raise NotFoundError(message + "run verify to see what else is missing.")
        return self._previews.file(folder, frame, width)

    # -------------------------------------------------------------------------- files

    def files(self, run_id: str) -> Dict[str, Any]:
        """Return the files of a run that are not frames: movies, tables, bundles ..."""
        folder = self.folder(run_id)
        entries = [
            _entry(folder / name, name)
            for name in (layout.HEADER_FILE, layout.CSV_FILE, layout.RECORD_FILE)
            if (folder / name).is_file()
        ]
        made = (*self._movies(run_id), *self._bundles(run_id))
        return {"files": [*entries, *made]}

    def file(self, run_id: str, name: str) -> Path:
        """Return the path of a file that `files` lists.

        Raises
        ------
        NotFoundError
            When it does not.
        """
        listed = [entry["name"] for entry in self.files(run_id)["files"]]
        if name not in listed:
            known = ", ".join(listed) or "none"
            raise NotFoundError(f"{run_id} has no file {name!r}; it has: {known}.")
        return self.folder(run_id) / name

    def delete_bundle(self, run_id: str, name: str, confirm: str) -> Dict[str, Any]:
        """Delete the bundle `name`; `confirm` is its name once more.

        Raises
        ------
        ConfirmationError, NotFoundError, StorageError
            Nothing is deleted then.
        """
        bundles = [entry["name"] for entry in self._bundles(run_id)]
        if name not in bundles:
            known = ", ".join(bundles) or "none"
            raise NotFoundError(f"{run_id} has no bundle {name!r}; it has: {known}.")
        if confirm != name:
            told = f"Deleting {name} needs its name as confirmation, not {confirm!r}."
            raise ConfirmationError(told)
        self._disk.remove(str(self.folder(run_id) / name))
        return {"deleted": name}

    def folder(self, run_id: str) -> Path:
        """Return a run's folder.

        Raises
        ------
        NotFoundError, InvalidRequestError
            When there is no such run, or the id is none.
        DamagedRunError
            When a link in it leads out of it.
        """
        return check_links(catalogue.run_folder(self.data_folder, run_id))

    def check_space(self, keep_free_mb: int, needed_bytes: int = 0) -> None:
        """Refuse to make what a run's plan leaves no room for.

        Parameters
        ----------
        keep_free_mb : int
            Of the plan.
        needed_bytes : int
            How much will be written yet, as far as it is known.

        Raises
        ------
        DiskFullError
            Saying how much is free.
        """
        free_mb = self._disk.free_bytes(str(self.data_folder)) / BYTES_PER_MB
        needed_mb = needed_bytes / BYTES_PER_MB
        if free_mb - needed_mb < keep_free_mb:
            told = f"The disk has {free_mb:.0f} MB free and the plan leaves "
            told += f"{keep_free_mb} MB free"
            told += f", but up to {needed_mb:.0f} MB are needed" if needed_bytes else ""
            raise DiskFullError(f"{told}; delete something, then make it again.")

    def _movies(self, run_id: str) -> List[Dict[str, Any]]:
        """Return the movies of a run, by name."""
        return _those_in(self.folder(run_id) / layout.MOVIES, MOVIE_TYPES)

    def _bundles(self, run_id: str) -> List[Dict[str, Any]]:
        """Return the bundles of a run, by name."""
        return _those_in(self.folder(run_id) / layout.SHARE, (BUNDLE_SUFFIX,))

    # ------------------------------------------------------------------------ reading

    def open_read(self, run_id: str) -> RunStore:
        """Open a run for reading; the caller closes it."""
        return RunStore.open_read(self.folder(run_id))

    def each_frame(
        self,
        run_id: str,
        position: Optional[str] = None,
        plane: Optional[int] = None,
        after: int = 0,
    ) -> Iterator[Frame]:
        """Yield the frames of a run in order, a page in memory at a time."""
        with self.open_read(run_id) as store:
            while True:
                page = store.frames(after, LARGEST_PAGE, position, plane)
                yield from page
                if len(page) < LARGEST_PAGE:
                    return
                after = page[-1].n

    def _told(self, frame: Frame) -> Dict[str, Any]:
        """Return a frame with its local time."""
        told = frame_json(frame)
        told["time"] = local_time(self._clock, frame.draft.wall_ns)
        return told


def frame_json(frame: Frame) -> Dict[str, Any]:
    """Return a frame's record flat, as the API and the CSV show it."""
    draft = dict(vars(frame.draft))
    draft["flags"] = [flag.value for flag in frame.draft.flags]
    draft["metadata"] = dict(frame.draft.metadata)
    own = {key: value for key, value in vars(frame).items() if key != "draft"}
    return {**own, **draft}


def checked_limit(limit: int, name: str = "limit") -> int:
    """Return `limit` if an answer may have that many rows.

    Parameters
    ----------
    limit : int
        As asked for.
    name : str
        What the request calls it.

    Raises
    ------
    InvalidRequestError
        When it may not.
    """
    if not 1 <= limit <= LARGEST_PAGE:
        message = f"{name} {limit} is out of range; ask for 1 to {LARGEST_PAGE}."
        raise InvalidRequestError(message, [{"field": name, "reason": message}])
    return limit


def _brief(summary: catalogue.RunSummary) -> Dict[str, Any]:
    """Return what the list shows of one run; a damaged one says so."""
    header, totals = summary.header or {}, summary.totals
    return {
        "run": summary.run_id,
        "name": header.get("plan", {}).get("name", summary.run_id),
        "started": header.get("created"),
        "active": summary.active,
        "frames": None if totals is None else totals.frames,
        "bytes": None if totals is None else totals.bytes,
        "counts": None if totals is None else dict(totals.counts),
        "problem": summary.problem,
    }


def _those_in(folder: Path, endings: Collection[str]) -> List[Dict[str, Any]]:
    """Return the lines of the finished files of some kinds in a folder of a run."""
    found = finished_files(folder, endings)
    return [_entry(path, f"{folder.name}/{path.name}") for path in found]


def _entry(path: Path, name: str) -> Dict[str, Any]:
    """Return one line of the list of files."""
    return {"name": name, "bytes": path.stat().st_size}


def _plain(record: Any) -> Dict[str, Any]:
    """Return a record with its enumerations as text."""
    return {key: getattr(value, "value", value) for key, value in vars(record).items()}
