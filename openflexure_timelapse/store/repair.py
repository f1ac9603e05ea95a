"""Rebuilding a run's index from its frames and from what is left of the old index.

Nothing is thrown away: the new index is complete and on the device before the old one
is moved aside, and a repair that is cut short is finished by the next one. A file that
is not what was acknowledged stays where it is, *set aside*: not listed, but known.
"""

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.store.disk import (
    RealDisk,
    rename_durably,
    temporary_name,
)
from openflexure_timelapse.store.evidence import (
    Verdict,
    flush_names,
    judge_unlisted,
    remove_temporaries,
    run_place,
    stored_files,
    temporaries,
)
from openflexure_timelapse.store.header import (
    HEADER_KEY,
    header_of_record,
    header_text,
    parse_header,
    read_header,
)
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import (
    HEADER_FILE,
    INDEX_FILE,
    REPAIRED_INDEX_FILE,
)
from openflexure_timelapse.store.lock import RunLock
from openflexure_timelapse.store.rebuild import Rebuild
from openflexure_timelapse.store.salvage import Salvage

__all__ = ["RepairReport", "repair"]

WAL, SHARED = "-wal", "-shm"
SHOWN = 10
MOST_DAMAGE = 100


@dataclass(frozen=True)
class RepairReport:
    """What a repair did.

    Attributes
    ----------
    run_id : str
        The folder's name.
    changed : bool
        False when there was nothing to mend; nothing was written then.
    frames : int
        Listed now.
    adopted : tuple of str
        Files that were not listed and are now.
    set_aside : tuple of (str, str)
        Files that cannot be listed, and why; those that are there stay where they are.
    temporaries_removed : tuple of str
        Left by writes that were cut short.
    slots_filled : int
        Slots whose outcome was lost and is now told by the frames.
    header_rebuilt : bool
        Whether ``run.json`` had to be written anew.
    damage : tuple of str
        What was wrong with the old index, each in a sentence; the first hundred.
    moved_aside : tuple of str
        The names under which old files are kept.
    """

    run_id: str
    changed: bool
    frames: int
    adopted: Tuple[str, ...] = ()
    set_aside: Tuple[Tuple[str, str], ...] = ()
    temporaries_removed: Tuple[str, ...] = ()
    slots_filled: int = 0
    header_rebuilt: bool = False
    damage: Tuple[str, ...] = ()
    moved_aside: Tuple[str, ...] = ()

    def to_json(self) -> Dict[str, Any]:
        """Return the report as JSON-able data."""
        return asdict(self)

    def lines(self) -> List[str]:
        """Return the report for people."""
        if not self.changed:
            return [f"{self.run_id} is sound; nothing was changed."]
        told = [f"The index of {self.run_id} lists {self.frames} frames."]
        missing = Verdict.MISSING.value
        gone = [file for file, why in self.set_aside if why == missing]
        left = [f"{file} ({why})" for file, why in self.set_aside if why != missing]
        lists = (
            ("Listed again", self.adopted),
            ("Gone, and not listed any more", gone),
            ("Not a frame as it should be, so not listed but left in place", left),
            ("Left over from cut writes, removed", self.temporaries_removed),
            ("Damage found", self.damage),
            ("Old files kept as", self.moved_aside),
        )
        for sentence, found in lists:
            if found:
                more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
                told.append(f"{sentence}: {', '.join(found[:SHOWN])}{more}.")
        if self.slots_filled:
            told.append(f"Outcomes told by the frames: {self.slots_filled} slots.")
        if self.header_rebuilt:
            told.append(f"{HEADER_FILE} was written anew.")
        return told


def repair(folder: Union[str, Path]) -> RepairReport:
    """Make a run's index agree with its frames again; see the module's promises.

    Parameters
    ----------
    folder : str or Path
        The run's folder. A second repair finds nothing to do.

    Raises
    ------
    NotFoundError
        When the folder does not exist, or holds nothing of a run.
    RunActiveError
        While some process writes the run.
    DamagedRunError
        When nothing is left to rebuild from.
    DiskFullError, StorageError
        When the new index cannot be written; the old one is as it was.
    """
    place = run_place(folder)
    lock = RunLock(place)
    try:
        flush_names(place)
        finished = _swap(place)
        removed = temporaries(place)
        remove_temporaries(place, removed)
        with contextlib.closing(Salvage(place / INDEX_FILE)) as old:
            header, known = _header(place, old)
            moved = [] if known else _write_header(place, header)
            new = place / temporary_name(INDEX_FILE)
            Index.create(new)
            with contextlib.closing(Index(new, writable=True)) as index:
                work = Rebuild(place, header, old, index)
                work.run()
        if work.changed:
            rename_durably(new, place / REPAIRED_INDEX_FILE)
            moved += _swap(place)
        else:
            new.unlink()
        return RepairReport(
            run_id=place.name,
            changed=bool(work.changed or removed or finished or not known),
            frames=work.frames,
            adopted=tuple(sorted(work.adopted)),
            set_aside=tuple(sorted(work.newly_aside)),
            temporaries_removed=tuple(removed),
            slots_filled=work.slots_filled,
            header_rebuilt=not known,
            damage=tuple(dict.fromkeys(old.damage))[:MOST_DAMAGE],
            moved_aside=tuple(finished + moved),
        )
    finally:
        lock.release()


# ----------------------------------------------------------------------------- header


def _header(folder: Path, old: Salvage) -> Tuple[Dict[str, Any], bool]:
    """Return the run's header, and whether ``run.json`` itself told it."""
    with contextlib.suppress(DamagedRunError):
        return read_header(folder), True
    with contextlib.suppress(ValueError):
        return parse_header(old.values().get(HEADER_KEY)), False
    for file in stored_files(folder):
        record = judge_unlisted(folder, file, None).record
        if record is not None:
            return header_of_record(record), False
    message = f"Nothing is left of the run {folder.name}: no header, no index, no "
    raise DamagedRunError(message + "frame; copy its frames back if you have them.")


def _write_header(folder: Path, header: Dict[str, Any]) -> List[str]:
    """Write ``run.json`` anew; return the name under which a damaged one is kept."""
    path, moved = folder / HEADER_FILE, []
    if path.exists():
        aside = (
            folder / f"{HEADER_FILE}.before-repair-{_free_number(folder, HEADER_FILE)}"
        )
        rename_durably(path, aside)
        moved.append(aside.name)
    RealDisk().write(str(path), header_text(header))
    return moved


# -------------------------------------------------------------------------- the swap


def _free_number(folder: Path, name: str) -> int:
    """Return a number under which neither the file nor its WAL would replace one."""
    number = 1
    while (folder / f"{name}.before-repair-{number}").exists() or (
        (folder / f"{name}{WAL}").exists()
        and (folder / f"{name}.before-repair-{number}{WAL}").exists()
    ):
        number += 1
    return number


def _swap(folder: Path) -> List[str]:
    """Put a finished new index into its place, if there is one; cut short, go on.

    The WAL of the old index must be gone before the new one has its name: SQLite would
    replay it into any file of that name.
    """
    new = folder / REPAIRED_INDEX_FILE
    if not new.exists():
        return []
    moved = []
    number = _free_number(folder, INDEX_FILE)
    for suffix in (WAL, ""):
        source = folder / f"{INDEX_FILE}{suffix}"
        if source.exists() and (source.stat().st_size or not suffix):
            aside = folder / f"{INDEX_FILE}.before-repair-{number}{suffix}"
            rename_durably(source, aside)
            moved.append(aside.name)
    for suffix in (WAL, SHARED):
        RealDisk().remove(str(folder / f"{INDEX_FILE}{suffix}"))
    rename_durably(new, folder / INDEX_FILE)
    return moved
