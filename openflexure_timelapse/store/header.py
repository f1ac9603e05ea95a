"""``run.json``: what a run is, written once when it starts."""

import json
import uuid
from pathlib import Path
from typing import Any, Dict, Mapping

from openflexure_timelapse.errors import DamagedRunError, InvalidRequestError
from openflexure_timelapse.frame import FrameDraft
from openflexure_timelapse.store.disk import storage_error
from openflexure_timelapse.store.exif import FrameRecord, jsonable
from openflexure_timelapse.store.layout import HEADER_FILE, check_run_id

__all__ = [
    "HEADER_KEY",
    "frame_record",
    "header_text",
    "new_header",
    "parse_header",
    "read_header",
]

HEADER_KEY = "run.json"
# Every frame carries the header up to this size, so that a run can be rebuilt from
# any one of its frames; a plan with hundreds of positions would be too large.
LARGEST_IN_FRAME = 8000


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
        When it is not the header of a run.
    """
    try:
        uuid.UUID(data["dataset_id"])
        check_run_id(data["id"])
        return dict(data)
    except (KeyError, TypeError, AttributeError, InvalidRequestError) as exc:
        message = f"it is not the header of a run: {exc}"
        raise ValueError(message) from exc


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
        return parse_header(json.loads(path.read_bytes().decode("utf-8")))
    except FileNotFoundError as exc:
        message = f"{path} is missing; run repair on the run."
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
