"""The microscope without a server: what it says, and whose turn it is."""

import json
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest
from simulated_parts import World, simulated
from somebody import Somebody, is_free

from hardware_sim import Fault, VirtualClock
from openflexure_timelapse.engine import Engine
from openflexure_timelapse.errors import HardwareBusyError
from openflexure_timelapse.hosts.admission import admit, header_of
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.run_store import RunStore

START_NS = 1_800_000_000_000_000_000
PLAN = {
    "name": "direct",
    "interval_s": 30,
    "frames": 5,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    """Return a microscope on a clock that jumps."""
    world = simulated(tmp_path, clock=VirtualClock(START_NS))
    yield world
    world.microscope.close()


def test_it_says_what_it_is(world: World) -> None:
    """Host, parts and versions are JSON, for ``run.json``."""
    told = json.loads(json.dumps(world.microscope.describe()))
    assert told["host"] == "direct"
    assert told["simulated"] is True
    assert "Sangaboard" in told["stage"]
    assert told["versions"]["sangaboard"]
    assert {"openflexure_timelapse", "picamera2", "sangaboard", "python"} <= set(
        told["versions"]
    )


def test_its_state_is_that_of_camera_and_stage(world: World) -> None:
    """In the shape of OpenFlexure's servers, as it stands in every frame's EXIF."""
    world.microscope.stage.move_to(StagePosition(5, 6, 7))
    told = json.loads(json.dumps(world.microscope.state()))
    assert told["stage"]["position"] == {"x": 5, "y": 6, "z": 7}
    assert told["camera"]["model"]


def test_without_a_server_there_is_no_lock(world: World) -> None:
    """A program that is alone with the hardware need not wait for anybody."""
    microscope = world.microscope
    for _ in range(2):
        microscope.acquire(0)
        microscope.release()


def test_a_shared_one_waits_for_its_turn(world: World, somebody: Somebody) -> None:
    """The lock of who else uses the hardware is taken for a visit, and given back."""
    microscope = world.microscope
    lock = threading.RLock()
    microscope.share(lambda: [("microscope", lock)])
    microscope.acquire(0)
    assert not is_free(lock, somebody)
    microscope.release()
    assert is_free(lock, somebody)
    somebody.does(lock.acquire)
    with pytest.raises(HardwareBusyError):
        microscope.acquire(0)
    somebody.does(lock.release)


def test_the_end_of_a_visit_is_told_to_the_stage(
    tmp_path: Path, somebody: Somebody
) -> None:
    """What fails there is an incident; the lock is given back and no frame lost."""
    clock = VirtualClock(START_NS)
    world = simulated(tmp_path, clock=clock, release_after_visit=True)
    microscope, lock = world.microscope, threading.RLock()
    microscope.share(lambda: [("microscope", lock)])
    microscope.acquire(0)
    microscope.release()
    assert world.board.heard[-1] == "release"
    microscope.acquire(0)
    world.board.unplug()
    microscope.release()
    assert is_free(lock, somebody)
    told = [
        each for each in microscope.incidents() if each["kind"] == "visit_not_ended"
    ]
    assert len(told) == 1
    assert microscope.incidents() == []
    microscope.close()


def test_incidents_of_all_parts_are_events_of_the_run(tmp_path: Path) -> None:
    """A camera that was restarted and a board that started anew are both on record."""
    clock = VirtualClock(START_NS)
    faults = [Fault("camera_hung", from_s=45)]
    world = simulated(tmp_path, clock=clock, faults=faults)
    microscope = world.microscope
    plan = admit(PLAN, microscope, clock)
    header = header_of(plan, microscope, clock)
    with RunStore.create(tmp_path, "run", header, RealDisk()) as store:
        at_ns = clock.monotonic_ns() + 70 * 10**9
        clock.call_at(at_ns, world.board.restart)
        Engine(plan, store, microscope, clock, RealDisk()).run()
        events = [event for event in store.events(0, 100) if event.kind == "hardware"]
        kinds = {str(event.details["kind"]) for event in events}
        slots = [slot.outcome.value for slot in store.slots(0, 100)]
    assert {"camera_restarted", "board_reset"} <= kinds
    assert slots == ["captured", "captured", "failed", "captured", "captured"]
    microscope.close()


def test_what_comes_with_every_frame_is_told_once(world: World) -> None:
    """With how often, so that it does not fill the record of a run."""
    camera: Any = world.microscope.camera_part
    lost = {"kind": "camera_frame_lost", "detail": "No memory."}
    camera.told = [lost] * 50 + [{"kind": "camera_restarted", "detail": "It hung."}]
    assert world.microscope.incidents() == [
        {**lost, "times": 50},
        {"kind": "camera_restarted", "detail": "It hung.", "times": 1},
    ]


def test_closing_ends_camera_and_board(tmp_path: Path) -> None:
    """What was opened is closed, and another program can have it."""
    world = simulated(tmp_path)
    world.microscope.close()
    camera: Any = world.microscope.camera_part
    assert camera.is_closed
    again = simulated(tmp_path)
    again.microscope.close()
