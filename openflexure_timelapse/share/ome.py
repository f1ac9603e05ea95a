"""What the two kinds of OME files have in common: both are for analysis."""

import importlib.util
import sys
from abc import ABC, abstractmethod
from typing import ClassVar, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from openflexure_timelapse.document import listed
from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.frames_table import write_tables
from openflexure_timelapse.share.ome_guide import guide_of
from openflexure_timelapse.share.ome_xml import PlaneAt, z_spacing_um
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.volume import (
    Volume,
    pixels_of,
    places_of,
    time_points,
    volumes_of,
)

__all__ = ["OLDEST_PYTHON", "OmeDestination", "Steps", "read_planes"]

OLDEST_PYTHON = (3, 11)
# What a plane takes beside its pixels: its lines in both lists and in the XML, its page
# in a TIFF or the folders in which a Zarr has it, four of a disk's block each.
BYTES_PER_PLANE = 25_000
BYTES_PER_VOLUME = 100_000
# What deflate adds to pixels that it cannot make smaller, at most: one in so many.
ONE_ADDED_IN = 1000
Picture = NDArray[np.uint8]


class Steps:
    """The pictures of a bundle one after the other, counted.

    Parameters
    ----------
    bundle : Bundle
        Is told the progress.
    total : int
        How many frames there will be.

    Attributes
    ----------
    unreadable : set of int
        The numbers of frames whose files held no picture so far.
    """

    def __init__(self, bundle: Bundle, total: int) -> None:
        self._bundle = bundle
        self._total = total
        self._done = 0
        self.unreadable: Set[int] = set()

    def pictures(
        self, subject: Subject, volume: Volume
    ) -> Iterator[Tuple[int, int, Optional[Picture]]]:
        """Yield time point, plane and picture of every plane; None for a black one."""
        for point, frames in enumerate(time_points(subject, volume)):
            for plane in range(volume.planes):
                picture = None
                if plane in frames:
                    picture = pixels_of(subject, volume, frames[plane])
                    if picture is None:
                        self.unreadable.add(frames[plane].n)
                    self._done += 1
                    self._bundle.tell(self._done, self._total)
                yield point, plane, picture


def read_planes(
    subject: Subject, volume: Volume, unreadable: Set[int]
) -> Iterator[PlaneAt]:
    """Yield the planes that have a picture."""
    for place in places_of(subject, volume):
        if place.point is not None and place.frame.n not in unreadable:
            draft = place.frame.draft
            yield PlaneAt(place.point, draft.plane, draft)


class OmeDestination(ABC):
    """A kind of OME file; see `Destination`.

    Attributes
    ----------
    ending : str
        Of the images' names.
    libraries : tuple of str
        The modules that write them, of the extra ``ome``.
    """

    name: str
    title: str
    feeds_gbif: bool = False
    ending: ClassVar[str]
    libraries: ClassVar[Tuple[str, ...]]

    @abstractmethod
    def write_volume(
        self, subject: Subject, volume: Volume, bundle: Bundle, steps: Steps
    ) -> None:
        """Write the image of one position."""

    def findings(self, subject: Subject, order: ShareOrder) -> Sequence[Finding]:
        """Return what stands in the way, and what is doubtful; nothing is written."""
        volumes = volumes_of(subject, order)
        found = [*self._of_libraries(), *_of_run(subject, volumes)]
        for volume in volumes:
            found += _of_volume(volume)
        return found

    def stills(
        self,
        subject: Subject,  # noqa: ARG002
        order: ShareOrder,  # noqa: ARG002
    ) -> None:
        """Return None: every frame goes along."""
        return

    def movies(self, subject: Subject) -> Sequence[str]:  # noqa: ARG002
        """Return none: no movie goes along."""
        return ()

    def bytes_needed(self, subject: Subject, order: ShareOrder) -> int:
        """Return how much room a bundle will take, at most.

        As if its pixels could not be compressed; pictures take a third or less.
        """
        volumes = volumes_of(subject, order)
        pixels = sum(volume.pixel_bytes for volume in volumes)
        planes = sum(volume.points * volume.planes for volume in volumes)
        left_out = sum(volume.misfits for volume in volumes)
        beside = (planes + left_out) * BYTES_PER_PLANE + len(volumes) * BYTES_PER_VOLUME
        return pixels + pixels // ONE_ADDED_IN + beside

    def write(self, subject: Subject, order: ShareOrder, bundle: Bundle) -> None:
        """Put everything into the bundle but its README and checksums."""
        volumes = volumes_of(subject, order)
        steps = Steps(bundle, sum(volume.frames for volume in volumes))
        for volume in volumes:
            self.write_volume(subject, volume, bundle, steps)
        write_tables(subject, volumes, self.ending, steps.unreadable, bundle)

    def guide(self, subject: Subject, order: ShareOrder, language: str) -> str:
        """Return the README in plain ``en`` or ``sv``: how to open it, step by step."""
        volumes = volumes_of(subject, order)
        return guide_of(subject, volumes, self.name, self.ending, language)

    def _of_libraries(self) -> List[Finding]:
        """Return what this computer lacks to write such files."""
        missing = [one for one in self.libraries if not importlib.util.find_spec(one)]
        if sys.version_info >= OLDEST_PYTHON and not missing:
            return []
        needed = "{}.{}".format(*OLDEST_PYTHON)
        told = f"{self.title} is written by {listed(self.libraries)}: it needs Python "
        told += needed + ' and pip install "openflexure-timelapse[ome]", and here is '
        told += "Python {}.{}".format(*sys.version_info)
        told += f" without {listed(missing)}" if missing else ""
        told += "; copy the run to a computer that has them, and share it there."
        return [Finding("order.destination", told, blocks=True)]


def _of_run(subject: Subject, volumes: Sequence[Volume]) -> Iterator[Finding]:
    """Yield what is to be said of the whole run."""
    if not volumes:
        told = f"{subject.run_id} has no frame that could be in an image; choose "
        yield Finding("run", told + "another position or run.", blocks=True)
        return
    if subject.um_per_pixel is None:
        told = "Nobody has told the micrometres per pixel, so the files will say "
        told += "nothing of sizes; if you know them, write them in the record."
        yield Finding("um_per_pixel", told)
    is_stack = volumes[0].planes > 1
    if is_stack and z_spacing_um(subject, volumes[0]) is None:
        told = "How far a step of z is in micrometres is not known, so the files will "
        told += "not say how far the planes are apart; tell it to your program."
        yield Finding("run", told)


def _of_volume(volume: Volume) -> Iterator[Finding]:
    """Yield what is to be said of one position."""
    here = f" at position {volume.position!r}"
    if volume.misfits:
        told = f"Frames that are not {volume.width} x {volume.height} pixels as most"
        told += f"{here}: {volume.misfits}; they are left out, and frames.csv says "
        yield Finding("run", told + "which.")
    if volume.missing_slots:
        told = f"Time points without a picture{here}: {volume.missing_slots}; the "
        told += "others follow one another, each with its true time."
        yield Finding("run", told)
    elif volume.interval_ns is None and volume.points > 1:
        told = f"The interval changes{here}; use the true time of each picture."
        yield Finding("run", told)
    if volume.began_ns is None:
        told = f"The clock was never surely right{here}, so the image has no date; the "
        yield Finding("run", told + "times since the start are right.")
