"""The frames on their way into a movie made of segments: counted, and recognised.

A segment that was encoded before is worth something only for the same frames. Each
frame therefore adds to a running digest, and a `Mark` holds how far a segment reaches
and what the digest was there.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Sequence, Tuple

from openflexure_timelapse.movie.frames import MovieFrame
from openflexure_timelapse.movie.stills import Loader, Still
from openflexure_timelapse.movie.timeline import Shot

__all__ = ["UNREAD", "Mark", "MarkedShots", "agreeing"]

UNREAD = Still((1, 1), b"", None, -1)
"""Stands for a picture whose segments are encoded: nobody looks at it again."""

HELD = 2

Hidden = Tuple[Tuple[int, str], ...]


@dataclass(frozen=True)
class Mark:
    """How far the frames had been used when a segment was full.

    Attributes
    ----------
    frames : int
        How many were used for it and for those before it.
    digest : str
        Of these frames.
    hidden : tuple of (int, str)
        Which of the frames since the mark before could not be shown, and why.
    """

    frames: int
    digest: str
    hidden: Hidden

    @classmethod
    def from_json(cls, data: Dict[str, Any]) -> "Mark":
        """Read what `vars` of a mark gives after JSON."""
        hidden = tuple((int(index), str(why)) for index, why in data["hidden"])
        return cls(int(data["frames"]), str(data["digest"]), hidden)


class MarkedShots:
    """Turns frames into shots, and knows how far it is.

    Parameters
    ----------
    marks : sequence of Mark
        Of the segments that are there; their frames are not read again.

    Attributes
    ----------
    is_over : bool
        Whether somebody asked for a shot after the last one: what is shown from then
        on may change when more frames come.
    """

    def __init__(self, marks: Sequence[Mark]) -> None:
        self.is_over = False
        self._hidden_before = dict(pair for mark in marks for pair in mark.hidden)
        self._known = marks[-1].frames if marks else 0
        self._used = 0
        self._digest = ""
        self._hidden: List[Tuple[int, str]] = []

    def of(self, frames: Iterable[MovieFrame], loader: Loader) -> Iterator[Shot[Still]]:
        """Yield a shot for each frame."""
        rest = iter(frames)
        again = self._shown_again()
        for index in range(self._known):
            frame = next(rest)
            problem = self._hidden_before.get(index)
            if index in again:
                shot = loader.load(frame)
            else:
                shot = Shot(frame, UNREAD if problem is None else None, problem or "")
            self._use(shot)
            yield shot
        for shot in loader.shots(rest):
            self._use(shot)
            yield shot
        self.is_over = True

    def mark(self) -> Mark:
        """Return how far it is; the frames hidden so far are told once."""
        hidden, self._hidden = tuple(self._hidden), []
        return Mark(self._used, self._digest, hidden)

    def _shown_again(self) -> Tuple[int, ...]:
        """Return which of the known frames the next segment may begin with.

        The last one with a picture, or, in a gap before it, the one before.
        """
        known = range(self._known - 1, -1, -1)
        shown = (index for index in known if index not in self._hidden_before)
        return tuple(islice(shown, HELD))

    def _use(self, shot: Shot[Still]) -> None:
        """Count a shot."""
        self._digest = _continued(self._digest, shot.frame)
        if shot.picture is None and self._used >= self._known:
            self._hidden.append((self._used, shot.problem))
        self._used += 1


def agreeing(marks: Sequence[Mark], frames: Iterable[MovieFrame]) -> int:
    """Return how many of the marks, from the first, were made of these frames."""
    rest, digest, used = iter(frames), "", 0
    for count, mark in enumerate(marks):
        while used < mark.frames:
            frame = next(rest, None)
            if frame is None:
                return count
            digest = _continued(digest, frame)
            used += 1
        if digest != mark.digest:
            return count
    return len(marks)


def _continued(digest: str, frame: MovieFrame) -> str:
    """Return the digest with one more frame: what is told of it, and its files."""
    told = asdict(frame.under(lambda path: Path(path).name))
    told["files"] = [_state(path) for path in frame.files]
    text = digest + json.dumps(told, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _state(path: str) -> List[Any]:
    """Return what tells that a file was not changed since."""
    try:
        found = Path(path).stat()
    except OSError as exc:
        return [exc.strerror]
    return [found.st_size, found.st_mtime_ns]
