"""A person moves the stage: between runs and in their pauses, never under them."""

import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from hardware_sim import VirtualClock, build
from openflexure_timelapse.errors import (
    HardwareBusyError,
    HardwareError,
    InvalidRequestError,
    OutOfReachError,
    WrongPhaseError,
)
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.turns import Turns
from openflexure_timelapse.store.disk import RealDisk

START_WALL_NS = 1_795_420_800_000_000_000
NS_PER_S = 1_000_000_000
PATIENCE_S = 120
PLAN: Dict[str, Any] = {
    "name": "moved",
    "interval_s": 30,
    "frames": 4,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}


@pytest.fixture(name="service")
def _service(tmp_path: Path) -> Iterator[Service]:
    clock = VirtualClock(START_WALL_NS)
    service = Service(tmp_path, build(3, "algae_growth", clock), clock, RealDisk())
    yield service
    service.close()


def at(service: Service, seconds: int, function: Any) -> None:
    """Do something when so many seconds have passed."""
    clock = service._clock
    assert isinstance(clock, VirtualClock)
    clock.call_at(clock.monotonic_ns() + seconds * NS_PER_S, function)


def test_an_axis_that_is_not_named_stays(service: Service) -> None:
    """And the answer is where the stage is then."""
    assert service.go_to({"x": 100, "z": -50})["position"] == {
        "x": 100,
        "y": 0,
        "z": -50,
    }
    assert service.go_to({"y": 7, "x": None})["position"] == {
        "x": 100,
        "y": 7,
        "z": -50,
    }
    assert service.go_to({})["position"] == service.microscope()["stage"]["position"]


@pytest.mark.parametrize(
    ("target", "error", "field"),
    [
        ({"a": 1}, InvalidRequestError, "a"),
        ({"x": 1.5}, InvalidRequestError, "x"),
        ({"x": "far"}, InvalidRequestError, "x"),
        ({"y": 10**12}, InvalidRequestError, "y"),
        ({"x": 5, "z": 10**6}, OutOfReachError, "z"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_moves(
    service: Service, target: Dict[str, Any], error: type, field: str
) -> None:
    """With the field that is wrong."""
    with pytest.raises(error) as caught:
        service.go_to(target)
    assert isinstance(caught.value, InvalidRequestError)
    assert [item["field"] for item in caught.value.fields] == [field]
    assert service.microscope()["stage"]["position"] == {"x": 0, "y": 0, "z": 0}


def test_a_run_is_moved_in_its_pause_only(service: Service) -> None:
    """While it runs the move is refused and names the run; the grid goes on."""
    refused: List[str] = []
    moved: List[Any] = []

    def refuse() -> None:
        with pytest.raises(WrongPhaseError) as caught:
            service.go_to({"x": 1})
        refused.append(str(caught.value))

    at(service, 40, refuse)
    at(service, 45, service.pause)
    at(service, 50, lambda: moved.append(service.go_to({"x": 300})))
    at(service, 75, service.resume)
    run_id = str(service.start(PLAN)["run"])
    assert service.wait(PATIENCE_S)
    assert len(refused) == 1
    assert run_id in refused[0]
    assert moved[0]["position"]["x"] == 300
    frames = service.frames(run_id)["frames"]
    assert [(frame["slot"], frame["x"]) for frame in frames] == [
        (0, 0),
        (1, 0),
        (3, 300),
    ]
    assert service.go_to({"x": 0})["position"]["x"] == 0


def test_a_move_waits_for_the_hardware_and_not_for_ever(tmp_path: Path) -> None:
    """Somebody else's use ends it with a sentence; the next one goes through."""
    clock = VirtualClock(START_WALL_NS)
    microscope = build(3, "algae_growth", clock)
    service = Service(tmp_path, microscope, clock, RealDisk())
    microscope.acquire(clock.monotonic_ns())
    with pytest.raises(HardwareBusyError):
        service.go_to({"x": 1})
    microscope.release()
    assert service.go_to({"x": 1})["position"]["x"] == 1
    service.close()


def test_a_stage_that_fails_gives_the_hardware_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the driver raises is told as a failure of the hardware."""
    stage = service._microscope.stage

    def fail(_target: Any) -> None:
        raise ZeroDivisionError("motor")

    with monkeypatch.context() as patch:
        patch.setattr(stage, "move_to", fail)
        with pytest.raises(HardwareError, match="motor"):
            service.go_to({"x": 1})
    assert service.go_to({"x": 2})["position"]["x"] == 2


# ------------------------------------------------------------------------------ turns


def test_two_users_take_turns() -> None:
    """The second one waits until its deadline, or until the first has finished."""
    clock = VirtualClock(START_WALL_NS)
    turns = Turns(build(3, "algae_growth", clock), clock)
    first, second = turns.user(), turns.user()
    first.acquire(clock.monotonic_ns())
    with pytest.raises(HardwareBusyError, match="try again"):
        second.acquire(clock.monotonic_ns() + NS_PER_S)
    clock.call_at(clock.monotonic_ns() + NS_PER_S, first.release)
    second.acquire(clock.monotonic_ns() + 2 * NS_PER_S)
    turns.give(first)  # it is not the first one's any more
    with pytest.raises(HardwareBusyError, match="try again"):
        first.acquire(clock.monotonic_ns())
    second.release()
    first.acquire(clock.monotonic_ns())
    first.release()


def test_a_turn_without_the_hardware_is_given_back() -> None:
    """Another program holds the microscope: nobody of us has it then."""
    clock = VirtualClock(START_WALL_NS)
    microscope = build(3, "algae_growth", clock)
    turns = Turns(microscope, clock)
    microscope.acquire(clock.monotonic_ns())
    with pytest.raises(HardwareBusyError, match="Another user"):
        turns.user().acquire(clock.monotonic_ns())
    microscope.release()
    turns.user().acquire(clock.monotonic_ns())


def test_a_turn_may_be_given_back_by_another_thread() -> None:
    """The thread that took it may hang in a call of the hardware."""
    clock = VirtualClock(START_WALL_NS)
    turns = Turns(build(3, "algae_growth", clock), clock)
    user = turns.user()
    taking = threading.Thread(target=user.acquire, args=(clock.monotonic_ns(),))
    taking.start()
    taking.join()
    user.release()
    turns.user().acquire(clock.monotonic_ns())
