"""What is put right in each frame of a movie, found by looking at all of them first."""

from dataclasses import dataclass
from typing import Callable, Iterable, List, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.movie.deflicker import (
    Levels,
    correct_brightness,
    flicker_gains,
    patches,
)
from openflexure_timelapse.movie.filters import Picture, Size
from openflexure_timelapse.movie.registration import Pose, Tracker
from openflexure_timelapse.movie.stabilise import Steadying, steadying
from openflexure_timelapse.movie.stills import Still
from openflexure_timelapse.movie.timeline import Shot

__all__ = ["Corrections", "Survey", "survey_size"]

SURVEY_WIDTH = 416


@dataclass(frozen=True)
class Corrections:
    """What is put right in each frame.

    Attributes
    ----------
    slots : array of int64, shape (frames,)
        Of the frames that are put right, rising.
    gains : array of float32, shape (frames, 3), or None
        By what the channels are multiplied.
    steadying : Steadying or None
        How the frames are laid back.
    """

    slots: NDArray[np.int64]
    gains: Optional[NDArray[np.float32]]
    steadying: Optional[Steadying]

    @property
    def kept(self) -> float:
        """The part of the picture's width and height that is shown."""
        return 1.0 if self.steadying is None else self.steadying.kept

    @property
    def remark(self) -> str:
        """What a person should know; may be empty."""
        return "" if self.steadying is None else self.steadying.remark

    def apply(self, slot: int, picture: Picture) -> Picture:
        """Return the picture of a slot, put right; itself when nothing is known of it.

        Parameters
        ----------
        slot : int
            Of the frame.
        picture : array of uint8, shape (height, width, 3)
            Of the shape that the frames have, at any size. Not altered.
        """
        index = int(np.searchsorted(self.slots, slot))
        if index == len(self.slots) or self.slots[index] != slot:
            return picture
        if self.gains is not None:
            picture = correct_brightness(picture, self.gains[index])
        if self.steadying is not None:
            picture = self.steadying.apply(index, picture)
        return picture


def survey_size(frame: Size) -> Size:
    """Return the size at which frames are looked at: at most 416 pixels across."""
    width = min(SURVEY_WIDTH, frame[0])
    return width, max(1, round(frame[1] * width / frame[0]))


class Survey:
    """Looks at every frame, reduced, before the first is shown.

    Parameters
    ----------
    frame : (int, int)
        The size of the first stored frame; others are left as they are.
    deflicker, stabilise : bool
        What is to be put right.
    """

    def __init__(self, frame: Size, *, deflicker: bool, stabilise: bool) -> None:
        self._frame = frame
        self._levels = Levels() if deflicker else None
        self._tracker = Tracker() if stabilise else None

    def look(
        self, shots: Iterable[Shot[Still]], report: Callable[[int], None]
    ) -> Corrections:
        """Return what is to be put right.

        Parameters
        ----------
        shots : iterable of Shot
            Of every frame, at `survey_size`.
        report : callable
            Is told how many have been looked at.
        """
        slots: List[int] = []
        levels: List[NDArray[np.float64]] = []
        poses: List[Pose] = []
        unknown = np.full(3, np.nan)
        for count, shot in enumerate(shots, 1):
            still = shot.picture
            report(count)
            if still is None or still.pixels is None or still.size != self._frame:
                continue
            slots.append(shot.frame.slot)
            if self._levels is not None:
                level = self._levels.follow(patches(still.pixels))
                levels.append(unknown if level is None else level)
            if self._tracker is not None:
                grey = cv2.cvtColor(still.pixels, cv2.COLOR_BGR2GRAY)
                poses += self._tracker.add(np.asarray(grey, np.uint8))
        gains = flicker_gains(np.array(levels)) if levels else None
        steady = None
        if self._tracker is not None:
            poses += self._tracker.finish()
            steady = steadying(poses, self._frame[0] / self._frame[1])
        return Corrections(np.array(slots, np.int64), gains, steady)
