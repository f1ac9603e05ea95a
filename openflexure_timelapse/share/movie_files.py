"""The movies of a run that can go along."""

import re
from pathlib import Path
from typing import Collection, List, Mapping

from openflexure_timelapse.names import slug
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.store.fence import finished_files
from openflexure_timelapse.store.layout import MOVIES

__all__ = ["MOVIE_TYPES", "movie_files", "movie_name", "movies_of", "shows"]

MOVIE_TYPES: Mapping[str, str] = {".gif": "image/gif", ".mp4": "video/mp4"}
"""Their media types, by the end of the name."""


def movies_of(subject: Subject, endings: Collection[str]) -> List[Path]:
    """Return the movies of a run whose names end like one of `endings`, by name."""
    return finished_files(subject.folder / MOVIES, endings)


def movie_name(path: Path) -> str:
    """Return what an order calls a movie."""
    return f"{MOVIES}/{path.name}"


def shows(path: Path, position: str) -> bool:
    """Tell whether a movie is that of a position, by the name that it was given."""
    called = rf"{re.escape(slug(position))}(_\d+)?\Z"
    return re.match(called, path.stem) is not None


def movie_files(subject: Subject, order: ShareOrder) -> List[Path]:
    """Return the MP4s and GIFs that an order asks for, by name.

    Parameters
    ----------
    subject : Subject
        The run.
    order : ShareOrder
        One that names a movie asks for that alone, one that names a position for the
        movies of it, another for all.
    """
    found = movies_of(subject, MOVIE_TYPES)
    if order.movie is not None:
        return [path for path in found if movie_name(path) == order.movie]
    place = order.position
    return [path for path in found if place is None or shows(path, place)]
