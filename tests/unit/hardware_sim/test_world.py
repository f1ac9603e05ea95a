"""The world is a pure function of its seed and the time."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest

from hardware_sim import SCENES, Drift, SimWorld, VirtualClock, build
from hardware_sim.truth import TruthLog
from openflexure_timelapse.ports import StagePosition

HOUR_S = 3600.0
TIMES_S = (0.0, 7.5, 300.0, 9000.0, 50_000.0)
EVERYTHING = "algae_growth+pond+diatoms+beads"

PROGRAM = """
import hashlib, sys
from hardware_sim import VirtualClock, build
for scene in sys.argv[1:]:
    microscope = build(11, scene, VirtualClock(0), age_s=5000.0)
    microscope.camera.preview()
    print(hashlib.sha256(microscope.camera.capture("preview").jpeg).hexdigest())
"""


def hash_of(scene: str) -> str:
    """Return the hash of the second picture of a microscope."""
    microscope = build(11, scene, VirtualClock(0), age_s=5000.0)
    microscope.camera.preview()
    return hashlib.sha256(microscope.camera.capture("preview").jpeg).hexdigest()


def test_two_processes_see_the_same_bytes() -> None:
    """A picture of the same seed, time, place and exposure is the same everywhere."""
    scenes = [EVERYTHING, "calibration_grid"]
    other = subprocess.run(
        [sys.executable, "-c", PROGRAM, *scenes],
        stdout=subprocess.PIPE,
        check=True,
        cwd=str(Path(__file__).resolve().parents[3]),
    )
    assert other.stdout.decode().split() == [hash_of(scene) for scene in scenes]


def test_what_was_looked_at_before_changes_nothing() -> None:
    """A moment's picture does not depend on other moments, places and heights seen."""
    jpegs: List[bytes] = []
    for distraction in (False, True):
        clock = VirtualClock(0)
        microscope = build(4, EVERYTHING, clock)
        microscope.stage.move_to(StagePosition(40, 40, 40))
        saved = microscope.camera.lock_exposure()
        if distraction:
            for z in (-900, -300, 500):
                microscope.stage.move_to(StagePosition(40, 40, z))
                microscope.camera.preview()
            microscope.stage.move_to(StagePosition(40, 40, 40))
        microscope.camera.lock_exposure({**saved, "exposure_us": 9000.0})
        clock.wait_until(600 * 10**9, clock.signal())
        jpegs.append(microscope.camera.preview().jpeg)
    assert jpegs[0] == jpegs[1]


@pytest.mark.parametrize("scene", [*sorted(SCENES), EVERYTHING])
def test_any_moment_may_be_asked_for_in_any_order(scene: str) -> None:
    """Truth and places are the same forwards and backwards."""
    forwards, backwards = (SimWorld(2, scene, VirtualClock(0)) for _ in range(2))
    told: Dict[float, str] = {}
    for t_s in TIMES_S:
        places = forwards.bodies(t_s, (10.0, 20.0)).x_um.tolist()
        told[t_s] = json.dumps([forwards.truth(t_s), places])
    for t_s in reversed(TIMES_S):
        places = backwards.bodies(t_s, (10.0, 20.0)).x_um.tolist()
        assert json.dumps([backwards.truth(t_s), places]) == told[t_s]


def test_another_seed_is_another_world() -> None:
    """Focus, tilt and places depend on the seed."""
    one, two = (SimWorld(seed, "pond", VirtualClock(0)) for seed in (1, 2))
    assert one.focus_um(0.0, 0.0, 0.0) != two.focus_um(0.0, 0.0, 0.0)
    assert one.tilt != two.tilt
    first, second = one.bodies(0.0, (0.0, 0.0)), two.bodies(0.0, (0.0, 0.0))
    assert first.x_um.tolist() != second.x_um.tolist()


@pytest.mark.parametrize("seed", range(12))
def test_focus_is_near_where_a_stage_starts(seed: int) -> None:
    """The slide is in focus 100 to 500 steps of z from the start, never at it."""
    world = SimWorld(seed, "empty", VirtualClock(0))
    steps = abs(world.focus_um(0.0, 0.0, 0.0)) / 0.05
    assert 100 < steps < 500


@pytest.mark.parametrize("place", [(0, 0), (2000, 0), (-2000, 2000), (1600, -1100)])
def test_every_place_shows_cells(place: "tuple[int, int]") -> None:
    """Within 2000 steps of the middle there are ten algae and more in the picture."""
    microscope = build(1, "algae_growth", VirtualClock(0))
    microscope.stage.move_to(StagePosition(place[0], place[1], 0))
    microscope.camera.capture(None)
    told = microscope.truth.last
    assert told is not None
    assert sum(item["kind"] == "alga" for item in told["objects"]) >= 10


def test_drift_needs_refocusing_but_not_at_once() -> None:
    """Within ten minutes focus creeps less than 0.5 µm, within a day more than 2 µm."""
    for seed in range(5):
        world = SimWorld(seed, "empty", VirtualClock(0))
        creep = [world.drift_um(600.0 * step)[2] for step in range(145)]
        steps = [abs(after - before) for before, after in zip(creep, creep[1:])]
        assert max(steps) < 0.5
        assert max(creep) - min(creep) > 2.0


def test_a_microscope_that_was_just_switched_on_warms_up() -> None:
    """Switched on at the time 0 it settles by 5 µm more than a warm one."""
    cold, warm = (
        SimWorld(1, "empty", VirtualClock(0), Drift(on_for_s=on_for_s))
        for on_for_s in (0.0, 7200.0)
    )
    for world, expected_um in ((cold, 0.0), (warm, 0.0)):
        assert world.drift_um(0.0)[2] == pytest.approx(expected_um)
    late_s = 3 * HOUR_S
    way_um = cold.drift_um(late_s)[2] - warm.drift_um(late_s)[2]
    assert way_um == pytest.approx(5.0, abs=0.2)


def test_an_unknown_scene_names_those_that_exist() -> None:
    """A misspelt scene is refused with the list of scenes."""
    with pytest.raises(ValueError, match="algae_growth"):
        build(1, "algae+aquarium", VirtualClock(0))


def test_the_truth_is_written_for_each_picture(tmp_path: Path) -> None:
    """Each picture has one line, found by its time, with place, focus and cells."""
    path = tmp_path / "truth.jsonl"
    clock = VirtualClock(10**18)
    microscope = build(1, "algae_growth", clock, truth_path=path)
    microscope.stage.move_to(StagePosition(100, 0, 0))
    images = [microscope.camera.preview(), microscope.camera.capture(None)]
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [line["monotonic_ns"] for line in lines] == [
        image.exposed_ns for image in images
    ]
    assert lines[1]["wall_ns"] == 10**18 + lines[1]["monotonic_ns"]
    assert lines[1]["commanded_steps"] == [100, 0, 0]
    assert lines[1]["population"]["alga"] >= 100
    names = [item["id"] for item in lines[1]["objects"]]
    assert len(names) == len(set(names)) > 10
    assert {(line["seed"], line["scene"]) for line in lines} == {(1, "algae_growth")}
    assert {line["boot_id"] for line in lines} == {clock.boot_id()}


def test_a_line_that_was_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    """The process that goes on after a kill begins a line of its own."""
    path = tmp_path / "truth.jsonl"
    TruthLog(path).add({"frame": 1})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"frame": 2, "mode"')
    TruthLog(path).add({"frame": 3})
    lines = path.read_text("utf-8").splitlines()
    assert [json.loads(lines[0]), json.loads(lines[2])] == [{"frame": 1}, {"frame": 3}]


def test_a_full_disk_costs_the_truth_and_no_picture(tmp_path: Path) -> None:
    """What could not be written down is counted in the next line that could."""
    path = tmp_path / "truth.jsonl"
    log = TruthLog(path)
    path.symlink_to("/dev/full")
    log.add({"frame": 1})
    log.add({"frame": 2})
    path.unlink()
    log.add({"frame": 3})
    log.add({"frame": 4})
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines == [{"frame": 3, "lines_lost": 2}, {"frame": 4}]


def test_nothing_true_is_visible_through_the_ports() -> None:
    """Neither description, state nor metadata tell focus, drift or numbers of cells."""
    microscope = build(1, "algae_growth", VirtualClock(0))
    image = microscope.camera.capture(None)
    told = json.dumps([microscope.describe(), microscope.state(), dict(image.metadata)])
    for word in ("focus", "drift", "population", "objects", "defocus"):
        assert word not in told


def test_the_state_has_the_shape_of_openflexure() -> None:
    """The state is what server v2 writes into EXIF."""
    microscope = build(1, "empty", VirtualClock(0))
    microscope.stage.move_to(StagePosition(1, 2, 3))
    position = {"x": 1, "y": 2, "z": 3}
    assert microscope.state() == {"camera": {}, "stage": {"position": position}}
