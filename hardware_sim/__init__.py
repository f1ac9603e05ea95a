"""A simulated OpenFlexure Microscope."""

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
