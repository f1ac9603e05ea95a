"""The process that makes one movie.

Started as ``python -m openflexure_timelapse.movie.worker JOBFILE``. It says how far it
is in JSON lines on its standard output, and ends with a line that says ``complete`` or
``failed``. It writes only the temporary file that its job names; the parent gives the
finished file its name. When its standard input ends, the parent is gone: it then
removes the job's folder and ends itself and its ffmpeg.
"""

import json
import math
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Optional

from openflexure_timelapse.errors import FfmpegMissingError, RenderError
from openflexure_timelapse.movie.composer import Composer, Style, is_tiny
from openflexure_timelapse.movie.corrections import Corrections, Survey, survey_size
from openflexure_timelapse.movie.filters import Size, movie_size
from openflexure_timelapse.movie.gif_maker import GifMaker
from openflexure_timelapse.movie.grid import (
    Grid,
    GridLoader,
    montage_size,
    strip_height,
)
from openflexure_timelapse.movie.job import JobFile
from openflexure_timelapse.movie.lettering import is_misordered, without_font
from openflexure_timelapse.movie.mp4 import EncoderError, Mp4Maker
from openflexure_timelapse.movie.pace import Length, length_of
from openflexure_timelapse.movie.poster import Poster
from openflexure_timelapse.movie.stack import FUSES
from openflexure_timelapse.movie.stills import Loader, Still, first_size
from openflexure_timelapse.movie.timeline import (
    Beat,
    GapRule,
    Shot,
    beats,
    duration_text,
)
from openflexure_timelapse.recipe import PROJECTIONS, STILLS

__all__ = ["main"]

NICENESS = 10
STANDARD_INPUT = 0
NS_PER_S = 1_000_000_000
MOST_BEATS = 200_000
"""Of a movie in real time: hours, at any usual speed."""
FONTS = "install one, for example Debian's package fonts-noto-cjk or fonts-noto-core"
MISORDERED = "right-to-left text needs Debian's package libfribidi0 to be in order"
REPORT_EVERY_S = 0.2
SURVEY_SHARE = 0.3
"""Of the whole work, nearly."""


class _Told:
    """The lines on the standard output, not more often than somebody can read."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._last_s = 0.0
        self._begin = 0.0

    def looked(self, done: int, total: int) -> None:
        """Say how many frames have been looked at before the first is shown."""
        self._begin = SURVEY_SHARE
        remark = f"looking at frame {done} of {total}"
        self._tell(0, SURVEY_SHARE * done / max(total, 1), remark)

    def progress(self, done: int, remark: str = "") -> None:
        """Say how many frames of the movie are made."""
        share = done / max(self._total, 1)
        fraction = self._begin + (1.0 - self._begin) * share
        self._tell(done, fraction, remark, at_once=done >= self._total)

    def _tell(
        self, done: int, fraction: float, remark: str, *, at_once: bool = False
    ) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s >= REPORT_EVERY_S or at_once:
            self._last_s = now_s
            facts = {"done": done, "total": self._total, "fraction": fraction}
            _say(event="progress", message=remark, **facts)


class _Work:
    """One movie."""

    def __init__(self, job: JobFile) -> None:
        self._job = job
        self._order = job.order
        self._unseen = 0
        self._fuse = FUSES.get(job.order.planes)
        frame = first_size(job.frames())
        if frame is None:
            count = job.count()
            told = f"None of the {count} frames can be shown; verify the run."
            raise RenderError(told if count else "There are no frames to show.")
        self._frame: Size = frame
        order = self._order
        self._rule = GapRule.of(
            order.gaps,
            order.fps,
            order.last_interval_ns,
            labelled=order.gap_label,
            dated=order.timestamp,
            beat_ns=order.beat_ns,
        )
        self._length = self._planned()
        self._told = _Told(self._length.beats)
        self._corrections = self._survey()
        shown = 1.0 if self._corrections is None else self._corrections.kept
        scale = order.um_per_pixel if order.scale_bar else None
        self._style = Style(
            title=order.title,
            timestamp=order.timestamp,
            elapsed_time=order.elapsed_time,
            um_per_pixel=None if scale is None else scale * shown,
            frame=frame,
            interval_ns=order.interval_ns,
            name=order.name,
        )

    def _planned(self) -> Length:
        """Return how many frames the result will have, nearly.

        Raises
        ------
        RenderError
            When nobody would live to see the end.
        """
        order, count = self._order, self._job.count()
        if order.view in PROJECTIONS or (order.beat_ns is None and order.gaps == "cut"):
            return Length(count, 0)
        if order.beat_ns is None:
            return Length(max(order.slots or 0, self._job.last_slot() + 1), 0)
        length = length_of(self._job.frames(), self._rule.pace(), order.slots)
        most = max(MOST_BEATS, 2 * count)
        if length.beats > most:
            lasts = duration_text(round(length.beats / order.fps * NS_PER_S))
            speed = order.beat_ns * order.fps / NS_PER_S
            faster = math.ceil(speed * length.beats / most)
            told = (
                f"At speed_up {speed:.6g} the movie would have {length.beats} frames "
            )
            told += f"and play for {lasts}; give a speed_up of {faster} or more, "
            raise RenderError(told + "or pace 'frames'.")
        return length

    def _survey(self) -> Optional[Corrections]:
        """Look at every frame, where something is to be put right."""
        order = self._order
        if not (order.deflicker or order.stabilise):
            return None
        loader = Loader(survey_size(self._frame), fuse=self._fuse)
        survey = Survey(
            self._frame, deflicker=order.deflicker, stabilise=order.stabilise
        )
        count, shots = self._job.count(), loader.shots(self._job.frames())
        return survey.look(shots, lambda done: self._told.looked(done, count))

    def make(self) -> str:
        """Make the movie; return a remark, or nothing."""
        order = self._order
        size = self._size()
        told = self._told
        remarks = [] if self._corrections is None else [self._corrections.remark]
        remarks += self._remarks(size)
        if order.view in STILLS:
            self._make_poster(size)
        elif order.format == "gif":
            maker = GifMaker(
                order, self._job.sample, self._beats, self._composer, self._loader
            )
            remarks.append(maker.make(size, self._length.beats, told.progress))
        else:
            self._make_mp4(size)
        if self._unseen:
            count = self._job.count()
            remarks.append(f"{self._unseen} of {count} frames could not be shown")
        return "; ".join(remark for remark in remarks if remark)

    def _remarks(self, size: Size) -> List[str]:
        """Return what a person should know before it is made."""
        order, remarks = self._order, []
        if order.scale_bar and order.um_per_pixel is None:
            remarks.append("no scale bar: the camera is not calibrated")
        if self._style.writes_always and is_tiny(size):
            told_size = f"{size[0]} x {size[1]} pixels"
            remarks.append(f"no clocks, scale bar or title: {told_size} are too few")
        words = "".join((order.title, order.name, *order.names))
        if is_misordered(words):
            remarks.append(MISORDERED)
        lacking = without_font(words)
        if lacking:
            remarks.append(f"no font here draws {lacking}: {FONTS}")
        if self._length.dropped:
            count = f"{self._length.dropped} of {self._job.count()} frames"
            remarks.append(f"{count} came faster than the movie plays; not shown")
        return remarks

    def _size(self) -> Size:
        """Return the size of the movie."""
        order, frame = self._order, self._frame
        if order.view in STILLS:
            whole = order.width is None and order.height is None
            return frame if whole else movie_size(frame, order.width, order.height, "")
        if not order.names:
            return movie_size(frame, order.width, order.height, order.format)
        montage = montage_size(len(order.names), frame)
        size = movie_size(montage, order.width, order.height, order.format)
        if order.height is not None or not self._style.writes_always:
            return size
        return size[0], size[1] + (strip_height(size) + 1) // 2 * 2

    def _make_poster(self, size: Size) -> None:
        """Make a picture of the whole run."""
        poster = Poster(self._order, self._composer, self._loader)
        if self._order.view == "kymograph":
            um_per_pixel = self._style.um_per_pixel
            poster.kymograph(
                self._frame, um_per_pixel, self._beats, self._told.progress
            )
        else:
            poster.projection(size, self._frame, self._shots, self._told.progress)

    def _make_mp4(self, size: Size) -> None:
        """Encode; the stored files go in where they would not be changed."""
        even = (self._frame[0] & ~1, self._frame[1] & ~1)
        changes = self._style.writes_always or self._corrections is not None
        changes = changes or self._fuse is not None or bool(self._order.names)
        untouched = size == even and not changes
        composer = self._composer(self._frame if untouched else size)
        loader = self._loader(composer.canvas, keep_jpeg=untouched)
        maker = Mp4Maker(self._order, composer, loader, untouched=untouched)
        maker.make(self._beats(loader), self._told.progress)
        with Path(self._order.out).open("rb") as stream:
            os.fsync(stream.fileno())

    def _composer(self, size: Size) -> Composer:
        if not self._order.names:
            return Composer(size, self._style)
        return Composer(size, replace(self._style, content=self._grid(size).cell))

    def _grid(self, size: Size) -> Grid:
        """Return where the positions stand in a movie of a size."""
        strip_px = strip_height(size) if self._style.writes_always else 0
        return Grid(size, self._frame, self._order.names, strip_px)

    def _loader(self, size: Size, *, keep_jpeg: bool = False) -> Loader:
        """Return what reads the frames for a movie of a size."""
        order = self._order
        if order.names:
            return GridLoader(
                self._grid(size),
                self._frame,
                order.gaps,
                labelled=order.gap_label,
                fuse=self._fuse,
            )
        if self._corrections is None:
            return Loader(size, size if keep_jpeg else None, fuse=self._fuse)
        return Loader(size, put_right=self._corrections.apply, fuse=self._fuse)

    def _beats(self, loader: Loader) -> Iterator[Beat[Still]]:
        """Yield the frames of the movie from the beginning."""
        order = self._order
        return beats(self._shots(loader), self._rule, order.slots, order.end_reason)

    def _shots(self, loader: Loader) -> Iterator[Shot[Still]]:
        """Yield the frames from the first."""
        return self._counted(loader.shots(self._job.frames()))

    def _counted(self, shots: Iterable[Shot[Still]]) -> Iterator[Shot[Still]]:
        """Pass shots on and count those without a picture, anew in each pass."""
        self._unseen = 0
        for shot in shots:
            self._unseen += shot.picture is None
            yield shot


def main(arguments: Optional[List[str]] = None) -> int:
    """Make the movie of a job file.

    Parameters
    ----------
    arguments : list of str or None
        The path of the job file; None for the process's own.

    Returns
    -------
    int
        The exit code: 0 complete, 1 failed.
    """
    (path,) = sys.argv[1:] if arguments is None else arguments
    threading.Thread(target=_end_with_parent, args=(Path(path),), daemon=True).start()
    os.nice(NICENESS)
    try:
        remark = _Work(JobFile(Path(path))).make()
    except FfmpegMissingError as exc:
        _say(event="failed", kind="ffmpeg", message=str(exc))
        return 1
    except EncoderError as exc:
        _say(event="failed", kind="encoder", message=str(exc))
        return 1
    except RenderError as exc:
        _say(event="failed", kind="render", message=str(exc))
        return 1
    except OSError as exc:
        _say(event="failed", kind="system", errno=exc.errno, message=str(exc))
        return 1
    _say(event="complete", message=remark)
    return 0


def _end_with_parent(job: Path) -> None:
    """Wait for the end of the standard input; then leave nothing behind.

    Read without Python's buffers, whose locks a waiting thread must not hold when the
    interpreter ends.
    """
    while os.read(STANDARD_INPUT, 1):
        pass
    shutil.rmtree(job.parent, ignore_errors=True)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _say(**facts: Any) -> None:
    """Write one line to the parent."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
