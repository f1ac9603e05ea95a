"""A small run on disk, as a stranger may have copied it: with text and links of his."""

import io
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Tuple

from PIL import Image

from campaigns.hostile_tally import CANARY
from openflexure_timelapse.frame import FrameDraft, Outcome, Slot
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.header import HEADER_KEY
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["EVIL", "RUN_ID", "jpeg", "linked", "outside", "small_run", "told_evil"]

RUN_ID = "2026-11-23_083029_pond"
HEADER: Dict[str, Any] = {
    "plan": {
        "name": "pond",
        "interval_s": 30.0,
        "frames": 4,
        "sample": {"title": "pond", "photographer": "x", "sampled_at": "2026-11-20"},
    },
    "created": "2026-11-23T08:30:29+01:00",
    "microscope": {"host": "simulated"},
    "camera": {"model": "small", "simulated": True, "um_per_pixel": 0.5},
}
START_NS = 1_795_419_029_123_456_789
INTERVAL_NS = 30 * 10**9
EVIL: Tuple[str, ...] = (
    "<img src=x onerror='window.hit=1'>",
    "<script>window.hit=1</script>",
    "javascript:window.hit=1",
    "\"'><svg onload=window.hit=1>{{7*7}}${7*7}",
    "\x1b]0;hit\x07\x1b[2J\x9b31m",
    "[red]markup[/red] [link=file:///etc/passwd]x[/link]",
    '=HYPERLINK("http://x")\r\nX-Injected: 1',
    "../../../../etc/passwd",
    "\u202egnp.eman\u202c\u0000\ud800",
)
"""Text that does harm where it is taken for anything but text."""


def jpeg(number: int, size: Tuple[int, int] = (16, 12)) -> bytes:
    """Return a JPEG whose colour tells its number."""
    stream = io.BytesIO()
    colour = (number * 37 % 256, number * 11 % 256, 90)
    Image.new("RGB", size, colour).save(stream, "jpeg", quality=95)
    return stream.getvalue()


def draft(slot: int) -> FrameDraft:
    """Return what a visit knows of a frame."""
    due_ns = slot * INTERVAL_NS
    return FrameDraft(
        slot=slot,
        position="here",
        plane=0,
        due_ns=due_ns,
        elapsed_ns=due_ns + 1000,
        wall_ns=START_NS + due_ns,
        utc_offset_s=3600,
        wall_trusted=True,
        x=slot,
        y=-20,
        z=300,
        width=16,
        height=12,
        mean_grey=88.25,
        sharpness=1234.5,
    )


def small_run(data_folder: Path, frames: int = 4, run_id: str = RUN_ID) -> Path:
    """Return the folder of a run with so many frames, one of them large."""
    with RunStore.create(data_folder, run_id, HEADER, RealDisk()) as store:
        for slot in range(frames):
            large = slot == frames - 1
            size = (640, 480) if large else (16, 12)
            told = replace(draft(slot), width=size[0], height=size[1])
            store.add_frame(jpeg(slot, size), told, {})
            store.add_slot(Slot(slot, slot, Outcome.CAPTURED, None, "", 1000))
        store.set_value("engine", {"state": {"phase": "ended"}})
        store.write_csv()
        return store.folder


def outside(folder: Path) -> Path:
    """Make files beside every run that nobody may be given; return their folder."""
    place = folder / "outside"
    place.mkdir(parents=True)
    (place / "secret.txt").write_bytes(CANARY)
    (place / "0000001.jpeg").write_bytes(jpeg(99, (640, 480)) + CANARY)
    (place / "secret.mp4").write_bytes(CANARY)
    return place


def linked(run: Path, secrets: Path) -> None:
    """Put links out of a run where its files are."""
    first, second = sorted((run / "frames" / "here").iterdir())[:2]
    for path in (first, second):
        path.unlink()
    first.symlink_to(secrets / "0000001.jpeg")
    second.symlink_to("../../../outside/secret.txt")
    (run / "movies" / "here.mp4").symlink_to(secrets / "secret.mp4")
    (run / "frames.csv").unlink()
    (run / "movies" / "<img src=x onerror='window.hit=1'>.gif").write_bytes(
        b"<script>window.hit=1</script>"
    )


def told_evil(run: Path, text: str) -> None:
    """Have a run say a text wherever it says text."""
    path = run / "run.json"
    header = json.loads(path.read_text("utf-8"))
    header["plan"]["name"] = text
    header["plan"]["sample"] = {
        "title": text,
        "notes": text,
        "place": text,
        "photographer": text,
    }
    header["created"] = text
    header["camera"]["model"] = text
    header["microscope"] = {text: text}
    path.write_text(json.dumps(header), "utf-8")
    with closing(sqlite3.connect(str(run / "run.db"))) as database:
        database.execute(
            "UPDATE slots SET detail = ?, outcome = 'failed'", (_utf8(text),)
        )
        row = (HEADER_KEY, json.dumps(header))
        database.execute("REPLACE INTO meta VALUES (?, ?)", row)
        database.commit()


def _utf8(text: str) -> str:
    """Return a text that SQLite can hold."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
