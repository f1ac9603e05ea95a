"""The three ways back: `recover` before a resume, `verify`, and `repair`.

`recover` mends what a kill or a power cut leaves: names that are not flushed, temporary
files, and a frame that got its name but not its row. It looks only where they can be,
so it takes as long for ten frames as for a million. `verify` reads every byte and
changes nothing. `repair` rebuilds the index from the frames.
"""

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Sequence, Tuple

from openflexure_timelapse.frame import Event
from openflexure_timelapse.store.disk import storage_error
from openflexure_timelapse.store.evidence import (
    Evidence,
    flush_names,
    judge_unlisted,
    remove_temporaries,
    temporaries_of,
)
from openflexure_timelapse.store.layout import parse_frame_file
from openflexure_timelapse.store.repair import RepairReport, repair
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import VerifyReport, verify

__all__ = [
    "RecoverReport",
    "RepairReport",
    "VerifyReport",
    "recover",
    "repair",
    "verify",
]


@dataclass(frozen=True)
class RecoverReport:
    """What `recover` did.

    Attributes
    ----------
    temporaries_removed : tuple of str
        Files of writes that were cut short.
    frames_adopted : tuple of str
        Whole frames that had no row and now have one.
    """

    temporaries_removed: Tuple[str, ...]
    frames_adopted: Tuple[str, ...]

    def to_json(self) -> Dict[str, Any]:
        """Return the report as JSON-able data."""
        return asdict(self)


def recover(store: RunStore) -> RecoverReport:
    """Mend what a power cut leaves in a run that is open for writing.

    What is done is recorded as events (``temporaries_removed``, ``frame_adopted``) with
    the time at which the file was written.

    Raises
    ------
    StorageError
        When it cannot be mended; nothing acknowledged is touched.
    """
    flush_names(store.folder)
    begun = store.begun_files()
    removed = _remove_temporaries(store, begun)
    adopted = _adopt_orphans(store, begun)
    return RecoverReport(tuple(removed), tuple(adopted))


def _remove_temporaries(store: RunStore, begun: Sequence[str]) -> List[str]:
    """Remove the files of unfinished writes and record it."""
    found = temporaries_of(store.folder, begun)
    if not found:
        return []
    last = store.last_frame()
    try:
        times = [(store.folder / file).stat().st_mtime_ns for file in found]
    except OSError as exc:
        raise storage_error(exc, "look at", store.folder) from exc
    # First the removal: on a full disk it makes the room that the event needs.
    remove_temporaries(store.folder, found)
    store.add_event(
        Event(
            wall_ns=max(times),
            elapsed_ns=0 if last is None else last.draft.elapsed_ns,
            kind="temporaries_removed",
            details={"files": found},
        )
    )
    return found


def _adopt_orphans(store: RunStore, begun: Sequence[str]) -> List[str]:
    """List the whole frames that have no row, in the order of their numbers."""
    orphans = []
    for file in begun:
        name = parse_frame_file(file)
        if name is not None and not store.lists(name):
            record = _look(store, file).record
            if record is not None:
                orphans.append((record.n, file))
    adopted = []
    for _n, file in sorted(orphans):
        found = _look(store, file)
        if found.record is not None:
            adopted.append(store.adopt(found.content, found.record).file)
    return adopted


def _look(store: RunStore, file: str) -> Evidence:
    """Judge a file without a row; its record is there when it is a frame."""
    known = store.set_aside(file)
    sha256 = None if known is None else known[1]
    return judge_unlisted(store.folder, file, store.header["id"], sha256)
