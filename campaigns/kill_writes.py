"""What is killed at each of its writes: recording, going on, repairing and more."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, Iterator

from campaigns.kill_audit import Account, audited, run_folder
from campaigns.kill_bench import Condition
from campaigns.kill_boundaries import Boundaries
from campaigns.kill_cases import NS_PER_S, Case
from campaigns.kill_trials import Job, Trial
from openflexure_timelapse.hosts.jobs import JobQueue
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.store.catalogue import finish_deletes
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.layout import INDEX_FILE
from openflexure_timelapse.store.repair import repair

__all__ = ["DEEDS", "Deed", "begun", "trials_of", "tried"]

INTERVAL_S = 30
GAP_NS = 40 * NS_PER_S
SLOTS = 5
BEFORE = Condition(light=0.625, x=120, y=-80, z=30)
PLACES = [
    {"name": "left", "x": 0, "y": 0, "z": 0},
    {"name": "right", "x": 400, "y": -250, "z": 0},
]


def _case(*requests: str, **plan: Any) -> Case:
    """Return a short run; each request comes in the middle between two slots."""
    whole: Dict[str, Any] = {
        "name": "kill",
        "interval_s": INTERVAL_S,
        "frames": SLOTS,
        "positions": PLACES,
        "planes": {"count": 1, "step": 40},
        "camera_mode": "preview",
        "settle_s": 0.1,
        "keep_free_mb": 0,
        "light": "only_while_capturing",
        "movie": None,
        **plan,
    }
    interval_ns = INTERVAL_S * NS_PER_S
    return Case(
        plan=whole,
        due_ns=tuple(slot * interval_ns for slot in range(SLOTS)),
        per_slot=max(1, len(whole["positions"])) * whole["planes"]["count"],
        before=BEFORE,
        requests=tuple(
            (slot * interval_ns + interval_ns // 2, verb)
            for slot, verb in enumerate(requests)
        ),
    )


STACK = {"positions": [], "planes": {"count": 3, "step": 40}}
PAUSED = _case("pause", "resume")
STOPPED = _case("pause", "resume", "stop", **STACK)
PLAIN = _case(**STACK)
UNLIT = _case(**STACK, light="leave")
FILMED = _case(movie={"format": "mp4"}, positions=PLACES[:1])


def _nothing(_trial: Trial) -> None:
    """Do nothing."""


def _all_well(trial: Trial) -> None:
    """Audit the run that has ended."""
    trial.audit()


@dataclass(frozen=True)
class Deed:
    """Something that is killed at each of its writes.

    Attributes
    ----------
    case : Case
        The run that it is done to.
    job : callable
        Returns it for a trial; it is done once more when it was killed.
    before : callable
        What happened to the run until then.
    after : callable
        What happens to it in the end.
    audit : callable
        Takes note of what is wrong by then.
    """

    case: Case
    job: Callable[[Trial], Job]
    before: Callable[[Trial], None] = _nothing
    after: Callable[[Trial], None] = _nothing
    audit: Callable[[Trial], None] = _all_well


def trials_of(deed: Deed, folder: Path, limit: int, chance: Random) -> Iterator[Trial]:
    """Yield audited trials of a deed: one to its end, the others killed.

    Parameters
    ----------
    deed : Deed
        What is done.
    folder : Path
        Is made for them.
    limit : int
        The most boundaries to kill at; some of them by chance where there are more.
    chance : Random
        Draws them.
    """
    base = begun(deed, folder)
    whole = Boundaries()
    yield tried(deed, base, folder / "whole", whole)
    numbers = list(range(whole.passed))
    if limit < len(numbers):
        numbers = sorted(chance.sample(numbers, limit))
    for number in numbers:
        yield tried(deed, base, folder / str(number), Boundaries(number))


def begun(deed: Deed, folder: Path) -> Trial:
    """Return a run that is as the deed finds it, in a new folder below `folder`."""
    base = Trial(folder / "base", deed.case)
    deed.before(base)
    return base


def tried(deed: Deed, base: Trial, folder: Path, boundaries: Boundaries) -> Trial:
    """Do a deed to a copy of a run, kill it at a boundary, do it again, and audit."""
    trial = base.copied(folder)
    child = trial.fork(boundaries.within(deed.job(trial)))
    if trial.bury(child, child.end()):
        trial.end(deed.job(trial))
    deed.after(trial)
    deed.audit(trial)
    return trial


# ---------------------------------------------------------------------- what was before


def _cut_off(trial: Trial) -> None:
    """Kill the recording in the middle, in the write of a frame."""
    whole = trial.copied(trial.folder.with_name("measured"))
    counted = Boundaries()
    whole.end(counted.within(whole.life()))
    child = trial.fork(Boundaries(counted.passed // 2).within(trial.life()))
    trial.bury(child, child.end())


def _left_before_movie(trial: Trial) -> None:
    """Kill the process when the run has ended and its movie is to be made."""

    def record(writer: int) -> None:
        def die(*_args: Any) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(JobQueue, "add_movies", die)  # noqa: B010 - mypy knows it for a method
        trial.life()(writer)

    child = trial.fork(record)
    trial.bury(child, child.end())


def _damaged(trial: Trial) -> None:
    """Cut the recording off, and let the card ruin its index."""
    _cut_off(trial)
    (_folder(trial) / INDEX_FILE).write_bytes(b"\x93" * 50_000)


def _go_to_end(trial: Trial) -> None:
    """Let a program start and do what is left to do."""
    trial.end(trial.life(GAP_NS))


def _ended(trial: Trial) -> None:
    """Record to the end, and forget what was acknowledged: it will be deleted."""
    trial.end(trial.life())
    trial.account = Account()


def _folder(trial: Trial) -> Path:
    """Return the folder of the run, which is there."""
    folder = run_folder(trial.data)
    if folder is None:
        raise ValueError(f"there is no run in {trial.data}")
    return folder


# ---------------------------------------------------------------------------- the deeds


def _record(trial: Trial) -> Job:
    """Return a life that starts the run, or goes on with it."""
    return trial.life()


def _go_on(trial: Trial) -> Job:
    """Return a life that goes on after a while."""
    return trial.life(GAP_NS, f"boot after {trial.kills}")


def _give_up(trial: Trial) -> Job:
    """Return a life that ends the run where it was."""
    return trial.life(GAP_NS, give_up=True)


def _repair(trial: Trial) -> Job:
    """Return a repair of the run."""
    return lambda _writer: repair(_folder(trial))


def _audit_repaired(trial: Trial) -> None:
    """Audit, but for the microscope: how it was before stood in the lost index."""
    aside = _folder(trial).glob("*.before-repair-*")
    audited(trial.data, trial.case, trial.account, list(aside))


def _delete(trial: Trial) -> Job:
    """Return the start of a program that deletes the run, if it is still there."""

    def job(_writer: int) -> None:
        finish_deletes(trial.data)
        folder = run_folder(trial.data)
        if folder is not None:
            library = Library(trial.data, RealClock(), RealDisk())
            library.delete(folder.name, folder.name)

    return job


def _check_deleted(trial: Trial) -> None:
    """See that nothing is left; in between, a run that is listed is whole."""
    left = [path.name for path in trial.data.iterdir()]
    trial.account.losses.count("stray", left, "Left of a deleted run")


DEEDS: Dict[str, Deed] = {
    "recording": Deed(PAUSED, _record),
    "recording where it stands, stopped": Deed(STOPPED, _record),
    "going on after a kill": Deed(PAUSED, _go_on, _cut_off),
    "going on where it stands": Deed(PLAIN, _go_on, _cut_off),
    "giving a run up": Deed(PLAIN, _give_up, _cut_off),
    "making the movie of a run": Deed(FILMED, _record, _left_before_movie),
    "repairing a run": Deed(UNLIT, _repair, _damaged, _go_to_end, _audit_repaired),
    "deleting a run": Deed(FILMED, _delete, _ended, audit=_check_deleted),
}
