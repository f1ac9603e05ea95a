"""The frames of a run as a movie is told of them."""

from itertools import groupby
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.frame import Frame
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.memory import UNKNOWN_GAPS
from openflexure_timelapse.movie.render import MovieFrame
from openflexure_timelapse.store.fence import is_inside
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["movie_frames"]


def movie_frames(  # noqa: PLR0913, PLR0917 (what a movie is told of)
    library: Library,
    run_id: str,
    position: Optional[str],
    plane: Optional[int],
    names: Tuple[str, ...] = (),
    after: Optional[Frame] = None,
) -> Iterator[MovieFrame]:
    """Yield the frames of a movie, each with the reason of the gap before it.

    Parameters
    ----------
    library, run_id
        Where they are.
    position : str or None
        Of which position; None for all.
    plane : int or None
        Of which plane; None for all of them, together.
    names : tuple of str
        Of a grid's positions; empty for one position's movie.
    after : Frame or None
        The last one of that position and plane that was yielded before; None to begin
        with the first.

    Raises
    ------
    DamagedRunError
        When a file is a link that leads out of the run.
    """
    folder = library.folder(run_id)
    before = -1 if after is None else after.draft.slot
    had = 0 if after is None else after.n
    with library.open_read(run_id) as store:
        unknown = store.value(UNKNOWN_GAPS) or ()
        found = library.each_frame(run_id, position, plane, had)
        for slot, together in groupby(found, key=lambda frame: frame.draft.slot):
            frames = list(together)
            paths = _paths(folder, frames)
            cells = tuple(tuple(paths.get(name, ())) for name in names)
            lacking = tuple(
                "" if name in paths else _visit_reason(store, slot, name)
                for name in names
            )
            first = frames[0].draft
            files = paths[first.position]
            reason = _gap_reason(store, before) if slot > before + 1 else ""
            yield MovieFrame(
                path=files[0],
                slot=slot,
                elapsed_ns=first.elapsed_ns,
                wall_ns=first.wall_ns,
                utc_offset_s=first.utc_offset_s,
                clock_trusted=first.wall_trusted,
                gap_reason=reason,
                gap_unknown=any(before < gap <= slot for gap in unknown),
                planes=() if names else tuple(files[1:]),
                cells=cells,
                lacking=lacking,
            )
            before = slot


def _paths(folder: Path, frames: List[Frame]) -> Dict[str, List[str]]:
    """Return the files of each position."""
    paths: Dict[str, List[str]] = {}
    for frame in frames:
        path = folder / frame.file
        if not is_inside(folder, path):
            told = f"{path} is a link that leads out of the run; repair it first."
            raise DamagedRunError(told)
        paths.setdefault(frame.draft.position, []).append(str(path))
    return paths


def _visit_reason(store: RunStore, slot: int, position: str) -> str:
    """Return why a position has no frame in a slot in which others have one."""
    visit = store.visit_at(slot, position)
    return visit.reason.value if visit is not None and visit.reason is not None else ""


def _gap_reason(store: RunStore, before: int) -> str:
    """Return why the slot after `before` has no frame."""
    slot = store.slot_at(before + 1)
    return slot.reason.value if slot is not None and slot.reason is not None else ""
