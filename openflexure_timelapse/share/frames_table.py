"""Two lists of the frames in a bundle: ``frames.csv`` and ``camera.jsonl``.

``frames.csv`` has one line for each frame, units in the headings, and says where in
which image it is; ``camera.jsonl`` has one JSON object for each, with all that the
camera told of it.
"""

import csv
import io
import json
from typing import Any, List, Sequence, Set

from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.ome_xml import exposure_s
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.share.volume import Place, Volume, places_of
from openflexure_timelapse.store.frames_csv import CSV_COLUMNS, csv_line

__all__ = ["CAMERA_LIST", "FRAMES_TABLE", "write_tables"]

FRAMES_TABLE = "frames.csv"
CAMERA_LIST = "camera.jsonl"
COLUMNS = (*CSV_COLUMNS, "exposure_s", "image", "t_index", "z_index", "left_out")


def write_tables(
    subject: Subject,
    volumes: Sequence[Volume],
    ending: str,
    unreadable: Set[int],
    bundle: Bundle,
) -> None:
    """Write both lists.

    Parameters
    ----------
    subject, volumes
        Of what.
    ending : str
        Of the images' names, such as ``.ome.tiff``.
    unreadable : set of int
        The numbers of frames whose files held no picture.
    bundle : Bundle
        Where to.
    """
    with bundle.open(FRAMES_TABLE) as stream, bundle.open(CAMERA_LIST) as camera:
        text = io.TextIOWrapper(stream, "utf-8", "backslashreplace", newline="")
        lines = csv.writer(text)
        lines.writerow(COLUMNS)
        for volume in volumes:
            for place in places_of(subject, volume):
                name = volume.stem + ending
                is_read = place.frame.n not in unreadable
                lines.writerow(_line(place, name, is_read=is_read))
                camera.write(_told(place))
        text.flush()
        text.detach()


def _line(place: Place, image: str, *, is_read: bool) -> List[Any]:
    """Return the values of `COLUMNS`."""
    draft = place.frame.draft
    exposed_s = exposure_s(draft)
    line = [*csv_line(place.frame), "" if exposed_s is None else f"{exposed_s:.9g}"]
    if place.point is None:
        return [*line, "", "", "", place.left_out]
    left_out = "" if is_read else "unreadable"
    return [*line, image, place.point, draft.plane, left_out]


def _told(place: Place) -> bytes:
    """Return all that the camera told of a frame, as one line of JSON."""
    told = {**place.frame.draft.metadata, "n": place.frame.n}
    return json.dumps(told).encode("ascii") + b"\n"
