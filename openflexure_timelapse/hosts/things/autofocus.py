"""An autofocus Thing: where the small stream is sharpest while the stage moves."""

import contextlib
import enum
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal

import labthings_fastapi as lt
import numpy as np
from labthings_fastapi.types.numpy import NDArray
from pydantic import BaseModel

from openflexure_timelapse.hosts.things.camera import CameraThing
from openflexure_timelapse.hosts.things.peak import sharpest
from openflexure_timelapse.hosts.things.stage import StageThing

__all__ = [
    "AutofocusThing",
    "NoFocusFoundError",
    "SharpnessDataArrays",
    "SharpnessMethod",
]

Start = Literal["centre", "base"]

MOST_SWEEPS = 10
MARGIN = 0.2
"""A peak so near to an end of the sweep, as a share of it, may lie beyond."""


class NoFocusFoundError(RuntimeError):
    """However often it was tried, the sharpest height was at the end of the sweep."""


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
        Empty: no figure of merit is noted.
    stage_times : array
        Two for each move, in Unix seconds.
    stage_positions : list of mapping
        Two for each move, in steps.
    """

    jpeg_times: NDArray
    jpeg_sizes: NDArray
    focus_foms: NDArray
    stage_times: NDArray
    stage_positions: list[Mapping[str, int]]


class _Sweeps:
    """Moves in z, without regard to play, beside frames that are being noted."""

    def __init__(self, stage: StageThing, frames: list[tuple[float, int]]) -> None:
        self._stage = stage
        self._frames = frames
        self._times: list[float] = []
        self._places: list[dict[str, int]] = []

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
        return round(sharpest(*self.curve()))

    def curve(self) -> tuple[NDArray, NDArray]:
        """Return heights in steps, and sizes, of the frames of the last move."""
        begun, ended = self._times[-2:]
        during = [frame for frame in self._frames if begun < frame[0] <= ended]
        times, sizes = np.array(during, float).reshape(-1, 2).T
        ends = [place["z"] for place in self._places[-2:]]
        return np.interp(times, (begun, ended), ends), sizes

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


class AutofocusThing(lt.Thing):
    """Finds the height at which the small stream is sharpest."""

    _class_settings = {"validate_properties_on_set": True}  # noqa: RUF012 (as labthings reads it)

    _cam: CameraThing = lt.thing_slot()
    _stage: StageThing = lt.thing_slot()

    def _slowly(self) -> AbstractContextManager[Any]:
        """Return what makes a move slow enough for the frames of a sweep."""
        return contextlib.nullcontext()

    @lt.action
    def fast_autofocus(
        self,
        dz: int = 2000,
        start: Start = "centre",
        sharpness_metric: SharpnessMethod = SharpnessMethod.JPEG,
        record: int | None = None,
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
            self._sweep(sweeps, dz, start)
            peak = sweeps.sharpest_z()
            base = sweeps.move(-dz)
            sweeps.move(peak - base)
            return sweeps.told()

    def _sweep(self, sweeps: _Sweeps, dz: int, start: Start) -> None:
        """Move up by `dz`, from half of it below or from here."""
        if start == "centre":
            sweeps.move(-dz // 2)
        with self._slowly():
            sweeps.move(dz, block_cancellation=True)

    @lt.action
    def looping_autofocus(
        self, dz: int = 2000, start: Start = "centre"
    ) -> tuple[list[float], list[float]]:
        """Sweep until the sharpest height is well inside; tell heights and sizes."""
        if dz <= 0:
            raise ValueError("The range must be above 0.")
        for _ in range(MOST_SWEEPS):
            with self._cam.watched() as frames:
                sweeps = _Sweeps(self._stage, frames)
                self._sweep(sweeps, dz, start)
                heights, sizes = sweeps.curve()
                peak = sweeps.sharpest_z()
                base = sweeps.move(-dz)
                sweeps.move(peak - base)
            if MARGIN * dz < peak - base < (1 - MARGIN) * dz:
                return heights.tolist(), sizes.tolist()
            start = "centre"
        told = f"No height was sharpest inside of {dz} steps in {MOST_SWEEPS} sweeps."
        raise NoFocusFoundError(told)
