"""``record.json``: the record as somebody edited it after the start of the run."""

import json
from pathlib import Path
from typing import Optional

from openflexure_timelapse.document import parse
from openflexure_timelapse.errors import (
    DamagedRunError,
    InvalidRecordError,
    InvalidRequestError,
)
from openflexure_timelapse.json_text import read_object
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.record import Record
from openflexure_timelapse.store.disk import storage_error
from openflexure_timelapse.store.fence import LARGEST_TEXT_BYTES, read_at_most
from openflexure_timelapse.store.layout import RECORD_FILE

__all__ = ["read_record", "record_of", "told_record", "write_record"]


def read_record(folder: Path) -> Optional[Record]:
    """Return the edited record of a run; None when nobody has edited it.

    Raises
    ------
    DamagedRunError
        When it cannot be understood.
    StorageError
        When it cannot be read.
    """
    place = folder / RECORD_FILE
    if not place.is_file():
        return None
    try:
        text = read_at_most(place, LARGEST_TEXT_BYTES).decode("utf-8")
        return parse(
            Record,
            read_object(text, str(place), InvalidRecordError),
            InvalidRecordError,
            "record",
        )
    except OSError as exc:
        raise storage_error(exc, "read", place) from exc
    except (InvalidRequestError, UnicodeDecodeError) as exc:
        told = f"{place} cannot be understood: {exc} Write the record anew."
        raise DamagedRunError(told) from exc


def record_of(folder: Path, plan: Plan) -> Record:
    """Return what is known of a run's sample: as edited, else as planned.

    Raises
    ------
    DamagedRunError, StorageError
        As `read_record` does.
    """
    return told_record(folder, plan) or Record()


def told_record(folder: Path, plan: Plan) -> Optional[Record]:
    """Return the same, None where nobody has told anything.

    Raises
    ------
    DamagedRunError, StorageError
        As `read_record` does.
    """
    return read_record(folder) or plan.sample


def write_record(folder: Path, record: Record, disk: Disk) -> None:
    """Keep an edited record, whole or not at all.

    Raises
    ------
    DiskFullError, StorageError
        When it could not be written; the one before is still there.
    """
    text = json.dumps(record.to_json(), ensure_ascii=False, indent=2) + "\n"
    disk.write(str(folder / RECORD_FILE), text.encode("utf-8"))
