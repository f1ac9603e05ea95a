"""The movies of a run that can go along."""

import re
from pathlib import Path
from typing import List, Mapping

from openflexure_timelapse.names import slug
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject
from openflexure_timelapse.store.fence import is_inside
from openflexure_timelapse.store.layout import MOVIES

__all__ = ["MOVIE_TYPES", "movie_files"]

MOVIE_TYPES: Mapping[str, str] = {".gif": "image/gif", ".mp4": "video/mp4"}
"""Their media types, by the end of the name."""


def movie_files(subject: Subject, order: ShareOrder) -> List[Path]:
    """Return the MP4s and GIFs that an order asks for, by name.

    Parameters
    ----------
    subject : Subject
        The run.
    order : ShareOrder
        One that names a movie asks for that alone, one that names a position for the
        movies that are called after it, another for all.
    """
    folder = subject.folder / MOVIES
    if not folder.is_dir():
        return []
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in MOVIE_TYPES
        and path.is_file()
        and is_inside(folder, path)
        and not path.name.startswith(".")
        and _is_wanted(path, order)
    ]


def _is_wanted(path: Path, order: ShareOrder) -> bool:
    """Tell whether an order asks for a movie."""
    if order.movie is not None:
        return f"{MOVIES}/{path.name}" == order.movie
    if order.position is None:
        return True
    called = rf"{re.escape(slug(order.position))}(_\d+)?\Z"
    return re.match(called, path.stem) is not None
