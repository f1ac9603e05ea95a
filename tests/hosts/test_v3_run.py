"""Whole runs of the engine on the simulated server v3's Things."""

import threading
from pathlib import Path
from typing import Any, Iterator

import pytest
from engine_run import PLAN, EngineRun
from somebody import HANG_S, Somebody, are_free
from v3_sim import lock_of, over, running
from v3_things import comment_of

from hardware_sim import Fault
from hardware_sim.v3_server import SimulatedServer
from openflexure_timelapse import quality
from openflexure_timelapse.focus import decide_focus
from openflexure_timelapse.hosts.v3_microscope import HOST
from openflexure_timelapse.plan import Accept
from openflexure_timelapse.ports import StagePosition

DARK_GREY = 20


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[SimulatedServer]:
    """Start a server over beads."""
    yield from running(tmp_path / "server")


class Run(EngineRun):
    """A run on a server."""

    def __init__(self, folder: Path, server: SimulatedServer, **plan: Any) -> None:
        data = server.things["camera"]
        self.microscope = over(server, make_path=data.create_data_path)
        super().__init__(folder, self.microscope, server.clock, {**PLAN, **plan})


def is_free(server: SimulatedServer) -> bool:
    """Tell whether another thread can take the server's lock."""
    return are_free([lock_of(server)])


def test_three_slots_with_autofocus_and_light_are_captured(
    server: SimulatedServer, tmp_path: Path
) -> None:
    """Focused by the server's sweep, lit for each still, and everything put back."""
    run = Run(
        tmp_path,
        server,
        autofocus={"every": 2, "range": 1000},
        light="only_while_capturing",
        positions=[{"name": "a", "x": 10, "y": -20, "z": 100}],
        camera_mode="quick",
    )
    visits, frames = run.visits(), run.frames()
    ends = [visit.outcome.value for visit in visits]
    assert set(ends) <= {"captured", "late"}, [visit.detail for visit in visits]
    assert len(ends) == len(frames) == PLAN["frames"]
    decisions = [visit.focus for visit in visits]
    assert [decision is not None for decision in decisions] == [True, False, True]
    for frame in frames:
        assert quality.inspect(frame.read_bytes()).mean_grey > DARK_GREY
    told = comment_of(frames[0])
    state = told["instrument"]["state"]
    assert set(state) >= {"camera", "stage"}
    assert state["stage"]["position"]["z"] == decisions[0]["z"]
    assert run.microscope.describe()["host"] == HOST
    assert server.sim.light.level() > 0.0
    assert is_free(server)
    left = server.data_folder("camera").iterdir()
    assert [path.name for path in left if path.suffix == ".jpeg"] == []


def test_a_picture_without_light_is_black(server: SimulatedServer) -> None:
    """A light that is off is seen, and so is one that was switched on just now."""
    microscope = over(server)
    assert microscope.light is not None
    greys = []
    for level in (1.0, 0.0, 1.0):
        microscope.light.set_level(level)
        images = microscope.camera.capture("quick"), microscope.camera.preview()
        greys.append([quality.inspect(image.jpeg).mean_grey for image in images])
    assert max(greys[1]) < DARK_GREY < min(greys[0] + greys[2])


def test_our_rules_believe_the_servers_sweep(server: SimulatedServer) -> None:
    """The curve of the way up has one peak, to which the stage can go."""
    microscope = over(server)
    assert microscope.focuser is not None
    microscope.acquire(server.clock.monotonic_ns())
    microscope.stage.move_to(StagePosition(0, 0, 200))
    sweep = microscope.focuser.sweep(1201)
    decision = decide_focus(sweep, Accept(), 1201, None, 200)
    microscope.stage.move_to(StagePosition(0, 0, decision.z))
    microscope.release()
    assert decision.accepted, decision.reason


def test_another_user_is_a_skipped_visit(
    server: SimulatedServer, tmp_path: Path
) -> None:
    """Somebody who keeps the microscope is told as busy, and loses nothing."""
    somebody, taken, go = Somebody(), threading.Event(), threading.Event()

    def hold() -> None:
        assert lock_of(server).acquire(timeout=HANG_S)
        taken.set()
        assert go.wait(HANG_S)
        lock_of(server).release()

    outcome = somebody.starts(hold)
    assert taken.wait(HANG_S)
    run = Run(tmp_path, server, frames=1)
    go.set()
    outcome.result()
    somebody.ends()
    (visit,) = run.visits()
    assert (visit.outcome.value, visit.reason.value) == ("skipped", "busy")
    assert is_free(server)


def test_a_failed_move_costs_its_visit_and_no_more(tmp_path: Path) -> None:
    """The light is as it was, the lock is free, and so is the next slot."""
    fault = Fault("stage_busy", nth=(0,))
    for server in running(tmp_path / "server", faults=[fault]):
        places = [{"name": "a", "x": 10, "y": -20, "z": 100}]
        light = "only_while_capturing"
        run = Run(tmp_path, server, frames=2, positions=places, light=light)
        ends = [visit.outcome.value for visit in run.visits()]
        assert ends[0] == "failed"
        assert ends[1] in {"captured", "late"}
        assert server.sim.light.level() > 0.0
        assert is_free(server)


def test_a_failed_still_leaves_light_and_lock_in_order(
    server: SimulatedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The light was on for it, and is as before the run after all visits."""
    camera, lit = server.things["camera"], []

    def fail(path: Any, capture_mode: str) -> None:  # noqa: ARG001 (the server's)
        lit.append(server.sim.light.level() > 0.0)
        raise RuntimeError("no frame")

    monkeypatch.setattr(camera, "capture_and_save_to_path", fail)
    run = Run(tmp_path, server, frames=2, light="only_while_capturing")
    assert [visit.outcome.value for visit in run.visits()] == ["failed", "failed"]
    assert "no frame" in run.visits()[0].detail
    assert set(lit) == {True}
    assert server.sim.light.level() > 0.0
    assert is_free(server)
