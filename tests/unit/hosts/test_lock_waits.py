"""What a visit that waits for its turn or its locks takes of the system."""

import contextlib
import threading
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import HardwareBusyError
from openflexure_timelapse.hosts.system import PipeSignal, RealClock
from openflexure_timelapse.hosts.turns import Turns
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import Microscope

VISITS = 300
Take = Callable[[int], None]


class CountingClock(RealClock):
    """The real clock, which remembers how many signals it made."""

    def __init__(self) -> None:
        self.made = 0

    def signal(self) -> PipeSignal:
        """Make a signal, and count it."""
        self.made += 1
        return super().signal()


class User:
    """One who takes the hardware: `visit` takes it and gives it back."""

    def __init__(self, take: Take, give: Callable[[], None]) -> None:
        self.take, self.give = take, give

    def visit(self, deadline_ns: int) -> None:
        """Take and give."""
        self.take(deadline_ns)
        self.give()


def user_of(microscope: Microscope) -> User:
    """Return who takes a microscope."""
    return User(microscope.acquire, microscope.release)


def two_users_of_turns(clock: CountingClock) -> List[User]:
    """Return two threads of ours that share one microscope."""
    turns = Turns(build(3, "algae_growth", VirtualClock(0)), clock)
    return [user_of(turns.user()) for _ in range(2)]


def two_users_of_locks(clock: CountingClock) -> List[User]:
    """Return a visit, and another program that has the server's lock."""
    lock = threading.Lock()
    visit = VisitLocks(lambda: [("camera", lock)], clock)
    other = User(lambda _: lock.__enter__(), lock.release)
    return [User(visit.acquire, visit.release), other]


USERS: Dict[str, Callable[[CountingClock], List[User]]] = {
    "turns": two_users_of_turns,
    "locks": two_users_of_locks,
}


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("name", sorted(USERS))
def test_what_is_free_is_had_without_a_signal(name: str) -> None:
    """A visit that need not wait opens nothing to wait with."""
    clock = CountingClock()
    first, _ = USERS[name](clock)
    for _ in range(VISITS):
        first.visit(0)
    assert clock.made == 0


@pytest.mark.parametrize("name", sorted(USERS))
def test_some_hundred_waits_leave_no_descriptor(name: str) -> None:
    """What a wait opened is closed when it ends, also when it ends in vain."""
    clock = CountingClock()
    first, other = USERS[name](clock)
    other.take(0)
    before = descriptors()
    for _ in range(VISITS):
        with contextlib.suppress(HardwareBusyError):
            first.visit(clock.monotonic_ns() + 1)
    assert (clock.made, descriptors()) == (VISITS, before)
    other.give()
    first.visit(0)
