"""``share/shared.json``: for which destinations bundles of a run were made before.

So that a person is warned before one sighting reaches GBIF twice.
"""

import json
from pathlib import Path
from typing import Tuple

from openflexure_timelapse.json_text import read_value
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.share.order import DESTINATION_NAMES
from openflexure_timelapse.store.fence import LARGEST_TEXT_BYTES, read_at_most
from openflexure_timelapse.store.layout import SHARE

__all__ = ["note_shared", "shared_before"]

LOG_FILE = "shared.json"


def shared_before(folder: Path) -> Tuple[str, ...]:
    """Return the destinations, each once, in the order of `DESTINATION_NAMES`.

    Parameters
    ----------
    folder : Path
        Of the run. One that says nothing, or nothing that can be read, has none: this
        is only for a warning.
    """
    try:
        place = folder / SHARE / LOG_FILE
        if not place.is_file():
            return ()
        found = read_value(read_at_most(place, LARGEST_TEXT_BYTES).decode("utf-8"))
    except (OSError, ValueError):
        return ()
    if not isinstance(found, list):
        return ()
    return tuple(name for name in DESTINATION_NAMES if name in found)


def note_shared(folder: Path, destination: str, disk: Disk) -> None:
    """Keep that a bundle was made for `destination`.

    Raises
    ------
    DiskFullError, StorageError
        When it could not be written.
    """
    before = shared_before(folder)
    if destination not in before:
        disk.make_folder(str(folder / SHARE))
        text = json.dumps([*before, destination])
        disk.write(str(folder / SHARE / LOG_FILE), text.encode("utf-8"))
