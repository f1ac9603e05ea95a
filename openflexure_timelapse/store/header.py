"""``run.json``: what a run is, written once when it starts."""

import json
import math
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Mapping

from openflexure_timelapse.errors import DamagedRunError, InvalidRequestError
from openflexure_timelapse.frame import FrameDraft
from openflexure_timelapse.json_text import read_value
from openflexure_timelapse.store.disk import storage_error
from openflexure_timelapse.store.exif import FrameRecord, jsonable
from openflexure_timelapse.store.fence import LARGEST_TEXT_BYTES, read_at_most
from openflexure_timelapse.store.layout import (
    HEADER_FILE,
    check_run_id,
    local_time,
)

__all__ = [
    "HEADER_KEY",
    "MEMBERS",
    "frame_record",
    "header_of_record",
    "header_text",
    "new_header",
    "parse_header",
    "read_header",
]

HEADER_KEY = "run.json"
# Every frame carries the header up to this size, so that a run can be rebuilt from
# any one of its frames; a plan with hundreds of positions would be too large.
LARGEST_IN_FRAME = 8000
MISSING = object()


def _is_text(value: Any) -> bool:
    """Tell text from everything else."""
    return isinstance(value, str)


def _is_scale(value: Any) -> bool:
    """Tell a scale, or that there is none, from everything else."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (is_number and 0 < value < math.inf)


# What is read of a header without asking whether it is there.
MEMBERS: Dict[str, Callable[[Any], bool]] = {
    "plan.name": _is_text,
    "created": _is_text,
    "microscope": lambda value: isinstance(value, dict),
    "camera.model": _is_text,
    "camera.simulated": lambda value: value in (True, False, None),
    "camera.um_per_pixel": _is_scale,
}


def new_header(run_id: str, header: Mapping[str, Any]) -> Dict[str, Any]:
    """Return `header` as JSON-able data with the run's id and its dataset's UUID."""
    return {"dataset_id": str(uuid.uuid4()), **jsonable(header), "id": run_id}


def header_text(header: Mapping[str, Any]) -> bytes:
    """Return the content of the file."""
    text = json.dumps(header, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def parse_header(data: Any) -> Dict[str, Any]:
    """Return JSON-able data as a header.

    Raises
    ------
    ValueError
        When it is not the header of a run, or lacks what every reader of runs needs.
    """
    try:
        uuid.UUID(data["dataset_id"])
        check_run_id(data["id"])
    except (KeyError, TypeError, AttributeError, InvalidRequestError) as exc:
        message = f"it is not the header of a run: {exc}"
        raise ValueError(message) from exc
    for path, is_right in MEMBERS.items():
        value: Any = data
        for name in path.split("."):
            value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
        if not is_right(value):
            message = f"its member {path} is missing or not what it should be"
            raise ValueError(message)
    return dict(data)


def header_of_record(record: FrameRecord) -> Dict[str, Any]:
    """Return the header of a run as one of its frames tells it.

    A frame whose run had too large a header tells only the name, and when the run
    began; the rest is said to be unknown.
    """
    told = {"id": record.run_id, "dataset_id": record.dataset_id}
    draft = record.draft
    began = local_time(draft.wall_ns - draft.elapsed_ns, draft.utc_offset_s)
    bare = {
        "plan": {"name": record.name},
        "created": began.isoformat(),
        "microscope": {},
        "camera": {"model": "unknown", "simulated": None, "um_per_pixel": None},
    }
    try:
        known = record.header if isinstance(record.header, Mapping) else {}
        return parse_header({**known, **told})
    except ValueError:
        return {**bare, **told}


def read_header(folder: Path) -> Dict[str, Any]:
    """Return the content of ``run.json`` in an existing folder.

    Raises
    ------
    DamagedRunError
        When the file is missing or is not the header of a run.
    StorageError
        When it cannot be read.
    """
    path = folder / HEADER_FILE
    try:
        content = read_at_most(path, LARGEST_TEXT_BYTES)
        if len(content) > LARGEST_TEXT_BYTES:
            message = f"{path} has more than {LARGEST_TEXT_BYTES} bytes, which no run "
            raise DamagedRunError(message + "has; run repair on the run.")
        return parse_header(read_value(content.decode("utf-8")))
    except FileNotFoundError as exc:
        message = f"{path} is missing; run repair on the run."
        raise DamagedRunError(message) from exc
    except IsADirectoryError as exc:
        message = f"{path} is a folder and no file; run repair on the run."
        raise DamagedRunError(message) from exc
    except OSError as exc:
        raise storage_error(exc, "read", path) from exc
    except ValueError as exc:
        message = f"{path} is damaged ({exc}); run repair on the run."
        raise DamagedRunError(message) from exc


def frame_record(header: Mapping[str, Any], n: int, draft: FrameDraft) -> FrameRecord:
    """Return what frame `n` of the run with this header says about itself."""
    plan = header.get("plan")
    name = plan.get("name") if isinstance(plan, Mapping) else None
    return FrameRecord(
        run_id=header["id"],
        dataset_id=header["dataset_id"],
        name=str(name or header["id"]),
        n=n,
        draft=draft,
        header=header if len(json.dumps(header)) <= LARGEST_IN_FRAME else None,
    )
