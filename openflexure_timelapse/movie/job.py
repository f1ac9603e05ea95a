"""The file that carries a render to its process: JSON lines, one header, then frames.

Lines, so that neither side ever holds more than one frame, however long the run.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Iterable, Iterator, List, Optional

from openflexure_timelapse.movie.timeline import MovieFrame

__all__ = ["JobFile", "Order", "write_job"]

NEWLINE = b"\n"
LONGEST_LINE_BYTES = 65_536


@dataclass(frozen=True)
class Order:
    """What the process is asked for; a recipe and its surroundings, in plain values.

    The names are those of `Recipe` and `MovieContext`; `program` is the ffmpeg to use
    and `out` the temporary file to write.
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
            self.order = Order(**json.loads(stream.readline()))
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

    def last_slot(self) -> int:
        """Return the slot of the last frame; -1 when there is none."""
        if self._end == self._start:
            return -1
        with self._path.open("rb") as stream:
            stream.seek(max(self._start, self._end - LONGEST_LINE_BYTES))
            return _frame(stream.read().splitlines()[-1]).slot

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


def _frame(line: bytes) -> MovieFrame:
    """Return the frame of a line."""
    return MovieFrame(**json.loads(line))
