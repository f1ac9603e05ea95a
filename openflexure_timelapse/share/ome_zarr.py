"""OME-Zarr 0.4: one folder for each position, for napari, Fiji and Python.

Version 0.4 is what programs open most widely. Each plane is one chunk, so that a
picture is read alone; zlib compresses it, which no reader needs a native library for.
Beside the picture stand the true times, as arrays ``elapsed_s`` (by time point and
plane) and ``slot``, and the OME-XML.
"""

from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np

from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.ome import OmeDestination, Steps, read_planes
from openflexure_timelapse.share.ome_xml import ome_xml, z_spacing_um
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.volume import Volume
from openflexure_timelapse.store.disk import storage_error

__all__ = ["OME_ZARR", "OmeZarr"]

VERSION = "0.4"
FORMAT = 2
LEVEL = 1
NS_PER_S = 1_000_000_000
CHANNELS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
DIMENSIONS = "_ARRAY_DIMENSIONS"
"""By this name xarray knows the axes of an array."""


class OmeZarr(OmeDestination):
    """The destination."""

    name = "ome-zarr"
    title = "OME-Zarr"
    ending = ".ome.zarr"
    libraries = ("zarr", "numcodecs")

    def write_volume(
        self, subject: Subject, volume: Volume, bundle: Bundle, steps: Steps
    ) -> None:
        """Write the folder of one position."""
        name = volume.stem + self.ending
        place = bundle.path(name)
        try:
            _write_arrays(subject, volume, place, steps)
        except OSError as exc:
            raise storage_error(exc, "write", place) from exc
        planes = read_planes(subject, volume, steps.unreadable)
        with bundle.open(f"{name}/OME/METADATA.ome.xml") as stream:
            for piece in ome_xml(subject, volume, planes, in_tiff=False):
                stream.write(piece.encode("ascii"))


def _write_arrays(subject: Subject, volume: Volume, place: Path, steps: Steps) -> None:
    """Write pixels and times."""
    import numcodecs  # noqa: PLC0415 - of the extra `ome`
    import zarr  # noqa: PLC0415 - of the extra `ome`

    group = zarr.create_group(
        store=str(place), zarr_format=FORMAT, attributes=_attributes(subject, volume)
    )
    layout: Dict[str, Any] = {
        "chunk_key_encoding": {"name": "v2", "separator": "/"},
        "compressors": numcodecs.Zlib(level=LEVEL),
    }
    height, width = volume.height, volume.width
    pixels = group.create_array(
        "0",
        shape=(volume.points, len(CHANNELS), volume.planes, height, width),
        chunks=(1, len(CHANNELS), 1, height, width),
        dtype="uint8",
        fill_value=0,
        attributes={DIMENSIONS: ["t", "c", "z", "y", "x"]},
        **layout,
    )
    for point, plane, picture in steps.pictures(subject, volume):
        if picture is not None:
            pixels[point, :, plane] = picture.transpose(2, 0, 1)
    # Eight bytes for each plane: the only list of all of them.
    elapsed_s = np.full((volume.points, volume.planes), np.nan)
    slots = np.full(volume.points, -1, np.int64)
    for each in read_planes(subject, volume, steps.unreadable):
        elapsed_s[each.point, each.plane] = each.draft.elapsed_ns / NS_PER_S
        slots[each.point] = each.draft.slot
    for name, values, axes in (
        ("elapsed_s", elapsed_s, ["t", "z"]),
        ("slot", slots, ["t"]),
    ):
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype,
            attributes={DIMENSIONS: axes},
            **layout,
        )
        array[...] = values


def _attributes(subject: Subject, volume: Volume) -> Dict[str, Any]:
    """Return what the folder says of itself."""
    name = f"{subject.run_id} {volume.position}"
    axes, scale = _axes(subject, volume)
    window = {"start": 0, "end": 255, "min": 0, "max": 255}
    return {
        "multiscales": [
            {
                "version": VERSION,
                "name": name,
                "axes": axes,
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": scale}
                        ],
                    }
                ],
            }
        ],
        "omero": {
            "version": VERSION,
            "name": name,
            "channels": [
                {"label": label, "color": colour, "active": True, "window": window}
                for label, colour in CHANNELS
            ],
            "rdefs": {"model": "color"},
        },
    }


def _axes(subject: Subject, volume: Volume) -> Tuple[List[Dict[str, str]], List[float]]:
    """Return the axes, and how far two neighbours on each are apart.

    The format wants a number for every axis: one without a unit counts pixels, planes
    or time points, and says no more.
    """
    interval = volume.interval_ns
    interval_s = None if interval is None else interval / NS_PER_S
    scale_um = subject.um_per_pixel
    known = (
        ("t", "time", "second", interval_s),
        ("c", "channel", "", None),
        ("z", "space", "micrometer", z_spacing_um(subject, volume)),
        ("y", "space", "micrometer", scale_um),
        ("x", "space", "micrometer", scale_um),
    )
    axes: List[Dict[str, str]] = []
    scale: List[float] = []
    for name, kind, unit, step in known:
        axis = {"name": name, "type": kind}
        axes.append(axis if step is None else {**axis, "unit": unit})
        scale.append(1.0 if step is None else float(step))
    return axes, scale


OME_ZARR = OmeZarr()
