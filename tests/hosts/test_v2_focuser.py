"""Server v2's fast autofocus as a sweep of ours."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import pytest

from hardware_sim.v2_autofocus import AutofocusExtension
from hardware_sim.v2_server import SimulatedServer, create
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.focus import decide_focus
from openflexure_timelapse.hosts.upward_sweep import upward_sweep
from openflexure_timelapse.hosts.v2_microscope import V2Microscope
from openflexure_timelapse.plan import Accept
from openflexure_timelapse.ports import StagePosition

FAST = 2_000.0
BEGIN_S = 1_700_000_000.0


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[SimulatedServer]:
    """Start a server whose live view is quick, over beads."""
    server = create(tmp_path, "beads", 1, FAST, frames_per_s=30.0)
    yield server
    server.close()


def ours(server: SimulatedServer, extension: Any) -> V2Microscope:
    """Return our microscope over a server's that has this autofocus extension."""
    theirs = server.microscope
    return V2Microscope(theirs, theirs.clock, find_autofocus=lambda: extension)


def told(frames: Optional[List[float]] = None) -> Dict[str, Any]:
    """Return what fast autofocus tells of 1000 steps at 100 steps a second.

    Parameters
    ----------
    frames : list of float
        Seconds after the beginning; None for one each half second of all moves.
    """
    times = list(np.arange(0.0, 30.0, 0.5)) if frames is None else frames
    moves = [
        (0, 5, 0, -500),
        (5, 15, -500, 500),
        (15, 25, 500, -500),
        (25, 30, -500, 0),
    ]
    return {
        "jpeg_times": [BEGIN_S + time for time in times],
        "jpeg_sizes": [10_000 + int(10 * time) for time in times],
        "stage_times": [BEGIN_S + time for move in moves for time in move[:2]],
        "stage_positions": [np.array([7, 8, z]) for move in moves for z in move[2:]],
    }


def test_only_frames_of_the_way_up_count() -> None:
    """A frame of the way down shows another height for the same count of steps."""
    sweep = upward_sweep(told())
    assert sweep.metric == "jpeg_bytes"
    assert sweep.z_steps == tuple(range(-450, 501, 50))
    assert sweep.sharpness[0] == 10_055
    assert len(sweep.sharpness) == len(sweep.z_steps)


def test_a_frame_between_two_steps_is_rounded() -> None:
    """Heights are interpolated by the frame's time."""
    sweep = upward_sweep(told([5.001, 6.0, 7.004, 8.006, 9.0, 30.0]))
    assert sweep.z_steps == (-500, -400, -300, -199, -100)


def test_a_last_move_that_is_as_long_is_not_taken_for_the_sweep() -> None:
    """With its peak at the top, the way to it is as long as the sweep."""
    data = told()
    data["stage_positions"][-1] = np.array([7, 8, 500])
    assert upward_sweep(data) == upward_sweep(told())


@pytest.mark.parametrize("frames", [[], [1.0, 6.0, 7.0, 8.0, 9.0, 20.0]])
def test_too_few_frames_are_an_error(frames: List[float]) -> None:
    """Four frames show no peak, however many were seen on other ways."""
    with pytest.raises(HardwareError, match="5 are needed"):
        upward_sweep(told(frames))


@pytest.mark.parametrize("moves", [0, 2])
def test_a_sweep_that_never_went_up_is_an_error(moves: int) -> None:
    """A stage that stood still, or a server that tells nothing."""
    data = told()
    data["stage_times"] = data["stage_times"][:moves]
    data["stage_positions"] = data["stage_positions"][:moves]
    with pytest.raises(HardwareError, match="no move up"):
        upward_sweep(data)


def test_the_focus_is_found(server: SimulatedServer) -> None:
    """Our rules believe the sweep, and the approach of z is unknown after it."""
    theirs = server.microscope
    microscope = ours(server, AutofocusExtension())
    microscope.acquire(theirs.clock.monotonic_ns())
    microscope.stage.move_to(StagePosition(0, 0, 200))
    assert microscope.focuser is not None
    sweep = microscope.focuser.sweep(1201)
    decision = decide_focus(sweep, Accept(), 1201, None, 200)
    assert decision.accepted, decision.reason
    microscope.stage.move_to(StagePosition(0, 0, decision.z))
    assert theirs.sim.stage._engaged == [True, True, True]
    microscope.release()


def test_after_a_sweep_the_approach_of_z_is_unknown(server: SimulatedServer) -> None:
    """Also where the sweep happens to end at the very place it began at."""
    theirs = server.microscope
    extension = SimpleNamespace(fast_autofocus=lambda microscope, dz: told())  # noqa: ARG005
    microscope = ours(server, extension)
    microscope.stage.move_to(StagePosition(0, 0, 200))
    made = theirs.sim.stage._moved_ns
    assert microscope.focuser is not None
    microscope.focuser.sweep(1000)
    microscope.stage.move_to(StagePosition(0, 0, 200))
    assert theirs.sim.stage._moved_ns > made


def test_an_odd_range_is_made_even(server: SimulatedServer) -> None:
    """The extension moves by half of it, and a half step is dropped by the board."""
    asked: List[Any] = []

    def fast_autofocus(microscope: Any, dz: int) -> Dict[str, Any]:
        asked.append((microscope, dz))
        return told()

    microscope = ours(server, SimpleNamespace(fast_autofocus=fast_autofocus))
    assert microscope.focuser is not None
    microscope.focuser.sweep(2001)
    assert asked == [(server.microscope, 2000)]


def test_a_stopped_live_view_is_started_for_a_sweep(server: SimulatedServer) -> None:
    """The extension itself sees no frame then."""
    extension = SimpleNamespace(fast_autofocus=lambda microscope, dz: told())  # noqa: ARG005
    microscope = ours(server, extension)
    server.microscope.camera.stop_stream()
    assert microscope.focuser is not None
    microscope.focuser.sweep(1000)
    assert server.microscope.camera.stream_active


def test_a_sweep_that_fails_is_an_error_of_the_hardware(
    server: SimulatedServer,
) -> None:
    """What the extension raises ends the focus, not the run."""

    def fast_autofocus(**_: Any) -> None:
        raise ValueError("No images")

    microscope = ours(server, SimpleNamespace(fast_autofocus=fast_autofocus))
    assert microscope.focuser is not None
    with pytest.raises(HardwareError, match="No images"):
        microscope.focuser.sweep(1000)


@pytest.mark.parametrize("extension", [None, SimpleNamespace(autofocus=1)])
def test_without_fast_autofocus_there_is_no_focuser(
    server: SimulatedServer, extension: Any
) -> None:
    """The visit then sweeps with previews and the stage."""
    assert ours(server, extension).focuser is None


def test_an_extension_that_cannot_be_looked_for_is_none(
    server: SimulatedServer,
) -> None:
    """Outside of a request labthings finds nothing and raises."""

    def find() -> None:
        raise AttributeError("no app")

    theirs = server.microscope
    assert V2Microscope(theirs, theirs.clock, find_autofocus=find).focuser is None
    assert V2Microscope(theirs, theirs.clock).focuser is None


def test_mock_hardware_has_no_focuser(tmp_path: Path) -> None:
    """The extension is there on a server without hardware too, and must not be used."""
    server = create(tmp_path, speed=FAST, missing_hardware=True)
    assert ours(server, AutofocusExtension()).focuser is None
    server.close()
