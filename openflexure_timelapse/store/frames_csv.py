"""``frames.csv``: the list of frames for a spreadsheet, units in the headings.

Stage positions are motor steps, `mean_grey` is 0 to 255, and `sharpness` is a variance
of those grey levels.
"""

import csv
import io
from pathlib import Path
from typing import Any, Iterable, List

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.store.disk import durable_file
from openflexure_timelapse.store.layout import local_time

__all__ = ["CSV_COLUMNS", "csv_line", "write_frames_csv"]

# What a spreadsheet would take for the beginning of a formula.
FORMULA = ("=", "+", "-", "@")

CSV_COLUMNS = (
    "n",
    "file",
    "slot",
    "position",
    "plane",
    "time",
    "clock_trusted",
    "due_s",
    "elapsed_s",
    "x_steps",
    "y_steps",
    "z_steps",
    "width_px",
    "height_px",
    "mean_grey",
    "sharpness",
    "flags",
    "size_bytes",
    "sha256",
)


def write_frames_csv(path: Path, frames: Iterable[Frame]) -> None:
    """Write one line for each frame; the file appears under its name when complete.

    Raises
    ------
    DiskFullError, StorageError
        When it could not be written; an older one is still there.
    """
    with durable_file(path) as stream:
        buffered = io.BufferedWriter(stream)
        text = io.TextIOWrapper(buffered, "utf-8", "backslashreplace", newline="")
        lines = csv.writer(text)
        lines.writerow(CSV_COLUMNS)
        lines.writerows(csv_line(frame) for frame in frames)
        text.flush()
        text.detach()
        buffered.detach()


def csv_line(frame: Frame) -> List[Any]:
    """Return the values of ``CSV_COLUMNS``.

    The name of a position that looks like a formula has an apostrophe before it.
    """
    draft = frame.draft
    is_formula = draft.position.startswith(FORMULA)
    return [
        frame.n,
        frame.file,
        draft.slot,
        f"'{draft.position}" if is_formula else draft.position,
        draft.plane,
        local_time(draft.wall_ns, draft.utc_offset_s).isoformat(),
        draft.wall_trusted,
        f"{draft.due_ns / 1e9:.6f}",
        f"{draft.elapsed_ns / 1e9:.6f}",
        draft.x,
        draft.y,
        draft.z,
        draft.width,
        draft.height,
        f"{draft.mean_grey:.3f}",
        f"{draft.sharpness:.3f}",
        " ".join(flag.value for flag in draft.flags),
        frame.size_bytes,
        frame.sha256,
    ]
