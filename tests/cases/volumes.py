"""Runs to make volumes of: of few small frames with what can happen, and long ones."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, Mapping, Optional, Tuple

from cases.rig import PLACES, Rig
from cases.stored import HEADER, draft, tiny_jpeg

from hardware_sim import Fault
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.order import ShareOrder, parse_order
from openflexure_timelapse.share.record_file import write_record
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import INDEX_FILE, frame_file
from openflexure_timelapse.store.run_store import RunStore

__all__ = [
    "OME",
    "STAGE",
    "long_run",
    "nothing",
    "order_for",
    "simulated_run",
    "small_run",
]

OME = ("ome-tiff", "ome-zarr")
RUN_ID = "2026-11-23_083029_pond"
STAGE = {"model": "small", "simulated": True, "step_um": [0.08, 0.08, 0.05]}
BATCH = 5000
MOST_LINKS = 30_000
"""Of one file; ext4 allows 65 000."""


def nothing(*_told: int) -> bool:
    """Take note of nothing, and cancel nothing."""
    return False


def order_for(destination: str, **changes: Any) -> ShareOrder:
    """Return an order."""
    return parse_order({"destination": destination, **changes})


def small_run(  # noqa: PLR0913 (each test names what it needs)
    data: Path,
    slots: Collection[int] = range(4),
    *,
    planes: int = 1,
    positions: Tuple[str, ...] = ("here",),
    without: Collection[Tuple[int, int]] = (),
    stage: Optional[Mapping[str, Any]] = None,
    um_per_pixel: Optional[float] = 0.5,
    draft_changes: Optional[Mapping[str, Any]] = None,
    **plan: Any,
) -> Path:
    """Return the folder of a run of frames of 16 x 12 pixels, one colour each.

    Parameters
    ----------
    data : Path
        Where it is made.
    slots, planes, positions
        What it has frames of.
    without : collection of (slot, plane)
        But for these.
    stage, um_per_pixel
        As in the header; None for not known.
    draft_changes : mapping, optional
        To what is known of each frame.
    **plan
        Changes to the plan.
    """
    asked: Dict[str, Any] = {**HEADER["plan"], **plan}
    if planes > 1:
        asked["planes"] = {"count": planes, "step": 10}
    if positions != ("here",):
        zero = {"x": 0, "y": 0, "z": 0}
        asked["positions"] = [{"name": name, **zero} for name in positions]
    camera = {**HEADER["camera"], "um_per_pixel": um_per_pixel}
    header = {**HEADER, "plan": asked, "camera": camera, "stage": stage}
    with RunStore.create(data, RUN_ID, header, RealDisk()) as store:
        for slot in slots:
            for position in positions:
                for plane in range(planes):
                    if (slot, plane) not in without:
                        known = draft(slot, position, plane)
                        known = replace(known, **(draft_changes or {}))
                        store.add_frame(tiny_jpeg(slot * 7 + plane), known, {})
        return store.folder


def simulated_run(data: Path) -> Path:
    """Return the folder of a run of the simulated microscope that did not go all well.

    At two positions with stacks of two; in slot 1 the camera gives up at the second
    plane of the first position, and in slot 2 at all of them.
    """
    faults = [
        Fault("camera_timed_out", nth=(5, 6), amount=1.0),
        Fault("camera_timed_out", from_s=59.0, to_s=80.0, amount=1.0),
    ]
    planes = {"count": 2, "step": 40}
    rig = Rig(data, faults=faults, positions=PLACES, planes=planes, frames=4)
    rig.run()
    known = Record(title="Grönalger", um_per_pixel=0.36, calibration="a ruler")
    write_record(rig.folder, known, RealDisk())
    return rig.folder


def long_run(data: Path, count: int) -> Path:
    """Return the folder of a run of so many small frames; their files are one file."""
    header = {**HEADER, "stage": STAGE}
    with RunStore.create(data, RUN_ID, header, RealDisk()) as store:
        folder = store.folder
    index = Index(folder / INDEX_FILE, writable=True)
    for first in range(0, count, BATCH):
        numbers = range(first, min(count, first + BATCH))
        index.write(frames=_linked(folder, numbers))
    index.close()
    return folder


def _linked(folder: Path, numbers: range) -> Iterator[Frame]:
    """Make the files of frames, and yield their rows."""
    jpeg = tiny_jpeg()
    for number in numbers:
        file = frame_file("here", number, 0)
        source = folder / frame_file("here", number - number % MOST_LINKS, 0)
        if number % MOST_LINKS:
            os.link(str(source), str(folder / file))
        else:
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_bytes(jpeg)
        yield Frame(number + 1, file, "0" * 64, len(jpeg), draft(number))
