"""The sweep on the simulated microscope: where it ends and what it bears."""

from typing import Dict, List, Sequence, Tuple

import pytest

from hardware_sim.clock import VirtualClock
from hardware_sim.faults import Fault, FaultKind
from hardware_sim.microscope import SimMicroscope, build
from hardware_sim.stage import Mechanics
from openflexure_timelapse.autofocus import sweep
from openflexure_timelapse.errors import HardwareBusyError
from openflexure_timelapse.focus import FocusDecision, decide_focus
from openflexure_timelapse.plan import Accept
from openflexure_timelapse.ports import FocusSweep, StagePosition

NS_PER_S = 1_000_000_000
START_WALL_NS = 1_700_000_000 * NS_PER_S
STEP_UM = 0.05
RANGE = 2000
DEPTH_OF_FIELD_UM = 1.5
HOUR_S = 3600.0


class Bench:
    """A simulated microscope that was left out of focus by a known distance."""

    def __init__(
        self,
        scene: str,
        seed: int,
        off_um: float,
        faults: Sequence[Fault] = (),
        mechanics: Mechanics = Mechanics(),  # noqa: B008 (frozen)
    ) -> None:
        self.clock = VirtualClock(START_WALL_NS)
        self.microscope: SimMicroscope = build(
            seed, scene, self.clock, faults, mechanics=mechanics, age_s=2 * HOUR_S
        )
        world = self.microscope.world
        focus_um = world.focus_um(world.now_s(), 0.0, 0.0)
        self.start_z = int((focus_um + off_um) / STEP_UM)
        self.microscope.stage.move_to(StagePosition(0, 0, self.start_z))
        self.microscope.camera.lock_exposure()

    def sweep(self, range_steps: int = RANGE) -> FocusSweep:
        """Sweep around where the stage is."""
        return sweep(self.microscope.camera, self.microscope.stage, range_steps)

    def focus(self) -> FocusDecision:
        """Sweep, decide, and go there."""
        decision = decide_focus(self.sweep(), Accept(), RANGE, None, self.start_z)
        self.microscope.stage.move_to(StagePosition(0, 0, decision.z))
        return decision

    def defocus_um(self) -> float:
        """Return the truth: how far the slide is from the focus now."""
        world, now_ns = self.microscope.world, self.clock.monotonic_ns() + NS_PER_S
        x_um, y_um, z_um = self.microscope.stage.physical_um(now_ns)
        return z_um - world.focus_um(world.world_s(now_ns), x_um, y_um)


# -------------------------------------------------------------------------- accuracy

IN_FOCUS: List[Tuple[str, int, float, float]] = [
    ("algae_growth", 1, -38.0, DEPTH_OF_FIELD_UM),
    ("algae_growth", 2, 12.0, DEPTH_OF_FIELD_UM),
    ("diatoms", 3, 38.0, DEPTH_OF_FIELD_UM),
    ("diatoms", 4, -6.0, DEPTH_OF_FIELD_UM),
    ("beads", 5, 25.0, DEPTH_OF_FIELD_UM),
    ("calibration_grid", 7, 17.0, DEPTH_OF_FIELD_UM),
    ("algae_growth+pond", 8, -22.0, DEPTH_OF_FIELD_UM),
    # The few crumbs and threads on the pond's floor lie 2 um (one standard deviation)
    # above or below the slide: their own middle is only so near to it.
    ("pond", 6, -20.0, 2 * DEPTH_OF_FIELD_UM),
    ("pond", 22, 4.0, 2 * DEPTH_OF_FIELD_UM),
]


@pytest.mark.parametrize(("scene", "seed", "off_um", "limit_um"), IN_FOCUS)
def test_the_focus_is_found(
    scene: str, seed: int, off_um: float, limit_um: float
) -> None:
    """From up to 40 um away the slide comes within the depth of field."""
    bench = Bench(scene, seed, off_um)
    decision = bench.focus()
    assert decision.accepted, decision.reason
    assert abs(bench.defocus_um()) <= limit_um


@pytest.mark.parametrize("seed", range(2))
def test_an_empty_field_is_refused(seed: int) -> None:
    """Where there is nothing to see, the stage goes back to where it was."""
    bench = Bench("empty", seed, 10.0)
    decision = bench.focus()
    assert not decision.accepted
    assert bench.microscope.stage.position().z == bench.start_z


@pytest.mark.parametrize("off_um", [-60.0, 60.0])
def test_a_focus_outside_the_range_is_refused(off_um: float) -> None:
    """A peak that the sweep does not reach is no peak."""
    assert not Bench("algae_growth", 1, off_um).focus().accepted


def test_the_light_being_off_is_refused() -> None:
    """In the dark there is no focus."""
    bench = Bench("algae_growth", 1, 5.0, [Fault("light_off", from_s=1.0)])
    assert not bench.focus().accepted


# --------------------------------------------------------------------- what it bears

# Seconds of the bench's time at which this sweep passes the focus, in either pass.
MOMENTS: Dict[str, Tuple[float, float]] = {
    "the coarse pass": (3.4, 3.8),
    "the fine pass": (8.9, 9.15),
}


@pytest.mark.parametrize(
    "kind", ["camera_truncated", "camera_repeated", "camera_black", "camera_late"]
)
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_bad_moment_of_the_camera_is_borne(
    kind: FaultKind, moment: Tuple[float, float]
) -> None:
    """A few bad previews, even at the focus, cost their heights but not the focus."""
    bench = Bench("algae_growth", 2, 12.0, [Fault(kind, *moment, previews=True)])
    decision = bench.focus()
    assert decision.accepted, decision.reason
    assert abs(bench.defocus_um()) <= DEPTH_OF_FIELD_UM


@pytest.mark.parametrize("kind", ["camera_truncated", "camera_repeated"])
def test_a_camera_without_good_pictures_gives_an_empty_sweep(kind: FaultKind) -> None:
    """Not one whole and new picture: no heights, and a refused focus."""
    fault = Fault(kind, from_s=0.5, previews=True)
    bench = Bench("algae_growth", 2, 12.0, [fault])
    decision = bench.focus()
    assert decision.samples == ()
    assert decision.z == bench.start_z


def test_an_error_of_the_stage_ends_the_sweep() -> None:
    """What the hardware raises reaches the visit."""
    bench = Bench("algae_growth", 2, 12.0, [Fault("stage_busy", nth=(9,))])
    with pytest.raises(HardwareBusyError):
        bench.sweep()


def test_a_check_that_raises_ends_the_sweep_before_it_moves_on() -> None:
    """A stop or a deadline takes hold between two movements or pictures."""
    bench = Bench("algae_growth", 2, 12.0)
    calls = []

    class EnoughError(Exception):
        """The user stopped the run."""

    def check() -> None:
        calls.append(bench.microscope.stage.position().z)
        if len(calls) == 10:
            raise EnoughError

    with pytest.raises(EnoughError):
        sweep(bench.microscope.camera, bench.microscope.stage, RANGE, check)
    assert bench.microscope.stage.position().z == calls[-1]


# ---------------------------------------------------------------------- where it goes


@pytest.mark.parametrize("range_steps", [20, 137, 400, 2000, 5000])
def test_the_range_is_covered_and_kept(range_steps: int) -> None:
    """The heights reach from end to end of the range, and not beyond it."""
    bench = Bench("beads", 5, 0.0)
    heights = sorted(bench.sweep(range_steps).z_steps)
    assert len(set(heights)) == len(heights)
    assert heights[0] >= bench.start_z - range_steps // 2
    assert heights[-1] <= bench.start_z + range_steps - range_steps // 2
    assert heights[-1] - heights[0] >= 0.95 * range_steps


@pytest.mark.parametrize("end", [-1, 1])
def test_the_sweep_stays_inside_the_travel(end: int) -> None:
    """Near an end of the travel the part beyond it is left out."""
    mechanics = Mechanics(travel_um=(12_000.0, 12_000.0, 100.0))
    bench = Bench("beads", 5, 0.0, mechanics=mechanics)
    bench.microscope.stage.move_to(StagePosition(0, 0, end * 900))
    heights = bench.sweep().z_steps
    assert 980 <= max(end * z for z in heights) <= 1000
    assert min(end * z for z in heights) >= -100


def test_each_pass_goes_upwards() -> None:
    """Only the beginning of a pass goes down, so that backlash is the same."""
    heights = Bench("diatoms", 3, 38.0).sweep().z_steps
    turns = sum(later < before for before, later in zip(heights, heights[1:]))
    assert turns <= 3


def test_the_sweep_is_quick() -> None:
    """The default range takes at most 30 heights and 10 seconds of the microscope."""
    bench = Bench("algae_growth", 1, 20.0)
    before_ns = bench.clock.monotonic_ns()
    found = bench.sweep()
    assert len(found.z_steps) <= 30
    assert bench.clock.monotonic_ns() - before_ns < 10 * NS_PER_S
