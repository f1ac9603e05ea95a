"""The autofocus of the simulated server v3."""

import enum
import time
from typing import Dict, List, Mapping, Optional, Tuple

import labthings_fastapi as lt
import numpy as np
from labthings_fastapi.types.numpy import NDArray
from pydantic import BaseModel
from typing_extensions import Literal

from hardware_sim.sweep import pace, sharpest
from hardware_sim.v3_camera import SimulatedCamera
from hardware_sim.v3_stage import SimulatedStage

__all__ = ["SharpnessDataArrays", "SharpnessMethod", "SimulatedAutofocus"]


class SharpnessMethod(enum.IntFlag):
    """What stands for sharpness."""

    JPEG = 1
    FOCUS_FOM = 2


class SharpnessDataArrays(BaseModel):
    """Everything that was noted during the moves.

    Attributes
    ----------
    jpeg_times : array
        Of each frame, in Unix seconds by the machine's clock.
    jpeg_sizes : array
        Of each frame, in bytes.
    focus_foms : array
        Empty: the simulated camera has no figure of merit.
    stage_times : array
        Two for each move, in Unix seconds.
    stage_positions : list of mapping
        Two for each move, in steps.
    """

    jpeg_times: NDArray
    jpeg_sizes: NDArray
    focus_foms: NDArray
    stage_times: NDArray
    stage_positions: List[Mapping[str, int]]


class _Sweeps:
    """Moves in z, without regard to play, beside frames that are being noted."""

    def __init__(self, stage: SimulatedStage, frames: List[Tuple[float, int]]) -> None:
        self._stage = stage
        self._frames = frames
        self._times: List[float] = []
        self._places: List[Dict[str, int]] = []

    def move(self, steps: int, *, block_cancellation: bool = False) -> int:
        """Move, and return the height at the end."""
        self._note()
        self._stage.move_relative(z=steps, block_cancellation=block_cancellation)
        self._note()
        return self._places[-1]["z"]

    def sharpest_z(self) -> int:
        """Return where the last move was sharpest, in steps.

        Raises
        ------
        ValueError
            When no frame was seen on the way.
        """
        begun, ended = self._times[-2:]
        during = [frame for frame in self._frames if begun < frame[0] <= ended]
        times, sizes = np.array(during, float).reshape(-1, 2).T
        ends = [place["z"] for place in self._places[-2:]]
        heights = np.interp(times, (begun, ended), ends)
        return round(sharpest(heights, sizes))

    def told(self) -> SharpnessDataArrays:
        """Return everything that was noted."""
        frames = list(self._frames)
        return SharpnessDataArrays(
            jpeg_times=np.array([moment for moment, _ in frames]),
            jpeg_sizes=np.array([size for _, size in frames]),
            focus_foms=np.array([]),
            stage_times=np.array(self._times),
            stage_positions=self._places,
        )

    def _note(self) -> None:
        self._times.append(time.time())
        self._places.append(dict(self._stage.position))


class SimulatedAutofocus(lt.Thing):
    """Finds the height at which the small stream is sharpest."""

    _class_settings = {"validate_properties_on_set": True}  # noqa: RUF012 (as labthings reads it)

    _cam: SimulatedCamera = lt.thing_slot()
    _stage: SimulatedStage = lt.thing_slot()

    @lt.action
    def fast_autofocus(
        self,
        dz: int = 2000,
        start: Literal["centre", "base"] = "centre",
        sharpness_metric: SharpnessMethod = SharpnessMethod.JPEG,
        record: Optional[int] = None,
    ) -> SharpnessDataArrays:
        """Move down by half of `dz`, up by `dz`, down again and up to the sharpest."""
        if dz <= 0:
            raise ValueError("The range must be above 0.")
        noted = record or int(sharpness_metric)
        if not noted & int(sharpness_metric):
            raise ValueError(
                f"The sharpness metric {sharpness_metric} is not recorded."
            )
        if noted & SharpnessMethod.FOCUS_FOM:
            raise ValueError("This camera has no figure of merit for the focus.")
        with self._cam.watched() as frames:
            sweeps = _Sweeps(self._stage, frames)
            if start == "centre":
                sweeps.move(-dz // 2)
            with self._stage.paced(pace(self._cam.frames_per_s)):
                sweeps.move(dz, block_cancellation=True)
            peak = sweeps.sharpest_z()
            base = sweeps.move(-dz)
            sweeps.move(peak - base)
            return sweeps.told()
