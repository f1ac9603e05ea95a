"""The autofocus of the simulated server v3."""

from typing import Any, ContextManager

import labthings_fastapi as lt

from hardware_sim.sweep import pace
from hardware_sim.v3_camera import SimulatedCamera
from hardware_sim.v3_stage import SimulatedStage
from openflexure_timelapse.hosts.things.autofocus import AutofocusThing

__all__ = ["SimulatedAutofocus"]


class SimulatedAutofocus(AutofocusThing):
    """Sweeps no faster than the simulated camera can render."""

    _cam: SimulatedCamera = lt.thing_slot()
    _stage: SimulatedStage = lt.thing_slot()

    def _slowly(self) -> ContextManager[Any]:
        """Return what paces the stage."""
        return self._stage.paced(pace(self._cam.frames_per_s))
