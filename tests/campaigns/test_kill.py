"""The attack of kill -9 in short, and that it sees what it looks for."""

from pathlib import Path
from typing import Any

import pytest

from campaigns import kill
from campaigns.kill_audit import Losses
from campaigns.kill_boundaries import Boundaries
from campaigns.kill_trials import Trial
from campaigns.kill_writes import DEEDS, begun, tried
from openflexure_timelapse.hosts import leftovers, recorder
from openflexure_timelapse.origin import Origin
from openflexure_timelapse.slot_book import SlotBook
from openflexure_timelapse.store.run_store import RunStore

SEED = 11
CUT_OFF = DEEDS["going on after a kill"]


def test_no_promise_falls(tmp_path: Path) -> None:
    """Kills at random, at writes and of the command line cost nothing acknowledged."""
    found = kill.attack(2, SEED, tmp_path)
    assert found.broken == ()
    figures = [row[4:] for row in found.tables[0].rows]
    assert figures == [(0,) * len(kill.FIGURES)] * (len(DEEDS) + 2)
    kills = [row[2] for row in found.tables[0].rows]
    assert all(kills[1:-1])  # at writes; the others depend on how quick this machine is


@pytest.fixture(scope="module", name="cut_off")
def _cut_off(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Share one run that was killed in its middle; each test goes on with a copy."""
    return begun(CUT_OFF, tmp_path_factory.mktemp("cut off"))


def losses_of(cut_off: Trial, folder: Path) -> Losses:
    """Return what is found wrong with the run when it has gone on to its end."""
    trial = tried(CUT_OFF, cut_off, folder / "trial", Boundaries())
    return trial.account.losses


def test_without_sabotage_nothing_is_seen(cut_off: Trial, tmp_path: Path) -> None:
    """The run that the tests below spoil is a good one."""
    assert losses_of(cut_off, tmp_path).broken == []


def lose_one(store: RunStore) -> None:
    """Remove the newest frame's file."""
    frame = store.last_frame()
    assert frame is not None
    (store.folder / frame.file).unlink()


def alter_one(store: RunStore) -> None:
    """Change one byte of the newest frame's file."""
    frame = store.last_frame()
    assert frame is not None
    path = store.folder / frame.file
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(bytes(content))


def litter(store: RunStore) -> None:
    """Leave a temporary file."""
    (store.folder / "frames" / ".0000009.jpeg.0123456789ab.part").write_bytes(b"half")


SPOILS = {"lost": lose_one, "altered": alter_one, "stray": litter}


@pytest.mark.parametrize("kind", sorted(SPOILS))
def test_a_run_that_is_spoilt_when_it_goes_on_is_seen(
    cut_off: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A recovery that harms a frame, or leaves a file, has its figure and sentence."""
    recover = recorder.recover

    def spoil(store: RunStore) -> Any:
        report = recover(store)
        SPOILS[kind](store)
        return report

    monkeypatch.setattr(recorder, "recover", spoil)
    losses = losses_of(cut_off, tmp_path)
    assert getattr(losses, kind) == 1
    assert losses.broken


def test_a_grid_that_moves_is_seen(
    cut_off: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nanosecond is enough."""
    find = Origin.find

    def moved(origin: Origin, *args: Any) -> Any:
        found = find(origin, *args)
        origin._set(origin.monotonic_ns + 1)
        return found

    monkeypatch.setattr(Origin, "find", moved)
    assert losses_of(cut_off, tmp_path).off_grid


def test_slots_that_nobody_accounts_for_are_seen(
    cut_off: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run that passes over what it missed leaves slots without outcome."""

    def pass_over(book: SlotBook, _now_ns: int) -> None:
        after = book.progress.next_slot + 1
        book.progress = type(book.progress)(after, book.progress.shift_ns)

    monkeypatch.setattr(SlotBook, "skip_interrupted", pass_over)
    assert losses_of(cut_off, tmp_path).without_outcome


def test_a_light_that_is_not_put_back_is_seen(
    cut_off: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The microscope outlives the processes, and is looked at in the end."""
    monkeypatch.setattr(
        "openflexure_timelapse.instrument.Instrument.put_back", lambda _self: None
    )
    (said, _) = losses_of(cut_off, tmp_path).broken
    assert said == "The light is left at 0.0 and was at 0.625"


def test_a_run_that_nobody_finishes_making_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the sweep of half-made runs, a kill in a start leaves one."""
    monkeypatch.setattr(leftovers, "_remove_temporaries", lambda _folder: None)
    deed = DEEDS["recording"]
    base = begun(deed, tmp_path)
    assert tried(deed, base, tmp_path / "trial", Boundaries(6)).account.losses.stray
