"""What is remembered from one visit to the next."""

from pathlib import Path

import pytest

from openflexure_timelapse.errors import InvalidRequestError, StorageError
from openflexure_timelapse.hosts.preferences import (
    PREFERENCES_FILE,
    PreferenceFile,
    Preferences,
)
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.store.disk import RealDisk


@pytest.fixture(name="kept")
def _kept(tmp_path: Path) -> PreferenceFile:
    return PreferenceFile(tmp_path, RealDisk())


def test_nothing_is_remembered_at_first(kept: PreferenceFile) -> None:
    """No file is nobody's preferences."""
    assert kept.read() == Preferences()


def test_preferences_change_one_by_one(kept: PreferenceFile) -> None:
    """What is not named stays; null forgets."""
    plan = {"name": "pond", "interval_s": 5.0, "movie": None}
    kept.change({"plan": plan})
    kept.change({"um_per_pixel": 0.1})
    assert kept.read().plan == parse_plan(plan)
    assert kept.change({"plan": None}) == {"um_per_pixel": 0.1}
    assert kept.read() == Preferences(um_per_pixel=0.1)


def test_a_remembered_plan_has_no_time(kept: PreferenceFile) -> None:
    """Next time it would be past."""
    kept.remember(parse_plan({"name": "a", "interval_s": 5, "start_in_s": 60}))
    assert kept.read().plan == parse_plan({"name": "a", "interval_s": 5})


@pytest.mark.parametrize(
    "changes",
    [{"um_per_pixel": -1}, {"um_per_pixel": "0.1"}, {"colour": 1}, {"plan": {}}],
)
def test_a_bad_change_changes_nothing(kept: PreferenceFile, changes: dict) -> None:  # type: ignore[type-arg]
    """It is refused as a whole."""
    kept.change({"um_per_pixel": 0.1})
    with pytest.raises(InvalidRequestError):
        kept.change({"plan": None, **changes})
    assert kept.read().um_per_pixel == 0.1


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"um_per_pixel": 0}', b"[]"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes) -> None:
    """Not taken for no preferences: the scale of a movie hangs on it."""
    (tmp_path / PREFERENCES_FILE).write_bytes(content)
    with pytest.raises(StorageError, match=r"preferences\.json.*Delete it"):
        PreferenceFile(tmp_path, RealDisk()).read()
