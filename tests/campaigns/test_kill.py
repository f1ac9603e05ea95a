"""The attack of kill -9 in short, and that it sees what it looks for."""

from pathlib import Path
from random import Random
from typing import Any, List

import pytest

from campaigns import kill
from campaigns.kill_trials import Trial
from campaigns.kill_writes import DEEDS, trials_of
from openflexure_timelapse.hosts import recorder
from openflexure_timelapse.origin import Origin
from openflexure_timelapse.slot_book import SlotBook
from openflexure_timelapse.store import catalogue
from openflexure_timelapse.store.run_store import RunStore

SEED = 11
CHANCE = Random(SEED)  # noqa: S311 (moments, not secrets)
CUT_OFF = DEEDS["going on after a kill"]


def test_no_promise_falls(tmp_path: Path) -> None:
    """Kills at random, at writes and of the command line cost nothing acknowledged."""
    found = kill.attack(4, SEED, tmp_path)
    assert found.broken == ()
    figures = [row[4:] for row in found.tables[0].rows]
    assert figures == [(0,) * len(kill.FIGURES)] * (len(DEEDS) + 2)
    kills = [row[2] for row in found.tables[0].rows]
    assert all(kills)


def gone_on(tmp_path: Path) -> Trial:
    """Return the trial of a run that was cut off and has gone on to its end."""
    return next(trials_of(CUT_OFF, tmp_path / "trials", 0, CHANCE))


def test_without_sabotage_nothing_is_seen(tmp_path: Path) -> None:
    """The run that the tests below spoil is a good one."""
    assert gone_on(tmp_path).account.losses.broken == []


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A recovery that harms a frame, or leaves a file, has its figure and sentence."""
    recover = recorder.recover

    def spoil(store: RunStore) -> Any:
        report = recover(store)
        SPOILS[kind](store)
        return report

    monkeypatch.setattr(recorder, "recover", spoil)
    losses = gone_on(tmp_path).account.losses
    assert getattr(losses, kind) == 1
    assert losses.broken


def test_a_grid_that_moves_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nanosecond is enough."""
    find = Origin.find

    def moved(origin: Origin, *args: Any) -> Any:
        found = find(origin, *args)
        origin._set(origin.monotonic_ns + 1)
        return found

    monkeypatch.setattr(Origin, "find", moved)
    assert gone_on(tmp_path).account.losses.off_grid


def test_slots_that_nobody_accounts_for_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run that passes over what it missed leaves slots without outcome."""

    def pass_over(book: SlotBook, _now_ns: int) -> None:
        after = book.progress.next_slot + 1
        book.progress = type(book.progress)(after, book.progress.shift_ns)

    monkeypatch.setattr(SlotBook, "skip_interrupted", pass_over)
    assert gone_on(tmp_path).account.losses.without_outcome


def test_a_light_that_is_not_put_back_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The microscope outlives the processes, and is looked at in the end."""
    monkeypatch.setattr(
        "openflexure_timelapse.instrument.Instrument.put_back", lambda _self: None
    )
    (said, _) = gone_on(tmp_path).account.losses.broken
    assert said == "The light is left at 0.0 and was at 0.625"


def test_a_run_that_nobody_finishes_making_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the sweep of half-made runs, some kill in a start leaves one."""
    monkeypatch.setattr(catalogue, "finish_creates", lambda _folder: None)
    deed = DEEDS["recording"]
    trials: List[Trial] = []
    for trial in trials_of(deed, tmp_path / "trials", 10**6, CHANCE):
        trials.append(trial)
        if trial.account.losses.stray or len(trials) > 8:
            break
    assert trials[-1].account.losses.stray
