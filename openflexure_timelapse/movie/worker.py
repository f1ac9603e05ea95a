"""The process that makes one movie.

Started as ``python -m openflexure_timelapse.movie.worker JOBFILE``. It says how far it
is in JSON lines on its standard output, and ends with a line that says ``complete`` or
``failed``. It writes only the temporary file that its job names; the parent gives the
finished file its name. When its standard input ends, the parent is gone: it then
removes the job's folder and ends itself and its ffmpeg.
"""

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterable, Iterator, List, Optional, Tuple

from openflexure_timelapse.errors import FfmpegMissingError, RenderError
from openflexure_timelapse.formats import PROJECTIONS, STILLS
from openflexure_timelapse.movie.codecs import coding, container
from openflexure_timelapse.movie.corrections import Corrections, Survey, survey_size
from openflexure_timelapse.movie.encoder import EncoderError, Pictures
from openflexure_timelapse.movie.filters import Size
from openflexure_timelapse.movie.fitting import Fitting, Maker
from openflexure_timelapse.movie.gif_maker import GifMaker, Looks, looks_of
from openflexure_timelapse.movie.job import JobFile
from openflexure_timelapse.movie.marks import MarkedShots
from openflexure_timelapse.movie.metadata import Metadata, ffmpeg_metadata, texts_of
from openflexure_timelapse.movie.mp4 import Mp4Maker
from openflexure_timelapse.movie.pace import Length, length_of
from openflexure_timelapse.movie.poster import Poster
from openflexure_timelapse.movie.reel import Reel
from openflexure_timelapse.movie.segments import SegmentMaker, is_segmented, told_of
from openflexure_timelapse.movie.stack import FUSES
from openflexure_timelapse.movie.stills import Loader, Still, first_size
from openflexure_timelapse.movie.stills_maker import (
    WEBP_QUALITY,
    AnimationMaker,
    SequenceMaker,
)
from openflexure_timelapse.movie.timeline import (
    Beat,
    GapRule,
    Shot,
    beats,
    duration_text,
)
from openflexure_timelapse.movie.view import View

__all__ = ["main"]

NICENESS = 10
NICEST = 19
"""What nobody waits for comes after what somebody does."""
IDLE_IO_CLASS = "3"
OOM_SCORE = 500
"""Of 1000: where memory runs out, the movie ends and not the microscope's server."""
STANDARD_INPUT = 0
NS_PER_S = 1_000_000_000
MOST_BEATS = 200_000
"""Of a movie in real time: hours, at any usual speed."""
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

    def __init__(self, job: JobFile, work: Path) -> None:
        self._job = job
        self._work = work
        self._order = job.order
        self._unseen = 0
        self._as_stored = False
        self._looked_at: Optional[Tuple[Size, Looks]] = None
        self.settled = 0
        """How many frames are used up by segments that are kept."""
        frame = first_size(job.frames())
        if frame is None:
            count = job.count()
            told = f"None of the {count} frames can be shown; verify the run."
            raise RenderError(told if count else "There are no frames to show.")
        self._frame: Size = frame
        order = self._order
        View(order, frame, None)  # refuses what it cannot show before any work
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
        self._view = View(order, frame, self._corrections)

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
        loader = Loader(survey_size(self._frame), fuse=FUSES.get(order.planes))
        survey = Survey(
            self._frame, deflicker=order.deflicker, stabilise=order.stabilise
        )
        count, shots = self._job.count(), loader.shots(self._job.frames())
        return survey.look(shots, lambda done: self._told.looked(done, count))

    def make(self) -> str:
        """Make the movie; return a remark, or nothing."""
        order = self._order
        remarks = [] if self._corrections is None else [self._corrections.remark]
        remarks += self._view.remarks()
        if self._length.dropped:
            dropped = f"{self._length.dropped} of {self._job.count()} frames"
            remarks.append(f"{dropped} came faster than the movie plays; not shown")
        if order.view in STILLS:
            self._make_poster()
        else:
            remarks.append(self._make(self._view.size))
        if self._as_stored and order.about.get("keeps_place_back"):
            remarks.append("each picture is as stored; its EXIF names the place, too")
        if self._unseen:
            count = self._job.count()
            remarks.append(f"{self._unseen} of {count} frames could not be shown")
        return "; ".join(remark for remark in remarks if remark)

    def _make(self, size: Size) -> str:
        """Make the file; return what had to be given up for it, or nothing."""
        order, total, report = self._order, self._length.beats, self._told.progress
        quality: float = order.crf if order.codec else WEBP_QUALITY
        if order.format == "gif":
            quality = self._looks(size).asked(order.noise_hold)
        if is_segmented(order):
            self._make_of_segments(size)
            told = ""
        elif order.max_mb is not None:
            fitting = Fitting(self._job, self._maker, self._beats, total)
            told = fitting.make(size, quality, report)
        else:
            maker, loader = self._maker(size, quality, Path(order.out))
            maker.make(self._beats(loader), report)
            told = ""
        if not order.rolling:
            with Path(order.out).open("rb") as stream:
                os.fsync(stream.fileno())
        return told

    def _make_of_segments(self, size: Size) -> None:
        """Make the movie, or the film so far, with the segments that are there."""
        order = self._order
        untouched = self._view.as_stored(size)
        composer = self._view.composer(self._frame if untouched else size)
        loader = self._view.loader(composer.canvas, keep_jpeg=untouched)
        pictures = Pictures(composer, loader, untouched=untouched)
        film = Path(order.film) if order.film else None
        with contextlib.closing(Reel(self._work, film, told_of(order))) as reel:
            reel.trust(self._job.frames(), checked=not order.rolling)
            maker = SegmentMaker(order, pictures, reel, self._work)
            shots = MarkedShots(reel.marks)
            frames = self._counted(shots.of(self._job.frames(), loader))
            stream = beats(frames, self._rule, order.slots, order.end_reason)
            sent = maker.encode(stream, shots, self._told.progress)
            self.settled = reel.marks[-1].frames if reel.marks else 0
            if not order.rolling:
                said = ffmpeg_metadata(self._metadata(), order.format)
                maker.finish(sent, said)

    def _maker(self, size: Size, quality: float, out: Path) -> Tuple[Maker, Loader]:
        """Return what makes one movie, and what reads the frames for it.

        The stored files go in where they would not be changed.
        """
        order = replace(self._order, out=str(out))
        files = order.codec or order.format == "jpeg"
        untouched = bool(files) and self._view.as_stored(size)
        composer = self._view.composer(self._frame if untouched else size)
        loader = self._view.loader(composer.canvas, keep_jpeg=untouched)
        metadata = self._metadata()
        if order.codec:
            pictures = Pictures(composer, loader, untouched=untouched)
            target = [*coding(order.encoder, int(quality)), *container(order.format)]
            target += ffmpeg_metadata(metadata, order.format)
            return Mp4Maker(order, pictures, target), loader
        if order.format in ("png", "jpeg"):
            self._as_stored = untouched
            return (
                SequenceMaker(order, composer, loader, metadata, untouched=untouched),
                loader,
            )
        if order.format == "gif":
            texts = texts_of(metadata).items()
            comment = "\n".join(f"{name}: {text}" for name, text in texts)
            looks = self._looks(size)
            return GifMaker(order, composer, loader, looks, quality, comment), loader
        return AnimationMaker(order, composer, loader, metadata, int(quality)), loader

    def _looks(self, size: Size) -> Looks:
        """Return what pictures of a size look like; the last answer is kept."""
        if self._looked_at is None or self._looked_at[0] != size:
            view, hold = self._view, self._order.noise_hold
            pair = (view.composer(size), view.loader(size))
            self._looked_at = size, looks_of(self._job.sample, *pair, hold)
        return self._looked_at[1]

    def _metadata(self) -> Metadata:
        """Return what the file says of itself."""
        job, order = self._job, self._order
        first, last = next(job.frames()), job.last()
        if last is None:
            raise RenderError("There are no frames to show.")
        count, interval_ns = job.count(), order.interval_ns
        return Metadata.of(order.about, first, last, count, interval_ns)

    def _make_poster(self) -> None:
        """Make a picture of the whole run."""
        view, report = self._view, self._told.progress
        poster = Poster(self._order, view.composer, view.loader, self._metadata())
        if self._order.view == "kymograph":
            scale = view.style.um_per_pixel
            poster.kymograph(self._frame, scale, self._beats, report)
        else:
            poster.projection(view.size, self._frame, self._shots, report)

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
    try:
        job = JobFile(Path(path))
        _step_back(NICEST if job.order.rolling else NICENESS)
        work = _Work(job, Path(path).parent)
        remark = work.make()
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
    _say(event="complete", message=remark, settled=work.settled)
    return 0


def _step_back(niceness: int) -> None:
    """Let the recording have the processor, the card and the memory first.

    A kernel that shares the processor among sessions looks at the session's own
    niceness, and this process has begun one. What a kernel or a container does not
    permit is left: the movie is made all the same.
    """
    niceness = os.nice(niceness)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness), "ascii")
    program = shutil.which("ionice")  # of util-linux; Python has no call for it
    if program is not None:
        command = [program, "-c", IDLE_IO_CLASS, "-p", str(os.getpid())]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)  # noqa: S603
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE), "ascii")


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
