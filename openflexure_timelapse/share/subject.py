"""What is shared: one run, what is known of it, and its frames in pages."""

import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple
from uuid import UUID

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.record import Record
from openflexure_timelapse.schedule import grid_of
from openflexure_timelapse.share.record_file import record_of
from openflexure_timelapse.share.shared_log import shared_before
from openflexure_timelapse.share.tally import Tallies
from openflexure_timelapse.share.taxa import Taxa
from openflexure_timelapse.store.fence import check_links
from openflexure_timelapse.store.layout import local_time
from openflexure_timelapse.store.run_reader import RunReader
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["Imaged", "Subject", "imaged_of", "open_subject", "scale_of", "time_of"]

PAGE = 500
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Imaged:
    """When a run was imaged; never mixed with when the sample was taken.

    Attributes
    ----------
    begin, end : datetime or None
        Of the first and the last frame, local with the offset; None where the clock
        could not be believed, or there is no frame.
    interval_s : float
        From slot to slot at the beginning.
    frames : int
        Of all positions and planes.
    """

    begin: Optional[datetime]
    end: Optional[datetime]
    interval_s: float
    frames: int


@dataclass(frozen=True)
class Subject:
    """A run that is shared.

    Attributes
    ----------
    run_id : str
        The folder's name.
    folder : Path
        Of the run.
    header : mapping
        The content of ``run.json``.
    plan : Plan
        What was asked.
    record : Record
        As it was last edited.
    occurrence_id : str
        The UUID of the sighting; never changes.
    um_per_pixel : float or None
        Of the stored frames; None where nobody has calibrated.
    scale_source : str
        Where that comes from, in words; empty where there is none.
    imaged : Imaged
        When.
    shared_before : tuple of str
        The destinations that bundles of this run were made for before.
    reader : RunReader
        Of the run's index.
    taxa : Taxa or None
        The names of organisms that the person has given; None for none.
    tallies : Tallies
        Counts its frames.
    """

    run_id: str
    folder: Path
    header: Mapping[str, Any]
    plan: Plan
    record: Record
    occurrence_id: str
    um_per_pixel: Optional[float]
    scale_source: str
    imaged: Imaged
    shared_before: Tuple[str, ...]
    reader: RunReader
    taxa: Optional[Taxa] = None
    tallies: Tallies = field(default_factory=Tallies)

    @property
    def positions(self) -> Tuple[str, ...]:
        """The names of the positions, in order."""
        return tuple(self.plan.position_names())

    def frames(
        self, position: Optional[str] = None, plane: Optional[int] = None
    ) -> Iterator[Frame]:
        """Yield frames in the order of their numbers, a page in memory at a time."""
        after = 0
        page = self.reader.frames(after, PAGE, position, plane)
        while page and page[-1].n > after:
            yield from page
            after = page[-1].n
            page = self.reader.frames(after, PAGE, position, plane)

    def path(self, frame: Frame) -> Path:
        """Return the path of a frame's file."""
        return self.folder / frame.file


def time_of(frame: Frame) -> Optional[datetime]:
    """Return when a frame was exposed, local; None where the clock was not believed."""
    draft = frame.draft
    if not draft.wall_trusted:
        return None
    return local_time(draft.wall_ns, draft.utc_offset_s)


@contextlib.contextmanager
def open_subject(
    folder: Path, taxa: Optional[Taxa] = None, tallies: Optional[Tallies] = None
) -> Iterator[Subject]:
    """Open a run in order to share it.

    Parameters
    ----------
    folder : Path
        Of the run.
    taxa : Taxa, optional
        As for `Subject`.
    tallies : Tallies, optional
        What was counted before, so that it is not counted again.

    Raises
    ------
    StorageError
        When the run cannot be read.
    """
    folder = check_links(folder)
    with RunStore.open_read(folder) as store:
        header = store.header
        plan = parse_plan(header["plan"])
        record = record_of(folder, plan)
        scale, source = scale_of(header, record)
        yield Subject(
            run_id=folder.name,
            folder=folder,
            header=header,
            plan=plan,
            record=record,
            occurrence_id=str(record.uuid or UUID(header["dataset_id"])),
            um_per_pixel=scale,
            scale_source=source,
            imaged=imaged_of(store, plan),
            shared_before=shared_before(folder),
            reader=store,
            taxa=taxa,
            tallies=tallies or Tallies(),
        )


def imaged_of(store: RunReader, plan: Plan) -> Imaged:
    """Return when a run was imaged."""
    first, last = store.frames(0, 1), store.last_frame()
    return Imaged(
        begin=time_of(first[0]) if first else None,
        end=None if last is None else time_of(last),
        interval_s=grid_of(plan).interval_at(0) / NS_PER_S,
        frames=store.totals().frames,
    )


def scale_of(header: Mapping[str, Any], record: Record) -> Tuple[Optional[float], str]:
    """Return micrometres per pixel of the stored frames, and where they come from."""
    camera: Dict[str, Any] = dict(header["camera"])
    if record.um_per_pixel is not None:
        return record.um_per_pixel, record.calibration or "as the person told it"
    scale = camera["um_per_pixel"]
    if scale is None:
        return None, ""
    return float(scale), record.calibration or "as the microscope's server tells it"
