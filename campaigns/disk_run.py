"""One run on a small disk that something happens to, and what became of it."""

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from benchmarks.engine import InstantCamera, InstantMicroscope
from campaigns.small_disk import SmallDisk
from hardware_sim.clock import VirtualClock
from openflexure_timelapse.engine import Engine
from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.frame import Frame, FrameDraft
from openflexure_timelapse.hosts.admission import header_of
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.ports import Image
from openflexure_timelapse.run_state import RunStatus
from openflexure_timelapse.store.disk import RealDisk, durable_file
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.verify import verify

__all__ = ["INTERVAL_S", "AmbushDisk", "DiskRun", "Story", "audit"]

NS_PER_S = 1_000_000_000
START_WALL_NS = 1_795_420_800 * NS_PER_S
INTERVAL_S = 30
MOST_SLOTS = 1000
PATIENCE_S = 300
PLAN: Dict[str, Any] = {
    "name": "disk",
    "interval_s": INTERVAL_S,
    "frames": 16,
    "settle_s": 0.1,
    "keep_free_mb": 2,
    "movie": None,
}
COMMENT = b"\xff\xfe"
LARGEST_COMMENT = 65_000


class SizedCamera(InstantCamera):
    """Delivers real pictures, made as large as is asked for by comments.

    Parameters
    ----------
    size_of : callable
        Returns the bytes of the n-th picture, from 0.
    """

    def __init__(self, size_of: Callable[[int], int]) -> None:
        super().__init__()
        self._size_of = size_of
        self.made = 0

    def capture(self, mode: Optional[str]) -> Image:
        """Return the next picture."""
        jpeg = super().capture(mode).jpeg
        lacking = self._size_of(self.made) - len(jpeg)
        self.made += 1
        parts = [jpeg[:2]]
        while lacking > 4:  # noqa: PLR2004 (marker and length)
            size = min(lacking - 2, LARGEST_COMMENT)
            parts.append(COMMENT + size.to_bytes(2, "big") + bytes(size - 2))
            lacking -= size + 2
        return Image(b"".join([*parts, jpeg[2:]]), {})


class AmbushDisk(RealDisk):
    """Writes as the real one, and lets something happen in the middle of a frame.

    Attributes
    ----------
    at : int
        The frame before, within or after whose writing it happens, from 0.
    where : str
        ``before``, ``within`` or ``after`` the file's writing: after it the frame has
        its name but not its row.
    """

    def __init__(self) -> None:
        self.at = -1
        self.where = "within"
        self.strike: Callable[[], None] = lambda: None
        self._frames = 0

    def write(self, path: str, data: bytes) -> None:
        """Write; see `RealDisk.write`."""
        if not path.endswith(".jpeg"):
            super().write(path, data)
            return
        is_struck = self._frames == self.at
        self._frames += 1
        if is_struck and self.where == "before":
            self.strike()
        if is_struck and self.where == "within":
            with durable_file(path) as stream:
                stream.write(data[: len(data) // 2])
                self.strike()
                stream.write(data[len(data) // 2 :])
        else:
            super().write(path, data)
        if is_struck and self.where == "after":
            self.strike()


@dataclass
class Story:
    """What was seen of a run while it lasted, and afterwards.

    Attributes
    ----------
    acknowledged : dict of str to str
        File and SHA-256 of each frame whose storing was reported as done.
    told : list of (float, RunStatus)
        Looks at the status, with their times in seconds.
    lost, altered, without_outcome : int
        Of the acknowledged frames; of the slots.
    reasons : tuple of str
        Of each slot; empty for a captured one.
    broken : list of str
        Promises that fell.
    went_on_after_slots : float or None
        From when the disk was back to the next frame, in intervals.
    others_wrote : bool or None
        None where it was not asked.
    """

    acknowledged: Dict[str, str] = field(default_factory=dict)
    told: List[Tuple[float, RunStatus]] = field(default_factory=list)
    lost: int = 0
    altered: int = 0
    without_outcome: int = 0
    reasons: Tuple[str, ...] = ()
    broken: List[str] = field(default_factory=list)
    went_on_after_slots: Optional[float] = None
    others_wrote: Optional[bool] = None


class DiskRun:
    """A run on `disk`, on a clock that jumps.

    Parameters
    ----------
    disk : SmallDisk
        Mounted.
    size_of : callable
        Bytes of the n-th picture.
    diary : Path or None
        Where acknowledged frames are written down, one a line.
    **plan
        Changes to the plan.
    """

    def __init__(
        self,
        disk: SmallDisk,
        size_of: Callable[[int], int],
        diary: Optional[Path] = None,
        **plan: Any,
    ) -> None:
        self.disk = disk
        self.story = Story()
        self._diary = diary
        self.clock = VirtualClock(START_WALL_NS, "boot-1")
        self.plan = parse_plan({**PLAN, **plan})
        self.port = AmbushDisk()
        self.data = disk.point / "data"
        self._microscope = InstantMicroscope()
        self._microscope.camera = SizedCamera(size_of)
        header = header_of(self.plan, self._microscope, self.clock)
        self.store = RunStore.create(self.data, "run", header, self.port)
        self._last: Tuple[int, Callable[[], None]] = (-1, self.look)
        self._acknowledge = self.store.add_frame
        self.store.add_frame = self._noted  # type: ignore[method-assign]
        self.engine = Engine(
            self.plan, self.store, self._microscope, self.clock, self.port
        )
        self._origin_ns = self.clock.monotonic_ns()

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.data / "run"

    @property
    def now_s(self) -> float:
        """The run's time."""
        return (self.clock.monotonic_ns() - self._origin_ns) / NS_PER_S

    def at(self, seconds: float, function: Callable[[], None]) -> None:
        """Do something at a time of the run."""
        self.clock.call_at(self._origin_ns + int(seconds * NS_PER_S), function)

    def at_last_frame(self, frames: int, function: Callable[[], None]) -> None:
        """Do something as soon as so many frames are acknowledged."""
        self._last = (frames, function)

    def look(self) -> None:
        """Keep the status of this moment."""
        self.story.told.append((self.now_s, self.engine.status()))

    def run(self) -> None:
        """Run to the end, or until it should long have come."""
        slots = self.plan.frames or MOST_SLOTS
        self.at(slots * INTERVAL_S + PATIENCE_S, self.engine.leave)
        try:
            self.engine.run()
        finally:
            self.store.close()

    def _noted(self, jpeg: bytes, draft: FrameDraft, state: Mapping[str, Any]) -> Frame:
        """Store a frame and keep in mind that it was acknowledged."""
        frame = self._acknowledge(jpeg, draft, state)
        self.story.acknowledged[frame.file] = frame.sha256
        if self._diary is not None:
            with self._diary.open("a") as stream:
                stream.write(f"{frame.file} {frame.sha256}\n")
        frames, function = self._last
        if len(self.story.acknowledged) == frames:
            function()
        return frame


def audit(run: DiskRun, back_s: Optional[float] = None) -> Story:
    """Compare what is on the disk with what was acknowledged.

    Parameters
    ----------
    run : DiskRun
        Which has ended; its disk is in.
    back_s : float or None
        When the disk was sound again, in the run's time.
    """
    story, folder = run.story, run.folder
    try:
        report = verify(folder)
        with RunStore.open_read(folder) as store:
            frames = {frame.file: frame for frame in store.frames(0, 100_000)}
            slots = store.slots(0, 100_000)
    except TimelapseError as exc:
        story.lost = len(story.acknowledged)
        story.broken.append(f"the run cannot be read afterwards: {exc}")
        return story
    if not report.ok:
        story.broken += [f"verify: {line}" for line in report.lines()]
    _check_files(story, folder, frames)
    reasons: Dict[int, str] = {}
    for slot in slots:
        for number in range(slot.first, slot.last + 1):
            reasons[number] = "" if slot.reason is None else slot.reason.value
    story.reasons = tuple(reasons.get(n, "?") for n in range(run.plan.frames or 0))
    story.without_outcome = story.reasons.count("?")
    _check_grid(story, list(frames.values()))
    if back_s is not None:
        later = [f.draft.elapsed_ns / NS_PER_S - back_s for f in frames.values()]
        waited = [wait for wait in later if wait >= 0]
        if waited:
            story.went_on_after_slots = min(waited) / INTERVAL_S
    if story.lost or story.altered or story.without_outcome:
        told = f"{story.lost} frames lost, {story.altered} altered, "
        story.broken.append(told + f"{story.without_outcome} slots without outcome")
    return story


def _check_files(story: Story, folder: Path, frames: Mapping[str, Frame]) -> None:
    """Count the acknowledged frames that are gone or changed."""
    for file, sha256 in story.acknowledged.items():
        path = folder / file
        if file not in frames or not path.is_file():
            story.lost += 1
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            story.altered += 1


def _check_grid(story: Story, frames: Sequence[Frame]) -> None:
    """See that no frame left the grid."""
    for frame in frames:
        draft = frame.draft
        if draft.due_ns != draft.slot * INTERVAL_S * NS_PER_S:
            story.broken.append(f"slot {draft.slot} left the grid")
        if not 0 <= draft.elapsed_ns - draft.due_ns < INTERVAL_S * NS_PER_S:
            story.broken.append(f"slot {draft.slot} was taken outside its slot")


def any_size(chance: random.Random, least: int, most: int) -> Callable[[int], int]:
    """Return sizes that follow no rule."""
    drawn = [chance.randint(least, most) for _ in range(64)]
    return lambda n: drawn[n % len(drawn)]
