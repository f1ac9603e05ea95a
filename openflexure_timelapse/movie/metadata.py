"""What a movie's file says of itself: who, when, where, under which licence. Pure.

Nothing of the moment of rendering is in it: the same run and recipe give the same
words. The place is in it only when the recipe allows it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

import piexif

from openflexure_timelapse import __version__
from openflexure_timelapse.movie.timeline import MovieFrame
from openflexure_timelapse.store.layout import local_time

if TYPE_CHECKING:  # as in `codecs`
    from openflexure_timelapse.recipe import Recipe

__all__ = [
    "SOFTWARE",
    "Metadata",
    "exif_of",
    "ffmpeg_metadata",
    "gathered",
    "gps_fields",
    "texts_of",
]

SOFTWARE = f"OpenFlexure Timelapse {__version__}"
NS_PER_S = 1_000_000_000
S_PER_DEGREE = 3600
PLACE = ("place", "latitude", "longitude")
# EXIF 2.32: a text is ASCII, though all readers take UTF-8; what names its own coding
# begins with it.
UNICODE = b"UNICODE\x00"
MARK = b"Exif\x00\x00"


@dataclass(frozen=True)
class Metadata:
    """What the file says; an empty text is not said.

    Attributes
    ----------
    title, author, licence : str
        Of the movie.
    begin, end : str
        When the first and the last frame were exposed, in ISO 8601 with the offset;
        empty when the clock could not be believed.
    comment : str
        How many frames, how often, which position and organism, by which program.
    place : str
        In words.
    coordinates : (float, float) or None
        Latitude and longitude in degrees.
    """

    title: str = ""
    author: str = ""
    licence: str = ""
    begin: str = ""
    end: str = ""
    comment: str = ""
    place: str = ""
    coordinates: Optional[Tuple[float, float]] = None

    @staticmethod
    def of(
        about: Mapping[str, Any],
        first: MovieFrame,
        last: MovieFrame,
        frames: int,
        interval_ns: int,
    ) -> "Metadata":
        """Return what is said of a movie.

        Parameters
        ----------
        about : mapping
            From `gathered`.
        first, last : MovieFrame
            Of the frames.
        frames : int
            How many there are.
        interval_ns : int
            From slot to slot at the beginning.
        """
        begin, end = _told(first), _told(last)
        where = about.get("position", "")
        comment = [
            f"{frames} frames, one each {interval_ns / NS_PER_S:g} s",
            f"{begin} to {end}" if begin and end else "",
            f"position {where}" if where else "",
            about.get("taxon", ""),
            about.get("place", ""),
            SOFTWARE,
        ]
        latitude, longitude = about.get("latitude"), about.get("longitude")
        coordinates = None
        if latitude is not None and longitude is not None:
            coordinates = float(latitude), float(longitude)
        return Metadata(
            title=about.get("title", ""),
            author=about.get("author", ""),
            licence=about.get("licence", ""),
            begin=begin,
            end=end,
            comment="; ".join(part for part in comment if part),
            place=about.get("place", ""),
            coordinates=coordinates,
        )


def gathered(
    recipe: "Recipe", known: Mapping[str, Any], position: str
) -> Dict[str, Any]:
    """Return what of the knowledge about a run may be said in a movie's file.

    Parameters
    ----------
    recipe : Recipe
        Its title, author and licence come first; `place` lets the place in.
    known : mapping
        The name of the run's plan as ``name``, and the fields of its sample.
    position : str
        The name of the position; may be empty.
    """
    said: Dict[str, Any] = {
        "title": recipe.title or known.get("title") or known.get("name"),
        "author": _chosen(recipe.author, known.get("photographer")),
        "licence": _chosen(recipe.licence, known.get("licence")),
        "taxon": (known.get("taxon") or {}).get("name"),
        "position": position,
    }
    if recipe.place:
        said.update({name: known.get(name) for name in PLACE})
    else:
        said["keeps_place_back"] = any(known.get(name) for name in PLACE) or None
    return {key: value for key, value in said.items() if value not in ("", None)}


def _chosen(asked: Optional[str], known: Optional[str]) -> Optional[str]:
    """Return what was asked for, also if it is empty; else what is known."""
    return known if asked is None else asked


def _told(frame: MovieFrame) -> str:
    """Return when a frame was exposed, to the second; nothing when nobody knows."""
    if not frame.clock_trusted:
        return ""
    moment = local_time(frame.wall_ns, frame.utc_offset_s)
    return moment.isoformat(timespec="seconds")


# ----------------------------------------------------------------- for each container


def ffmpeg_metadata(metadata: Metadata, movie_format: str) -> List[str]:
    """Return the arguments that write it into an MP4 or a WebM.

    Nothing that differs from one render to the next is written beside it.
    """
    words = {
        "title": metadata.title,
        "artist": metadata.author,
        "copyright": metadata.licence,
        "date" if movie_format == "mp4" else "DATE_RECORDED": metadata.begin,
        "comment": metadata.comment,
    }
    if metadata.coordinates is not None:
        words["location"] = "{:+08.4f}{:+09.4f}/".format(*metadata.coordinates)
    arguments = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact"]
    for name, text in words.items():
        if text:
            arguments += ["-metadata", f"{name}={text}"]
    return arguments


def texts_of(metadata: Metadata) -> Dict[str, str]:
    """Return it under the keywords of PNG (ISO 15948), for PNG, APNG and GIF."""
    words = {
        "Title": metadata.title,
        "Author": metadata.author,
        "Copyright": metadata.licence,
        "Creation Time": metadata.begin,
        "Comment": metadata.comment,
        "Software": SOFTWARE,
    }
    if metadata.coordinates is not None:
        words["Location"] = "{:+.4f}, {:+.4f}".format(*metadata.coordinates)
    return {name: text for name, text in words.items() if text}


def exif_of(metadata: Metadata, moment: Optional[Tuple[int, int]] = None) -> bytes:
    """Return it as an EXIF block, with its mark, for WebP, JPEG and PNG.

    Parameters
    ----------
    metadata : Metadata
        What is said.
    moment : (int, int) or None
        The time of day and the zone's offset of the one frame in the file; None for a
        movie, which says when it began.
    """
    image, detail = piexif.ImageIFD, piexif.ExifIFD
    first = {
        image.ImageDescription: metadata.title,
        image.Artist: metadata.author,
        image.Copyright: metadata.licence,
        image.Software: SOFTWARE,
    }
    begin = metadata.begin
    if moment is not None:
        begin = local_time(*moment).isoformat()
    exif: Dict[int, bytes] = {
        detail.UserComment: UNICODE + metadata.comment.encode("utf-16-be")
    }
    if begin:
        exif[detail.DateTimeOriginal] = f"{begin[:10]} {begin[11:19]}".replace(
            "-", ":"
        ).encode()
        exif[detail.OffsetTimeOriginal] = begin[-6:].encode()
    block = {
        "0th": {tag: text.encode() for tag, text in first.items() if text},
        "Exif": exif,
        "GPS": gps_fields(metadata.coordinates),
    }
    return bytes(piexif.dump(block))


def gps_fields(coordinates: Optional[Tuple[float, float]]) -> Dict[int, Any]:
    """Return a place as EXIF has it; empty for none."""
    if coordinates is None:
        return {}
    tags = piexif.GPSIFD
    latitude, longitude = coordinates
    return {
        tags.GPSLatitudeRef: b"S" if latitude < 0 else b"N",
        tags.GPSLatitude: _degrees(latitude),
        tags.GPSLongitudeRef: b"W" if longitude < 0 else b"E",
        tags.GPSLongitude: _degrees(longitude),
    }


def _degrees(angle: float) -> Tuple[Tuple[int, int], ...]:
    """Return an angle as degrees, minutes and hundredths of a second."""
    hundredths = round(abs(angle) * S_PER_DEGREE * 100)
    minutes, second = divmod(hundredths, 6000)
    degrees, minute = divmod(minutes, 60)
    return (degrees, 1), (minute, 1), (second, 100)
