"""Small frames and runs on disk, and disks that are small or read-only."""

import contextlib
import io
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from PIL import Image

from openflexure_timelapse.frame import FrameDraft, Outcome, Slot
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

RUN_ID = "2026-11-23_083029_pond"
HEADER: Dict[str, Any] = {
    "plan": {"name": "pond", "interval_s": 30.0, "frames": 120},
    "created": "2026-11-23T08:30:29+01:00",
    "microscope": {"host": "simulated"},
    "camera": {"model": "small", "simulated": False, "um_per_pixel": 0.5},
}
START_NS = 1_795_419_029_123_456_789
SECOND_NS = 10**9
INTERVAL_NS = 30 * SECOND_NS


def tiny_jpeg(number: int = 0, **options: Any) -> bytes:
    """Return a JPEG of 16 x 12 pixels whose colour tells its number."""
    colour = (number % 256, number // 256 % 256, 90)
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), colour).save(stream, "jpeg", quality=95, **options)
    return stream.getvalue()


def draft(slot: int, position: str = "here", plane: int = 0) -> FrameDraft:
    """Return what a visit knows of a frame."""
    due_ns = slot * INTERVAL_NS
    return FrameDraft(
        slot=slot,
        position=position,
        plane=plane,
        due_ns=due_ns,
        elapsed_ns=due_ns + 250_000_000 + plane,
        wall_ns=START_NS + due_ns,
        utc_offset_s=3600,
        wall_trusted=True,
        x=10 * slot,
        y=-20,
        z=300 + plane,
        width=16,
        height=12,
        mean_grey=88.25,
        sharpness=1234.5,
        metadata={"exposure_us": 1000},
    )


def captured(first: int, last: int = -1) -> Slot:
    """Return the outcome of a slot, or of a range of slots, that went well."""
    return Slot(first, max(first, last), Outcome.CAPTURED, None, "", 250_000_000)


def new_run(data_folder: Path, run_id: str = RUN_ID) -> RunStore:
    """Return a new run, open for writing."""
    return RunStore.create(data_folder, run_id, HEADER, RealDisk())


def fill(store: RunStore, count: int, first: int = 0) -> None:
    """Add so many slots with a frame each."""
    for slot in range(first, first + count):
        store.add_frame(tiny_jpeg(slot), draft(slot), {"stage": {"x": slot}})
        store.add_slot(captured(slot))


def finished_run(data_folder: Path, count: int = 6, run_id: str = RUN_ID) -> Path:
    """Return the folder of a closed run with so many frames."""
    with new_run(data_folder, run_id) as store:
        fill(store, count)
        store.set_value("engine", {"state": {"phase": "running"}})
        return store.folder


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int = 512) -> Iterator[Path]:
    """Mount a disk of a few kilobytes in memory; skip the test where that is barred."""
    folder.mkdir()
    size = f"size={kilobytes}k"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
    _mount(command)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607


def make_read_only(disk: Path) -> None:
    """Make a mounted `small_disk` read-only."""
    _mount(["mount", "-o", "remount,ro", str(disk)])


def _mount(command: Any) -> None:
    """Mount something, or skip the test."""
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        pytest.skip(f"this test mounts a small disk, which is not permitted ({exc})")


def at_plane(slot: int, plane: int, **changes: Any) -> FrameDraft:
    """Return a draft with some facts changed."""
    return replace(draft(slot, plane=plane), **changes)
