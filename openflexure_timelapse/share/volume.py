"""A volume: the frames of one position as time points and planes of one size.

Only time points that were captured are in it, in their order; each plane has its true
time. A plane that a stack lacks stays black and has no time. Frames of another size
than most are left out. The index alone tells all of this, so that it is known before
anything is written.
"""

from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Dict, Iterator, List, NamedTuple, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.frame import Frame, FrameDraft
from openflexure_timelapse.names import slug
from openflexure_timelapse.quality import size_of
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.tally import PlaceTally
from openflexure_timelapse.store.fence import (
    LARGEST_FRAME_BYTES,
    is_inside,
    read_at_most,
)

__all__ = ["Place", "Volume", "pixels_of", "places_of", "time_points", "volumes_of"]

SAMPLES = 3


@dataclass(frozen=True)
class Volume:
    """What the index tells of one position.

    Attributes
    ----------
    position : str
        As in the plan.
    width, height : int
        Of every plane, in pixels.
    planes, points : int
        How many planes a stack has, and how many time points there are.
    frames, misfits : int
        How many frames are in it, and how many of another size are not.
    missing_slots : int
        How many slots between the first and the last have no time point.
    interval_ns : int or None
        From time point to time point, where it is always the same; else None.
    mean_interval_ns : int or None
        From time point to time point on average; None for a single one.
    began_ns : int or None
        The time of day (UTC) from which the frames' times are counted; None where no
        clock was believed.
    last_n : int
        The number of the last frame: a run that is being recorded grows meanwhile.
    """

    position: str
    width: int
    height: int
    planes: int
    points: int
    frames: int
    misfits: int
    missing_slots: int
    interval_ns: Optional[int]
    mean_interval_ns: Optional[int]
    began_ns: Optional[int]
    last_n: int

    @property
    def stem(self) -> str:
        """What its files are called."""
        return slug(self.position)

    @property
    def pixel_bytes(self) -> int:
        """How much its pixels are, not compressed."""
        return self.points * self.planes * self.height * self.width * SAMPLES

    def why_not(self, draft: FrameDraft) -> str:
        """Return why a frame has no place in it; empty for one that has."""
        if (draft.width, draft.height) != (self.width, self.height):
            return "other_size"
        return "" if draft.plane < self.planes else "no_such_plane"


class Place(NamedTuple):
    """Where a frame is in a volume.

    Attributes
    ----------
    frame : Frame
        Any frame of the position.
    point : int or None
        Its time point, from 0; None when it is left out.
    left_out : str
        Why; empty for one that is not.
    """

    frame: Frame
    point: Optional[int]
    left_out: str


def volumes_of(subject: Subject, order: ShareOrder) -> List[Volume]:
    """Return the volumes of an order; positions without a frame have none."""
    chosen = subject.positions if order.position is None else (order.position,)
    planes = subject.plan.planes.count
    counted = subject.tallies.of(subject.reader, planes)
    return [
        _volume(position, planes, counted[position])
        for position in chosen
        if position in counted and counted[position].sizes
    ]


def _volume(position: str, planes: int, counted: PlaceTally) -> Volume:
    """Return the volume of a position: of the size that most of its frames have."""
    size, most = max(counted.sizes.items(), key=lambda item: item[1].frames)
    step_ns = most.interval_ns if most.is_regular else None
    return Volume(
        position=position,
        width=size[0],
        height=size[1],
        planes=planes,
        points=most.points,
        frames=most.frames,
        misfits=counted.frames - most.frames,
        missing_slots=max(0, most.slots[1] - most.slots[0] + 1 - most.points),
        interval_ns=step_ns if step_ns and step_ns > 0 else None,
        mean_interval_ns=most.mean_ns(),
        began_ns=most.began_ns,
        last_n=counted.last_n,
    )


def places_of(subject: Subject, volume: Volume) -> Iterator[Place]:
    """Yield every frame of a volume's position, and where it is in the volume."""
    point, slot = -1, -1
    frames = subject.frames(volume.position)
    for frame in takewhile(lambda each: each.n <= volume.last_n, frames):
        why = volume.why_not(frame.draft)
        if why:
            yield Place(frame, None, why)
            continue
        if frame.draft.slot != slot:
            point, slot = point + 1, frame.draft.slot
        yield Place(frame, point, "")


def time_points(subject: Subject, volume: Volume) -> Iterator[Dict[int, Frame]]:
    """Yield each time point: its frames by their plane, some of which may lack."""
    kept = (each for each in places_of(subject, volume) if each.point is not None)
    for _, group in groupby(kept, key=lambda each: each.point):
        yield {each.frame.draft.plane: each.frame for each in group}


def pixels_of(
    subject: Subject, volume: Volume, frame: Frame
) -> Optional[NDArray[np.uint8]]:
    """Return a frame's picture as RGB; None where its file holds none of the size.

    Parameters
    ----------
    subject, volume
        Which the frame is of.
    frame : Frame
        That has a place in the volume.
    """
    path = subject.path(frame)
    try:
        if not (path.is_file() and is_inside(subject.folder, path)):
            return None
        jpeg = read_at_most(path, LARGEST_FRAME_BYTES)
    except OSError:  # `verify` tells why; the picture stays black, and that is told
        return None
    # An absurd size in a header must not take all of the memory.
    if size_of(jpeg) != (volume.width, volume.height):
        return None
    way = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), way)
    except cv2.error:
        return None
    if picture is None or picture.shape[:2] != (volume.height, volume.width):
        return None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
