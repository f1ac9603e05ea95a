"""A run surveyed in one quick walk says what its frames say."""

from dataclasses import replace
from pathlib import Path
from typing import Any, List, Sequence, Tuple

import pytest
from cases.stored import captured, draft, new_run, tiny_jpeg

from openflexure_timelapse.errors import DamagedRunError
from openflexure_timelapse.frame import Flag
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.index import Index
from openflexure_timelapse.store.layout import INDEX_FILE
from openflexure_timelapse.store.run_store import RunStore
from openflexure_timelapse.store.survey import Extent

Shot = Tuple[float, Tuple[Flag, ...]]


def run_of(data: Path, shots: Sequence[Shot], **changes: Any) -> Path:
    """Return the folder of a run of frames so sharp, with such flags."""
    with new_run(data) as store:
        for slot, (sharpness, flags) in enumerate(shots):
            known = replace(draft(slot), sharpness=sharpness, flags=flags, **changes)
            store.add_frame(tiny_jpeg(slot), known, {})
            store.add_slot(captured(slot))
        return store.folder


def sharpest(folder: Path, parts: int, *, sound: bool = True) -> List[int]:
    """Return the sharpest frames of a run."""
    with RunStore.open_read(folder) as store:
        frames = store.frames(0, 1000)
        begin_ns, end_ns = (frames[at].draft.elapsed_ns for at in (0, -1))
        return store.survey.sharpest("here", parts, begin_ns, end_ns, sound=sound)


def test_each_part_of_the_time_has_its_sharpest(tmp_path: Path) -> None:
    """Of equal ones the first; what failed a check, or was not measured, only last."""
    dark = (Flag.DARK,)
    shots: List[Shot] = [(5.0, ()), (9.0, dark), (7.0, ()), (7.0, ())]
    shots += [(float("nan"), ()), (float("nan"), ()), (1.0, dark), (0.0, ())]
    folder = run_of(tmp_path, shots)
    assert sharpest(folder, 2) == [3, 5]
    assert sharpest(folder, 2, sound=False) == [2, 7]
    assert sharpest(folder, 1) == [3]
    assert sharpest(folder, 100) == [1, 3, 4, 5, 6, 8]


def test_a_run_of_years_is_no_too_large_number(tmp_path: Path) -> None:
    """Its nanoseconds times the parts would be more than SQLite's numbers."""
    with new_run(tmp_path) as store:
        for slot in (0, 10**8):
            store.add_frame(tiny_jpeg(), draft(slot), {})
        folder = store.folder
    assert sharpest(folder, 80) == [1, 2]


def test_whether_any_frame_is_good(tmp_path: Path) -> None:
    """Of the run, of a position of it, of one that it has not."""
    folder = run_of(tmp_path / "good", [(1.0, (Flag.DARK,)), (1.0, ())])
    with RunStore.open_read(folder) as store:
        found = [store.survey.has_sound(name) for name in (None, "here", "there")]
    assert found == [True, True, False]
    with RunStore.open_read(run_of(tmp_path / "bad", [(1.0, (Flag.DARK,))])) as store:
        assert not store.survey.has_sound(None)


def test_briefs_come_in_pages_and_say_what_frames_say(tmp_path: Path) -> None:
    """In order, up to a number; a clock that was not believed tells no time of day."""
    folder = run_of(tmp_path, [(1.0, ())] * 5, wall_trusted=False)
    with RunStore.open(folder, RealDisk()) as store:
        store.add_frame(tiny_jpeg(5), draft(5), {})
    with RunStore.open_read(folder) as store:
        assert store.survey.extent() == Extent(6, 6)
        assert [each.n for each in store.survey.briefs(1, 5, 3)] == [2, 3, 4]
        assert [each.n for each in store.survey.briefs(4, 5, 3)] == [5]
        told, frame = store.survey.briefs(5, 6, 3)[0], store.frame(6)
        first = store.survey.briefs(0, 6, 1)[0]
    known = frame.draft
    assert told[:5] == (6, "here", known.slot, known.plane, known.due_ns)
    assert told[5:] == (known.wall_ns - known.elapsed_ns, known.width, known.height)
    assert first.began_ns is None


def test_a_frame_of_no_position_is_damage(tmp_path: Path) -> None:
    """Not a wrong number."""
    folder = run_of(tmp_path, [(1.0, ())])
    index = Index(folder / INDEX_FILE, writable=True)
    with index._transaction() as writer:
        writer.execute("DELETE FROM positions")
    index.close()
    with RunStore.open_read(folder) as store, pytest.raises(DamagedRunError):
        store.survey.briefs(0, 9, 9)
