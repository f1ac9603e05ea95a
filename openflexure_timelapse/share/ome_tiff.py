"""OME-TIFF: one file for each position, for Fiji, TrackMate and napari.

The pixels are compressed by deflate, without loss: Fiji reads it without an addition,
and writing it costs less than writing five times as many bytes to a memory card. The
OME-XML goes to the end of the file, a piece at a time, when it is known which frames
could be read.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from openflexure_timelapse import __version__
from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.ome import OmeDestination, Steps, read_planes
from openflexure_timelapse.share.ome_xml import ome_xml
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.volume import Volume

__all__ = ["OME_TIFF", "OmeTiff"]

# Classic TIFF counts to 4 GiB; what is not pixels fits into the rest.
MOST_CLASSIC_BYTES = 2**32 - 2**28
DESCRIPTION = 270
FILLED_IN_LATER = "OME-XML"
UM_PER_CM = 10_000
LEVEL = 1


class OmeTiff(OmeDestination):
    """The destination."""

    name = "ome-tiff"
    title = "OME-TIFF"
    ending = ".ome.tiff"
    libraries = ("tifffile",)

    def write_volume(
        self, subject: Subject, volume: Volume, bundle: Bundle, steps: Steps
    ) -> None:
        """Write the file of one position."""
        name = volume.stem + self.ending
        with bundle.open(name) as stream:
            _write_pixels(subject, volume, stream, steps)
            stream.seek(0, 2)
            planes = read_planes(subject, volume, steps.unreadable)
            begin = stream.tell()
            for piece in ome_xml(subject, volume, planes, in_tiff=True):
                stream.write(piece.encode("ascii"))
            stream.write(b"\0")
            _describe(stream, bundle.path(name), begin, stream.tell() - begin)


def _write_pixels(
    subject: Subject, volume: Volume, stream: BinaryIO, steps: Steps
) -> None:
    """Write the pages, in the order of time points and planes."""
    import tifffile  # noqa: PLC0415 - of the extra `ome`

    options: Any = {
        "photometric": "rgb",
        "compression": "zlib",
        "compressionargs": {"level": LEVEL},
        "metadata": None,
        "contiguous": False,
        "maxworkers": 1,  # the other cores are the microscope's
    }
    if subject.um_per_pixel is not None:
        per_cm = UM_PER_CM / subject.um_per_pixel
        options.update(resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    only_first: dict[str, Any] = {
        "description": FILLED_IN_LATER,
        "software": f"OpenFlexure Timelapse {__version__}",
    }
    black = np.zeros((volume.height, volume.width, 3), np.uint8)
    is_big = volume.pixel_bytes > MOST_CLASSIC_BYTES
    with tifffile.TiffWriter(stream, bigtiff=is_big, byteorder="<") as writer:
        for _, _, picture in steps.pictures(subject, volume):
            page = black if picture is None else picture
            writer.write(page, **options, **only_first)
            only_first = {"software": False}


def _describe(stream: BinaryIO, path: Path, begin: int, count: int) -> None:
    """Let the first page's description be what stands at `begin`."""
    import tifffile  # noqa: PLC0415 - of the extra `ome`

    stream.flush()
    with tifffile.TiffFile(path) as written:
        tag = written.pages.first.tags[DESCRIPTION]
        form = "<QQ" if written.is_bigtiff else "<II"
    stream.seek(tag.offset + 4)  # past the code and the type
    stream.write(struct.pack(form, count, begin))


OME_TIFF = OmeTiff()
