"""The microscope without a server: what it says, and whose turn it is."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from simulated_parts import simulated
from somebody import Somebody, is_free

from hardware_sim import Fault, VirtualClock
from openflexure_timelapse.engine import Engine
from openflexure_timelapse.errors import HardwareBusyError, HardwareError
from openflexure_timelapse.hosts.admission import admit, header_of
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


def test_it_says_what_it_is() -> None:
    """Host, parts and versions are JSON, and whoever opened the board adds to them."""
    microscope, _, _ = simulated(facts={"board": {"firmware": "v1.0.4"}})
    told = json.loads(json.dumps(microscope.describe()))
    assert told["host"] == "direct"
    assert told["simulated"] is True
    assert told["board"] == {"firmware": "v1.0.4"}
    assert {"openflexure_timelapse", "picamera2", "sangaboard", "python"} <= set(
        told["versions"]
    )


def test_its_state_is_that_of_camera_and_stage() -> None:
    """In the shape of OpenFlexure's servers, as it stands in every frame's EXIF."""
    microscope, sim, _ = simulated()
    sim.stage.move_by((5, 6, 7))
    told = json.loads(json.dumps(microscope.state()))
    assert told["stage"]["position"] == {"x": 5, "y": 6, "z": 7}
    assert told["camera"]["model"]


def test_without_a_server_there_is_no_lock() -> None:
    """A program that is alone with the hardware need not wait for anybody."""
    microscope, _, _ = simulated(clock=VirtualClock(START_NS))
    for _ in range(2):
        microscope.acquire(0)
        microscope.release()


def test_a_shared_one_waits_for_its_turn(somebody: Somebody) -> None:
    """The lock of who else uses the hardware is taken for a visit, and given back."""
    microscope, _, _ = simulated(clock=VirtualClock(START_NS))
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


def test_the_end_of_a_visit_is_told_to_the_stage(somebody: Somebody) -> None:
    """What fails there is an incident; the lock is given back and no frame lost."""
    microscope, _, _ = simulated(clock=VirtualClock(START_NS))
    lock = threading.RLock()
    microscope.share(lambda: [("microscope", lock)])
    microscope.acquire(0)
    microscope.stage.fails = HardwareError("The coils stay on.")  # type: ignore[attr-defined]
    microscope.release()
    assert is_free(lock, somebody)
    assert microscope.stage.ended_visits == 1  # type: ignore[attr-defined]
    (told,) = microscope.incidents()
    assert "coils" in told["detail"]
    assert microscope.incidents() == []


def test_incidents_of_all_parts_are_events_of_the_run(tmp_path: Path) -> None:
    """A camera that was restarted and a board that was reset are both on record."""
    clock = VirtualClock(START_NS)
    faults = [Fault("camera_hung", from_s=45)]
    microscope, sim, _ = simulated(clock=clock, faults=faults)
    plan = admit(PLAN, microscope, clock)
    header = header_of(plan, microscope, clock)
    with RunStore.create(tmp_path, "run", header, RealDisk()) as store:
        reset = {"kind": "board_reset", "detail": "The board was reset."}
        stage: Any = microscope.stage
        at_ns = clock.monotonic_ns() + 70 * 10**9
        clock.call_at(at_ns, lambda: stage.told.append(reset))
        Engine(plan, store, microscope, clock, RealDisk()).run()
        events = [event for event in store.events(0, 100) if event.kind == "hardware"]
        kinds = [event.details["kind"] for event in events]
        slots = [slot.outcome.value for slot in store.slots(0, 100)]
    assert sorted(kinds) == ["board_reset", "camera_restarted"]
    assert slots == ["captured", "captured", "failed", "captured", "captured"]
    assert sim.camera.incidents() == []


def test_closing_ends_the_camera() -> None:
    """What was opened is closed."""
    microscope, _, _ = simulated()
    microscope.close()
    assert microscope.camera.is_closed  # type: ignore[attr-defined]
