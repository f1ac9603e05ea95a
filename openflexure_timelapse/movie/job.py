"""The file that carries a render to its process: JSON lines, one header, then frames.

Lines, so that neither side ever holds more than one frame, however long the run.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Tuple,
)

from openflexure_timelapse.formats import USUAL_CRF
from openflexure_timelapse.movie.frames import MovieContext, MovieFrame
from openflexure_timelapse.movie.metadata import gathered

if TYPE_CHECKING:  # as in `codecs`
    from openflexure_timelapse.recipe import Recipe

__all__ = ["JobFile", "Order", "add_frames", "order_of", "write_job"]

NEWLINE = b"\n"
NS_PER_S = 1_000_000_000
USUAL_LINE_BYTES = 65_536


@dataclass(frozen=True)
class Order:
    """What the process is asked for; a recipe and its surroundings, in plain values.

    The names are those of `Recipe` and `MovieContext`; `program` is the ffmpeg to use,
    `encoder` the one in it, `about` what the file says of the run, and `out` the
    temporary file to write. `codec` and `encoder` are empty where there is none.
    `film` is the film so far that is taken over and added to, empty for none; with
    `rolling` nothing but that film is made.
    `beat_ns` is the real time in one frame of the movie, None where each slot is one;
    `name` is the position's, empty where it is not to be seen, and `names` are those of
    a grid.
    """

    format: str
    fps: float
    width: Optional[int]
    height: Optional[int]
    crf: int
    timestamp: bool
    elapsed_time: bool
    scale_bar: bool
    title: str
    gaps: str
    gap_label: bool
    max_mb: Optional[float]
    noise_hold: Optional[int]
    interval_ns: int
    last_interval_ns: int
    um_per_pixel: Optional[float]
    slots: Optional[int]
    program: str
    out: str
    end_reason: str = ""
    deflicker: bool = False
    stabilise: bool = False
    view: str = "position"
    planes: str = "one"
    line: Optional[Tuple[int, ...]] = None
    beat_ns: Optional[int] = None
    name: str = ""
    names: Tuple[str, ...] = ()
    codec: str = ""
    encoder: str = ""
    crop: Optional[List[int]] = None
    shape: Optional[str] = None
    about: Dict[str, Any] = field(default_factory=dict)
    film: str = ""
    rolling: bool = False


def order_of(
    recipe: "Recipe", context: MovieContext, program: str, encoder: str, out: Path
) -> Order:
    """Return what the process is asked for.

    Parameters
    ----------
    recipe, context
        Of the movie.
    program, encoder : str
        From `tools_of`.
    out : Path
        The temporary file to write.
    """
    named = recipe.position_name
    if named is None:
        named = context.several
    return Order(
        format=recipe.format,
        fps=recipe.fps,
        width=recipe.width,
        height=recipe.height,
        crf=USUAL_CRF.get(recipe.coded, 0) if recipe.crf is None else recipe.crf,
        deflicker=recipe.deflicker,
        stabilise=recipe.stabilise,
        timestamp=recipe.timestamp,
        elapsed_time=recipe.elapsed_time,
        scale_bar=recipe.scale_bar,
        title=recipe.title,
        gaps=recipe.gaps,
        gap_label=recipe.gap_label,
        max_mb=recipe.max_mb,
        noise_hold=recipe.noise_hold,
        interval_ns=context.interval_ns,
        last_interval_ns=context.last_interval_ns,
        um_per_pixel=context.um_per_pixel,
        slots=context.slots,
        end_reason=context.end_reason,
        program=program,
        out=str(out),
        view=recipe.view,
        planes=recipe.planes,
        line=recipe.line,
        beat_ns=_beat_ns(recipe, context),
        name=context.position if named and not context.names else "",
        names=context.names if named else ("",) * len(context.names),
        codec=recipe.coded,
        encoder=encoder,
        crop=recipe.cropped,
        shape=recipe.shape,
        about=gathered(recipe, context.known, context.position),
    )


def _beat_ns(recipe: "Recipe", context: MovieContext) -> Optional[int]:
    """Return the real time in one frame of the movie; None where a slot is one."""
    if recipe.pace != "real":
        return None
    if recipe.speed_up is None:
        return context.usual_interval_ns or context.interval_ns
    return max(1, round(recipe.speed_up / recipe.fps * NS_PER_S))


def write_job(path: Path, order: Order, frames: Iterable[MovieFrame]) -> None:
    """Write a job file, one frame in memory at a time.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    with path.open("wb") as stream:
        stream.write(_line(asdict(order)))
        for frame in frames:
            stream.write(_line(asdict(frame)))


def add_frames(path: Path, frames: Iterable[MovieFrame]) -> Optional[MovieFrame]:
    """Write more frames behind those of a job file; return the last one, if any.

    Raises
    ------
    OSError
        When they cannot be written.
    """
    frame = None
    with path.open("ab") as stream:
        for frame in frames:
            stream.write(_line(asdict(frame)))
    return frame


class JobFile:
    """Reads what `write_job` wrote.

    Parameters
    ----------
    path : Path
        Of the job file.

    Raises
    ------
    OSError
        When it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as stream:
            self.order = _order(stream.readline())
            self._start = stream.tell()
            self._end = stream.seek(0, os.SEEK_END)

    def frames(self) -> Iterator[MovieFrame]:
        """Yield every frame in order."""
        with self._path.open("rb") as stream:
            stream.seek(self._start)
            for line in stream:
                yield _frame(line)

    def count(self) -> int:
        """Return the number of frames."""
        with self._path.open("rb") as stream:
            stream.seek(self._start)
            return sum(1 for _ in stream)

    def sample(self, most: int) -> Iterator[List[MovieFrame]]:
        """Yield up to `most` times two frames that follow each other, evenly spread.

        None comes twice; the last may be alone. Not all of the file is read.
        """
        with self._path.open("rb") as stream:
            at = self._start
            for index in range(most):
                wanted = self._start + (self._end - self._start) * index // most
                at = self._seek_line(stream, max(wanted, at))
                if at >= self._end:
                    return
                lines = [stream.readline(), stream.readline()]
                yield [_frame(line) for line in lines if line]
                at = stream.tell()

    def last(self) -> Optional[MovieFrame]:
        """Return the last frame; None when there is none."""
        if self._end == self._start:
            return None
        with self._path.open("rb") as stream:
            back = USUAL_LINE_BYTES
            while True:
                begin = max(self._start, self._end - back)
                stream.seek(begin)
                lines = stream.read().splitlines()
                if begin == self._start or len(lines) > 1:
                    return _frame(lines[-1])
                back *= 2  # a grid's line can be long

    def last_slot(self) -> int:
        """Return the slot of the last frame; -1 when there is none."""
        last = self.last()
        return -1 if last is None else last.slot

    def _seek_line(self, stream: BinaryIO, wanted: int) -> int:
        """Go to the first line that begins at `wanted` or later."""
        if wanted <= self._start:
            return stream.seek(self._start)
        stream.seek(wanted - 1)
        stream.readline()
        return stream.tell()


def _line(value: Any) -> bytes:
    """Return one line of JSON."""
    return json.dumps(value, separators=(",", ":")).encode() + NEWLINE


def _order(line: bytes) -> Order:
    """Return the order of the first line."""
    facts: Dict[str, Any] = json.loads(line)
    line_xy = facts["line"]
    facts["line"] = None if line_xy is None else tuple(line_xy)
    facts["names"] = tuple(facts["names"])
    return Order(**facts)


def _frame(line: bytes) -> MovieFrame:
    """Return the frame of a line."""
    facts: Dict[str, Any] = json.loads(line)
    facts["planes"] = tuple(facts["planes"])
    facts["cells"] = tuple(tuple(cell) for cell in facts["cells"])
    facts["lacking"] = tuple(facts["lacking"])
    return MovieFrame(**facts)
