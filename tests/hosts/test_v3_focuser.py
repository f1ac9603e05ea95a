"""Server v3's fast autofocus as a sweep of ours."""

from types import SimpleNamespace
from typing import Any, Dict, List

import numpy as np
import pytest
from v3_things import ours

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.ports import FocusSweep, StagePosition

BEGIN_S = 1_700_000_000.0
MOVES = [(0, 5, 0, -500), (5, 15, -500, 500), (15, 25, 500, -500), (25, 30, -500, 0)]


def curve() -> Dict[str, Any]:
    """Return what fast autofocus tells of 1000 steps at 100 steps a second."""
    times = np.arange(0.0, 30.0, 0.5)
    return {
        "jpeg_times": BEGIN_S + times,
        "jpeg_sizes": 10_000 + 10 * times,
        "focus_foms": np.array([]),
        "stage_times": np.array(
            [BEGIN_S + time for move in MOVES for time in move[:2]]
        ),
        "stage_positions": [
            {"x": 7, "y": 8, "z": z} for move in MOVES for z in move[2:]
        ],
    }


class Autofocus:
    """An autofocus that tells what a test wants."""

    def __init__(self, told: Any) -> None:
        self.asked: List[Any] = []
        self._told = told

    def fast_autofocus(self, dz: int = 2000, start: str = "centre") -> Any:
        """Take note."""
        self.asked.append((dz, start))
        if isinstance(self._told, BaseException):
            raise self._told
        return self._told


def sweep(autofocus: Any, range_steps: int = 1001) -> FocusSweep:
    """Sweep with an autofocus."""
    focuser = ours(autofocus=autofocus).focuser
    assert focuser is not None
    return focuser.sweep(range_steps)


@pytest.mark.parametrize("told", [curve(), SimpleNamespace(**curve())])
def test_frames_of_the_way_up_are_the_curve(told: Any) -> None:
    """The server's model, or a dictionary; an odd range is made even."""
    autofocus = Autofocus(told)
    seen = sweep(autofocus)
    assert seen.metric == "jpeg_bytes"
    assert seen.z_steps == tuple(range(-450, 501, 50))
    assert autofocus.asked == [(1000, "centre")]


def test_an_older_autofocus_is_asked_for_its_range_alone() -> None:
    """One that knows no place to start from starts at the centre."""

    class Old:
        def fast_autofocus(self, dz: int) -> Any:
            """Sweep."""
            assert dz == 1000
            return curve()

    assert sweep(Old()).z_steps


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (ValueError("No images were captured"), "No images"),
        ({"jpeg_times": []}, "no curve.*jpeg_sizes"),
        (None, "no curve"),
        ({**curve(), "stage_positions": [1, 2]}, "no curve"),
        ({**curve(), "jpeg_times": [], "jpeg_sizes": []}, "5 are needed"),
    ],
)
def test_a_sweep_without_a_curve_is_an_error(told: Any, words: str) -> None:
    """It ends the focus of a visit, and no more."""
    with pytest.raises(HardwareError, match=words):
        sweep(Autofocus(told))


def test_after_a_sweep_the_approach_is_unknown() -> None:
    """Somebody else has moved z, down at last."""

    class OldStage:
        position = {"x": 0, "y": 0, "z": 0}  # noqa: RUF012
        moves: List[int] = []  # noqa: RUF012

        def move_absolute(self, x: int, y: int, z: int) -> None:
            """Move."""
            self.position = {"x": x, "y": y, "z": z}
            self.moves.append(z)

    stage = OldStage()
    microscope = ours(None, stage, autofocus=Autofocus(curve()))
    assert microscope.focuser is not None
    for _ in range(2):
        microscope.stage.move_to(StagePosition(500, 500, 500))
    microscope.focuser.sweep(1000)
    microscope.stage.move_to(StagePosition(500, 500, 500))
    assert stage.moves == [500, 300, 500]
