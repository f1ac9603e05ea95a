"""The watchdog: a thread that is stuck is noticed, and one that only waits is not."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from cases.rig import INTERVAL_S, NS_PER_S, PLACES, START_WALL_NS, Rig

from hardware_sim import Fault, VirtualClock
from openflexure_timelapse.errors import DiskFullError
from openflexure_timelapse.hosts.watchdog import LOOK_S, LOOKS, Watchdog
from openflexure_timelapse.ports import Signal
from openflexure_timelapse.run_state import EndReason

DAY_S = 24 * 3600
LOOK_NS = int(LOOK_S * NS_PER_S)


class Ears:
    """Hears what people are told."""

    def __init__(self) -> None:
        self.heard: List[Tuple[str, float]] = []

    def stalled(self, seconds: float, doing: str) -> None:
        """Hear of a stall."""
        assert doing
        self.heard.append(("stalled", seconds))

    def stall_over(self, seconds: float) -> None:
        """Hear of its end."""
        self.heard.append(("over", seconds))


class Watch:
    """A watchdog over a rig, on a clock of its own that a test moves."""

    def __init__(self, rig: Rig) -> None:
        self.ears = Ears()
        self.clock = VirtualClock(START_WALL_NS)
        self.dog = Watchdog(rig.engine, self.ears, self.clock)
        self.noticed_after_s: Optional[float] = None

    def look(self, seconds: int) -> None:
        """Let so many seconds pass, with a look in each."""
        for second in range(seconds):
            self.clock.advance(LOOK_NS)
            self.dog.look()
            if self.noticed_after_s is None and self.dog.stalled_for_s is not None:
                self.noticed_after_s = second + 1


def once(rig: Rig, watch: Watch, owner: Any, name: str, nth: int = 4) -> None:
    """Have the nth call of a method hang for a minute and a half, then go on."""
    inner: Callable[..., Any] = getattr(owner, name)
    calls = [0]

    def hung(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth:
            watch.look(90)
            rig.clock.advance(90 * NS_PER_S)
        return inner(*args, **kwargs)

    setattr(owner, name, hung)


class Deaf:
    """An observer that does not return at once."""

    def notice(self, kind: str, details: Any) -> None:
        """Return when it likes."""


class LateClock(VirtualClock):
    """A clock with a wait that does not end when it should."""

    watch: Optional[Watch] = None

    def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
        """Wait, once far too long."""
        ended = super().wait_until(due_ns, signal)
        watch = self.watch
        if watch is not None and self.monotonic_ns() > 2 * INTERVAL_S * NS_PER_S:
            self.watch = None
            watch.look(90)
        return ended


def hang_disk(rig: Rig, watch: Watch) -> None:
    """Have a frame's write hang."""
    once(rig, watch, rig.disk, "write")


def hang_index(rig: Rig, watch: Watch) -> None:
    """Have a transaction hang."""
    once(rig, watch, rig.store, "record", 8)


def hang_observer(rig: Rig, watch: Watch) -> None:
    """Have an observer block."""
    deaf = Deaf()
    once(rig, watch, deaf, "notice", 3)
    rig.engine._ledger._observers = [deaf]


def hang_wait(rig: Rig, watch: Watch) -> None:
    """Have a wait not end."""
    assert isinstance(rig.clock, LateClock)
    rig.clock.watch = watch


def hang_lane(rig: Rig, watch: Watch) -> None:
    """Have a call of hardware not keep its deadline."""
    inner = rig.engine._lane._lane  # type: ignore[attr-defined]
    call, calls = inner.call, [0]

    def hung(what: str, function: Any, deadline_ns: int) -> Any:
        calls[0] += 1
        result = call(what, function, deadline_ns)
        if calls[0] == 9:
            rig.clock.advance(max(0, deadline_ns - rig.clock.monotonic_ns()))
            watch.look(90)
        return result

    inner.call = hung


STALLS: Dict[str, Callable[[Rig, Watch], None]] = {
    "a write to the disk": hang_disk,
    "a transaction of the index": hang_index,
    "an observer": hang_observer,
    "a wait": hang_wait,
    "a call of hardware": hang_lane,
}


@pytest.mark.parametrize("stall", sorted(STALLS))
def test_a_stall_is_noticed_within_two_slots(tmp_path: Path, stall: str) -> None:
    """It is told and on record, with the place; the run goes on by itself after it."""
    rig = Rig(tmp_path, clock=LateClock(START_WALL_NS, "boot-1", 3600))
    watch = Watch(rig)
    STALLS[stall](rig, watch)
    for second in range(5, 400, 10):
        rig.at(second, lambda: watch.look(1))
    assert rig.run().end_reason is EndReason.COMPLETED
    assert watch.noticed_after_s is not None
    assert watch.noticed_after_s < 2 * INTERVAL_S
    assert [kind for kind, _ in watch.ears.heard] == ["stalled", "over"]
    (noticed,) = [event for event in rig.events() if event.kind == "stalled"]
    (over,) = [event for event in rig.events() if event.kind == "stall_over"]
    assert "test_watchdog.py" in noticed.details["where"]
    assert over.details["seconds"] > LOOKS * LOOK_S
    assert len(rig.outcomes()) == 8


def test_a_short_hang_is_no_stall(tmp_path: Path) -> None:
    """SQLite waits ten seconds for a lock, and a card may take as long to flush."""
    rig = Rig(tmp_path)
    watch = Watch(rig)
    inner = rig.disk.write

    def slow(path: str, data: bytes) -> None:
        watch.look(LOOKS - 1)
        inner(path, data)

    rig.disk.write = slow  # type: ignore[method-assign]
    rig.run()
    assert watch.ears.heard == []
    assert rig.outcomes() == "cccccccc"


# ------------------------------------------------------------------- no false alarm


def sleepless(rig: Rig, every_s: float, until_s: float) -> Watch:
    """Look many times in a row at very many moments of a run."""
    watch = Watch(rig)
    for moment in range(1, int(until_s / every_s)):
        rig.at(moment * every_s + 0.0137, lambda: watch.look(LOOKS + 2))
    return watch


NEVER_STUCK: Dict[str, Dict[str, Any]] = {
    "the shortest interval": {
        "plan": {"interval_s": 0.05, "frames": 60, "settle_s": 0},
        "every_s": 0.011,
        "until_s": 4,
    },
    "the longest interval": {
        "plan": {"interval_s": 31 * DAY_S, "frames": 3},
        "every_s": DAY_S / 5,
        "until_s": 70 * DAY_S,
    },
    "a visit much longer than the interval": {
        "plan": {
            "interval_s": 5,
            "frames": 40,
            "settle_s": 40,
            "positions": PLACES,
            "planes": {"count": 3, "step": 40},
        },
        "every_s": 3.1,
        "until_s": 300,
    },
    "weeks before the start": {
        "plan": {"start_in_s": 30 * DAY_S, "frames": 2},
        "every_s": DAY_S / 7,
        "until_s": 31 * DAY_S,
    },
    "a camera that hangs": {
        "plan": {},
        "every_s": 0.7,
        "until_s": 240,
        "faults": [Fault("camera_hung", 50, 130)],
    },
    "a focus at each slot": {
        "plan": {"autofocus": {"every": 1}, "interval_s": 10, "frames": 2},
        "every_s": 0.9,
        "until_s": 40,
    },
}


@pytest.mark.parametrize("case", sorted(NEVER_STUCK))
def test_a_run_that_waits_or_works_is_not_stuck(tmp_path: Path, case: str) -> None:
    """Whatever takes long on purpose has its own time, and looks change nothing."""
    told = NEVER_STUCK[case]
    rig = Rig(tmp_path, faults=told.get("faults", ()), **told["plan"])
    watch = sleepless(rig, told["every_s"], told["until_s"])
    rig.run()
    assert watch.ears.heard == []


def test_a_paused_run_is_not_stuck(tmp_path: Path) -> None:
    """Neither by a person for days, nor at its end on a full disk."""
    rig = Rig(tmp_path, interval_s=3600, frames=123)
    watch = sleepless(rig, 1777, 123 * 3600)
    rig.at(5000, rig.engine.pause).at(5 * DAY_S, rig.engine.resume)
    rig.run()
    assert watch.ears.heard == []


def test_a_run_that_waits_for_room_is_not_stuck(tmp_path: Path) -> None:
    """It pauses for the disk, and in ``finishing`` waits until its end is written."""
    rig = Rig(tmp_path, frames=4)
    watch = sleepless(rig, 3.3, 990)
    write: Callable[..., None] = rig.store.record

    def record(**rows: Any) -> None:
        if 65 <= (rig.clock.monotonic_ns() - rig.origin_ns) / NS_PER_S < 1000:
            raise DiskFullError("no space is left")
        write(**rows)

    rig.store.record = record  # type: ignore[method-assign]
    phases: List[str] = []
    rig.at(700, lambda: phases.append(rig.engine.status().phase.value))
    rig.run()
    assert phases == ["finishing"]
    assert watch.ears.heard == []
