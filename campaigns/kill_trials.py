"""One run, the processes that record it one after the other, and their kills."""

import copy
import shutil
import signal
import time
from pathlib import Path
from random import Random
from typing import Any, Callable, Optional, Tuple

from campaigns.kill_audit import Account, audited, check_put_back
from campaigns.kill_bench import Bench
from campaigns.kill_cases import NS_PER_S, Case, drawn_case, happens
from campaigns.kill_lives import BENCH_FILE, DATA, Child, Life, forked

__all__ = ["Job", "Pace", "Trial", "random_trial", "warm_up"]

MOVIE_SHARE = 0.02
MOVIE_S = 1.5
START_S = 0.05
LOG = "log.txt"

Job = Callable[[int], Any]


class Pace:
    """How quick lives are on this machine, learnt from them, to draw moments in them.

    Attributes
    ----------
    frame_s : float
        Real seconds for a frame.
    """

    def __init__(self) -> None:
        self._seconds, self._frames = 0.5, 20

    @property
    def frame_s(self) -> float:
        """Return it."""
        return self._seconds / self._frames

    def learn(self, seconds: float, frames: int) -> None:
        """Take note of a life."""
        self._seconds += seconds
        self._frames += frames


class Trial:
    """One run and what is known of it.

    Parameters
    ----------
    folder : Path
        Is made; for this trial alone.
    case : Case
        The run.

    Attributes
    ----------
    account : Account
        What was acknowledged.
    kills : int
        So far.
    """

    def __init__(self, folder: Path, case: Case) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.case = case
        self.account = Account()
        self.kills = 0
        self.bench.put(case.before)

    @property
    def bench(self) -> Bench:
        """The microscope."""
        return Bench(self.folder / BENCH_FILE)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / DATA

    def life(
        self, gap_ns: int = 0, new_boot: Optional[str] = None, *, give_up: bool = False
    ) -> Life:
        """Return the next life."""
        return Life(self.folder, self.case, gap_ns, new_boot, give_up)

    def copied(self, folder: Path) -> "Trial":
        """Return a trial that goes on from here, in another folder."""
        shutil.copytree(str(self.folder), str(folder))
        trial = copy.copy(self)
        trial.folder, trial.account = folder, copy.deepcopy(self.account)
        return trial

    def fork(self, job: Job) -> Child:
        """Begin a life."""
        return forked(job, self.folder / LOG)

    def bury(self, child: Child, status: int) -> bool:
        """Take note of how a life ended; tell whether it was killed."""
        self.account.hear(child.told)
        if status == signal.SIGKILL:
            self.kills += 1
            self.account.see(self.data)
            return True
        if status:
            said = (self.folder / LOG).read_text("utf-8", "replace").splitlines()
            self.account.losses.say(f"A process failed: {said[-1:]}")
        return False

    def end(self, job: Job) -> None:
        """Let one life go to its end."""
        child = self.fork(job)
        try:
            self.bury(child, child.end())
        except TimeoutError as exc:
            self.account.losses.say(str(exc))

    def audit(self) -> None:
        """Take note of what is wrong in the end."""
        losses = audited(self.data, self.case, self.account)
        check_put_back(self.case, self.bench.condition(), losses)


def warm_up(folder: Path) -> None:
    """Record one run in this process, so that its children find all at hand.

    Parameters
    ----------
    folder : Path
        Is made for it.
    """
    Trial(folder, drawn_case(Random(0), movie=0)).life().live()


def random_trial(folder: Path, chance: Random, pace: Pace) -> Trial:
    """Kill a run one to three times, let it end, and audit it.

    Parameters
    ----------
    folder : Path
        Is made for it.
    chance : Random
        Where everything is drawn from.
    pace : Pace
        Of this machine.
    """
    trial = Trial(folder, drawn_case(chance, movie=MOVIE_SHARE))
    life = trial.life()
    for number in range(chance.choice((1, 1, 1, 2, 2, 3))):
        moment = _moment(chance, pace, trial, number)
        began_s = time.monotonic()
        child = trial.fork(life)
        child.listen(*moment)
        pace.learn(time.monotonic() - began_s, len(child.told))
        if not trial.bury(child, child.kill()):
            break
        new_boot = f"boot {number}" if happens(chance, 0.5) else None
        life = trial.life(_gap_ns(chance, trial.case), new_boot)
    else:
        trial.end(life)
    trial.audit()
    return trial


def _moment(chance: Random, pace: Pace, trial: Trial, number: int) -> Tuple[int, float]:
    """Draw when to kill: after so many frames, and so many seconds more."""
    left = trial.case.frames - len(trial.account.frames)
    if number and happens(chance, 0.4):
        return 0, chance.uniform(0, START_S)
    if happens(chance, 0.5):
        return chance.randint(0, left), chance.uniform(0, 2 * pace.frame_s)
    length_s = START_S + 1.1 * left * pace.frame_s
    if trial.case.movies:
        length_s += trial.case.movies * MOVIE_S
    return 0, chance.uniform(0, length_s)


def _gap_ns(chance: Random, case: Case) -> int:
    """Draw for how long nobody is there: a moment, some slots, or too long."""
    interval_ns = case.due_ns[1]
    return chance.choice(
        (
            chance.randrange(2 * NS_PER_S),
            chance.randrange(5 * interval_ns),
            chance.randrange(5 * interval_ns),
            chance.randrange(2 * case.due_ns[-1]),
        )
    )
