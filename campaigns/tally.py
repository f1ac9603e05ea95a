"""Counting what trials of many kinds came to, and what fell in them."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, TypeVar

__all__ = ["Tally", "each_in_turn", "fallen"]


@dataclass
class Tally:
    """Figures of one kind of attack.

    Attributes
    ----------
    reasonless : int
        How many of the missed slots have no reason.
    broken : list of str
        What fell.
    """

    trials: int = 0
    slots: int = 0
    captured: int = 0
    missed: int = 0
    reasonless: int = 0
    broken: List[str] = field(default_factory=list)

    def fell(self, told: str) -> None:
        """Take note of a promise that fell."""
        self.broken.append(told)

    @contextlib.contextmanager
    def trial(self, key: str) -> Iterator[None]:
        """Count a trial; what falls in it is told with what repeats it."""
        before = len(self.broken)
        yield
        self.trials += 1
        self.broken[before:] = [f"{told} [{key}]" for told in self.broken[before:]]


AnyTally = TypeVar("AnyTally", bound=Tally)


def each_in_turn(  # noqa: PLR0913, PLR0917 (what a campaign is given, and its kinds)
    names: Iterable[str],
    new: Callable[[], AnyTally],
    make: Callable[[AnyTally, str, str, Path], None],
    trials: int,
    seed: int,
    work: Path,
) -> Dict[str, AnyTally]:
    """Make so many trials, each kind in its turn; return what they came to.

    Parameters
    ----------
    names : iterable of str
        The kinds.
    new, make : callable
        Return a new tally; make one trial: its tally, kind, key and folder.
    trials, seed, work
        As of the campaign.
    """
    tallies = {name: new() for name in names}
    kinds = list(tallies)
    for trial in range(trials):
        name = kinds[trial % len(kinds)]
        make(tallies[name], name, f"{seed}/{trial}", work / f"trial-{trial}")
    return tallies


def fallen(tallies: Mapping[str, Tally]) -> List[str]:
    """Return what fell, with the kind of attack."""
    return [
        f"{name}: {told}" for name, tally in tallies.items() for told in tally.broken
    ]
