"""A simulated OpenFlexure Microscope.

The names are imported when they are asked for: pytest imports this package in every
test run of an environment, for the plugin in it, and must not wait for OpenCV.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hardware_sim.clock import ScaledClock, VirtualClock
    from hardware_sim.disk import FaultyDisk
    from hardware_sim.faults import Fault, Faults
    from hardware_sim.microscope import SimMicroscope, build
    from hardware_sim.scenes import SCENES
    from hardware_sim.world import Drift, SimWorld

__all__ = [
    "SCENES",
    "Drift",
    "Fault",
    "Faults",
    "FaultyDisk",
    "ScaledClock",
    "SimMicroscope",
    "SimWorld",
    "VirtualClock",
    "build",
]

MODULES = {
    "SCENES": "scenes",
    "Drift": "world",
    "Fault": "faults",
    "Faults": "faults",
    "FaultyDisk": "disk",
    "ScaledClock": "clock",
    "SimMicroscope": "microscope",
    "SimWorld": "world",
    "VirtualClock": "clock",
    "build": "microscope",
}


def __getattr__(name: str) -> Any:
    """Import a name.

    Raises
    ------
    AttributeError
        For one that is not in ``__all__``.
    """
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{MODULES[name]}"), name)
