"""The GIFs of a run, and which of them is small enough to go along with stills."""

import json
import shlex
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

from openflexure_timelapse.share.movie_files import movie_name, movies_of, shows
from openflexure_timelapse.share.subject import Subject

__all__ = ["Gif", "fitting_gif", "gifs_of", "recipe_text"]


class Gif(NamedTuple):
    """A GIF among the movies of a run.

    Attributes
    ----------
    name : str
        As ``files`` lists it.
    path : Path
        Of its file.
    size_bytes : int
        Of its file.
    """

    name: str
    path: Path
    size_bytes: int

    def shows(self, position: str) -> bool:
        """Tell whether it is the movie of a position, by the name that it was given."""
        return shows(self.path, position)


def gifs_of(subject: Subject) -> List[Gif]:
    """Return the GIFs of a run, by name."""
    return [
        Gif(movie_name(path), path, path.stat().st_size)
        for path in movies_of(subject, (".gif",))
    ]


def fitting_gif(
    gifs: Sequence[Gif], name: Optional[str], position: str, most_bytes: int
) -> Optional[Gif]:
    """Return the GIF that goes along with a position; None where there is none.

    Parameters
    ----------
    gifs : sequence of Gif
        All there are.
    name : str or None
        The one that was asked for; None for the first that fits.
    position : str
        What it should show.
    most_bytes : int
        How large it may be.
    """
    small = [gif for gif in gifs if gif.size_bytes <= most_bytes]
    if name is not None:
        return next((gif for gif in small if gif.name == name), None)
    return next((gif for gif in small if gif.shows(position)), None)


def recipe_text(subject: Subject, position: str, max_mb: int) -> str:
    """Return how to make a GIF that fits, for the page and for the command line."""
    recipe = {"format": "gif", "max_mb": max_mb, "position": position}
    options = f"--format gif --max-mb {max_mb} --position {shlex.quote(position)}"
    told = f"make a movie with {json.dumps(recipe, ensure_ascii=False)}, or type: "
    return f"{told}openflexure-timelapse movie {subject.run_id} {options}"
