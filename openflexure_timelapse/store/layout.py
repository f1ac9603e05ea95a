"""Names of runs, files and folders; pure.

::

    <data>/<run id>/run.json                      what was asked, and on what
                    run.db                        the index (SQLite)
                    frames/<position>/<slot>[_z<plane>].jpeg
                    movies/   previews/   share/   frames.csv   record.json

A run id is a plain name (letters, digits, ``_``, ``-``), so that it can be a folder,
a part of a URL and an argument of a command without quoting. Ids sort by local start
time.
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Callable, NamedTuple, Optional

from openflexure_timelapse.errors import InvalidRequestError
from openflexure_timelapse.frame import FrameDraft
from openflexure_timelapse.names import slug

__all__ = [
    "CSV_FILE",
    "FRAMES",
    "HEADER_FILE",
    "INDEX_FILE",
    "LARGEST_COUNT",
    "MOVIES",
    "PREVIEWS",
    "RECORD_FILE",
    "REPAIRED_INDEX_FILE",
    "SHARE",
    "FrameName",
    "check_run_id",
    "frame_file",
    "is_possible",
    "is_run_id",
    "local_time",
    "new_run_id",
    "parse_frame_file",
]

HEADER_FILE = "run.json"
RECORD_FILE = "record.json"
INDEX_FILE = "run.db"
REPAIRED_INDEX_FILE = "run.db.new"
CSV_FILE = "frames.csv"
FRAMES = "frames"
MOVIES = "movies"
PREVIEWS = "previews"
SHARE = "share"

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,119}\Z")
FRAME_FILE = re.compile(
    r"frames/(?P<position>[a-z0-9-]+)/(?P<slot>[0-9]{7,12})(_z(?P<plane>[0-9]{1,6}))?"
    r"\.jpeg\Z"
)
# More than a run can have; above them sums would leave the index's numbers.
LARGEST_COUNT = 10**12
LONGEST_OFFSET_S = 24 * 3600
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class FrameName(NamedTuple):
    """What the name of a frame's file says.

    Attributes
    ----------
    position : str
        The slug of the position's name, not the name.
    slot, plane : int
        As in the frame.
    """

    position: str
    slot: int
    plane: int


def local_time(wall_ns: int, utc_offset_s: int) -> datetime:
    """Return a UTC time since 1970 as local time with its offset, to the microsecond.

    Whole minutes of the offset are kept: EXIF and ISO 8601 have no room for more.
    """
    offset = timedelta(minutes=round(utc_offset_s / 60))
    moment = EPOCH + timedelta(microseconds=wall_ns // 1000)
    return moment.astimezone(timezone(offset))


def new_run_id(
    name: str, wall_ns: int, utc_offset_s: int, is_taken: Callable[[str], bool]
) -> str:
    """Return an id for a run that starts now, for example ``2026-11-23_083029_pond``.

    Parameters
    ----------
    name : str
        The plan's name.
    wall_ns, utc_offset_s : int
        Local start time.
    is_taken : callable
        Tells whether an id is in use; ``_2``, ``_3`` ... is added until one is free.
    """
    start = local_time(wall_ns, utc_offset_s)
    base = f"{start:%Y-%m-%d_%H%M%S}_{slug(name) or 'run'}"
    candidate, number = base, 1
    while is_taken(candidate):
        number += 1
        candidate = f"{base}_{number}"
    return candidate


def is_run_id(name: str) -> bool:
    """Tell whether `name` could be the id of a run."""
    return RUN_ID.match(name) is not None


def check_run_id(run_id: str) -> str:
    """Return `run_id`, which is now known to be a name and not a path.

    Raises
    ------
    InvalidRequestError
        When it holds a slash, a dot or anything else that no run id has.
    """
    if not is_run_id(run_id):
        message = f"{run_id!r} is not a run id; a run id has only letters, digits, "
        raise InvalidRequestError(
            message + "_ and -, for example 2026-11-23_083029_pond."
        )
    return run_id


def frame_file(position: str, slot: int, plane: int) -> str:
    """Return the path of a frame inside its run folder, with forward slashes.

    Parameters
    ----------
    position : str
        The position's name as in the plan.
    slot, plane : int
        Plane 0 leaves no mark in the name.
    """
    suffix = f"_z{plane}" if plane else ""
    return f"{FRAMES}/{slug(position)}/{slot:07d}{suffix}.jpeg"


def is_possible(draft: FrameDraft) -> bool:
    """Tell whether a frame can have such a slot, plane, size and UTC offset.

    Where they come from a file, anybody may have written them.
    """
    counts = (draft.slot, draft.plane, draft.width, draft.height)
    in_range = all(0 <= count <= LARGEST_COUNT for count in counts)
    return in_range and abs(draft.utc_offset_s) < LONGEST_OFFSET_S


def parse_frame_file(file: str) -> Optional[FrameName]:
    """Return what a path inside the run folder says, None when it is no frame's.

    Only the one spelling that `frame_file` gives is a frame's.
    """
    match = FRAME_FILE.match(file)
    if match is None:
        return None
    name = FrameName(
        match.group("position"),
        int(match.group("slot")),
        int(match.group("plane") or 0),
    )
    return name if frame_file(*name) == file else None
