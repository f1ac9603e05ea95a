"""A frame's place is found, against what the simulator knows; swimmers drag nothing."""

from typing import List, Tuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from shaken import HEIGHT, WIDTH, Pixels, shaken

from openflexure_timelapse.movie.registration import (
    FIRST_FRAMES,
    MISSES_TO_NEW_SCENE,
    Pose,
    Tracker,
)

SMALL = (416, 312)


def small(pixels: Pixels) -> NDArray[np.uint8]:
    """Return a picture as it is looked at."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, SMALL, interpolation=cv2.INTER_AREA), np.uint8)


def followed(pictures: "List[NDArray[np.uint8]]") -> List[Pose]:
    """Return the pose of each picture."""
    tracker = Tracker()
    poses = [pose for picture in pictures for pose in tracker.add(picture)]
    return poses + list(tracker.finish())


def off_px(poses: List[Pose], truth: List[Tuple[float, float]]) -> NDArray[np.float64]:
    """Return by how many pixels of the full picture each pose is wrong."""
    found = np.array([(pose.dx * WIDTH, pose.dy * HEIGHT) for pose in poses])
    off = found - np.array(truth)
    return off - np.median(off, axis=0)


@pytest.mark.parametrize(
    ("scene", "interval_s", "most_px"),
    [
        ("algae_growth", 300.0, 0.25),
        ("diatoms", 20.0, 0.35),
        ("calibration_grid", 60.0, 0.2),
        ("pond", 20.0, 1.2),
    ],
)
def test_jitter_is_found_whatever_swims(
    scene: str, interval_s: float, most_px: float
) -> None:
    """Most poses are right to a fraction of a pixel where something stands still."""
    shots = list(shaken(scene, 24, interval_s, jitter_steps=15))
    poses = followed([small(shot.pixels) for shot in shots])
    assert len(poses) == len(shots)
    assert sum(pose.registered for pose in poses) >= len(shots) - 2
    moved = np.std([shot.lies_px for shot in shots], axis=0)
    off = off_px(poses, [shot.lies_px for shot in shots])
    assert np.sqrt((off**2).mean(axis=0)).max() < most_px < moved.min()


def test_a_few_threads_tell_no_rotation() -> None:
    """Where swimmers pass the little that stands still, no frame is turned.

    The stage did not turn, and 3 mrad are more than a pixel at the picture's edge.
    """
    shots = shaken("pond", 24, 20.0, jitter_steps=15, seed=8)
    poses = followed([small(shot.pixels) for shot in shots])
    assert sum(pose.registered for pose in poses) >= len(poses) - 2
    assert max(abs(pose.angle) for pose in poses) < 0.001


@pytest.mark.parametrize("scene", ["beads", "empty"])
def test_what_cannot_be_registered_is_left_alone(scene: str) -> None:
    """Clean water, or beads that all dance, move no frame by anything."""
    shots = list(shaken(scene, FIRST_FRAMES + 4, 20.0, jitter_steps=15))
    poses = followed([small(shot.pixels) for shot in shots])
    assert not any(pose.registered for pose in poses)
    assert {(pose.dx, pose.dy, pose.angle) for pose in poses} == {(0.0, 0.0, 0.0)}


def test_small_rotations_are_found() -> None:
    """A picture turned by a few milliradians is known to be turned by so much."""
    (shot,) = shaken("algae_growth", 1, 60.0, jitter_steps=0)
    angles = [0.0, 0.004, -0.006, 0.01, 0.0, 0.008, -0.01, 0.002]
    middle = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    turned = []
    for angle in angles:
        matrix = cv2.getRotationMatrix2D(middle, -np.degrees(angle), 1.0)
        picture = cv2.warpAffine(
            shot.pixels, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE
        )
        turned.append(small(np.asarray(picture, np.uint8)))
    found = np.array([pose.angle for pose in followed(turned)])
    assert np.abs(found - found[0] - np.array(angles)).max() < 0.001


def test_a_jump_begins_a_new_scene() -> None:
    """After a jump that nothing registers across, frames are told from there on."""
    here = [small(shot.pixels) for shot in shaken("algae_growth", 14, 60.0, 6)]
    there = [small(shot.pixels) for shot in shaken("diatoms", 14, 60.0, 6, seed=8)]
    poses = followed(here + there)
    scenes = [pose.scene for pose in poses]
    assert scenes[:14] == [0] * 14
    assert scenes[14 + MISSES_TO_NEW_SCENE :] == [1] * (14 - MISSES_TO_NEW_SCENE)
    registered = [pose.registered for pose in poses]
    assert registered[:14] == [True] * 14
    assert not any(registered[14 : 14 + MISSES_TO_NEW_SCENE])
    assert sum(registered[14 + MISSES_TO_NEW_SCENE :]) >= 14 - MISSES_TO_NEW_SCENE - 1


def test_a_flash_of_darkness_changes_nothing_after_it() -> None:
    """A black frame keeps the place of the one before and is no jump."""
    pictures = [small(shot.pixels) for shot in shaken("algae_growth", 16, 60.0, 8)]
    undisturbed = followed(pictures)
    pictures[14] = np.zeros_like(pictures[14])
    poses = followed(pictures)
    assert not poses[14].registered
    assert (poses[14].dx, poses[14].dy) == (poses[13].dx, poses[13].dy)
    assert poses[15].scene == 0
    assert abs(poses[15].dx - undisturbed[15].dx) * WIDTH < 0.2


def test_a_frame_of_another_size_begins_anew() -> None:
    """Pictures of two sizes are never laid over one another."""
    first = np.full((60, 80), 90, np.uint8)
    poses = followed([first, first, np.full((90, 120), 90, np.uint8)])
    assert [pose.scene for pose in poses] == [0, 0, 1]
