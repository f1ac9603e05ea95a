"""Damage to a stored run, done by hand."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

from cases.stored import RUN_ID, draft, tiny_jpeg

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.store.exif import with_exif
from openflexure_timelapse.store.header import frame_record
from openflexure_timelapse.store.run_store import RunStore

__all__ = [
    "FILE_DAMAGE",
    "NULLABLE",
    "OTHER_RUN",
    "SECOND_FRAME",
    "all_frames",
    "change",
    "execute",
    "half",
    "orphan",
    "take_out",
]


SECOND_FRAME = "frames/here/0000001.jpeg"
OTHER_RUN = "2020-01-01_000000_other"


def change(path: Path, place: int, data: bytes) -> None:
    """Write over some bytes of a file."""
    content = bytearray(path.read_bytes())
    content[place : place + len(data)] = data
    path.write_bytes(bytes(content))


def execute(folder: Path, statement: str) -> None:
    """Change the index behind the store's back."""
    with closing(sqlite3.connect(str(folder / "run.db"))) as database:
        database.execute(statement)
        database.commit()


def all_frames(folder: Path) -> List[Frame]:
    """Return what a run lists."""
    with RunStore.open_read(folder) as reader:
        return reader.frames(0, 1000)


def orphan(folder: Path, slot: int, n: int, run_id: str = RUN_ID) -> Path:
    """Put a whole frame into the folder whose row was never committed."""
    header = {**json.loads((folder / "run.json").read_text("utf-8")), "id": run_id}
    path = folder / f"frames/here/{slot:07d}.jpeg"
    record = frame_record(header, n, draft(slot))
    path.write_bytes(with_exif(tiny_jpeg(slot), record, {}))
    return path


def half(path: Path) -> None:
    """Cut a file in half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def take_out(folder: Path, path: str, value: Any = None) -> None:
    """Set a member of the header to null, or to a value."""
    header = json.loads((folder / "run.json").read_text("utf-8"))
    *outer, last = path.split(".")
    inner = header
    for name in outer:
        inner = inner[name]
    inner[last] = [] if path in NULLABLE and value is None else value
    (folder / "run.json").write_text(json.dumps(header), "utf-8")


NULLABLE = ("camera.simulated", "camera.um_per_pixel")
FILE_DAMAGE: Dict[str, Tuple[Callable[[Path], Any], str]] = {
    "orphan": (lambda f: orphan(f, 50, 7), "unlisted"),
    "orphan of a taken number": (lambda f: orphan(f, 50, 2), "unlisted"),
    "frame of another run": (lambda f: orphan(f, 50, 7, OTHER_RUN), "unlisted"),
    "image": (
        lambda f: (f / "frames/here/0000050.jpeg").write_bytes(tiny_jpeg()),
        "unlisted",
    ),
    "note": (lambda f: (f / "frames/note.txt").write_bytes(b"hello"), "unlisted"),
    "cut orphan": (lambda f: half(orphan(f, 50, 7)), "truncated"),
    "temporary": (
        lambda f: (f / "frames/here/.0000050.jpeg.0123456789ab.part").write_bytes(b""),
        "temporaries",
    ),
    "temporary index": (
        lambda f: (f / ".run.db.0123456789ab.part-wal").write_bytes(b""),
        "temporaries",
    ),
}
