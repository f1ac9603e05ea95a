"""What the computer tells of itself: model, memory for the camera, temperature."""

from pathlib import Path
from typing import Optional

__all__ = [
    "cma_free_bytes",
    "cma_total_bytes",
    "needs_contiguous_memory",
    "pi_model",
    "temperature_c",
]

MODEL = Path("/proc/device-tree/model")
MEMORY = Path("/proc/meminfo")
TEMPERATURE = Path("/sys/class/thermal/thermal_zone0/temp")
KILO = 1024
WITH_OWN_TABLES = (
    "Raspberry Pi 5",
    "Raspberry Pi 500",
    "Raspberry Pi Compute Module 5",
)
"""Their cameras reach any memory."""


def pi_model() -> str:
    """Return the model of the Raspberry Pi; empty on another computer."""
    try:
        return MODEL.read_text(encoding="ascii", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def cma_free_bytes() -> Optional[int]:
    """Return the free contiguous memory; None where the kernel has none.

    What is not free may be only lent to programs and to the cache of files.
    """
    return _told_bytes("CmaFree:")


def cma_total_bytes() -> Optional[int]:
    """Return all contiguous memory; None where the kernel has none."""
    return _told_bytes("CmaTotal:")


def _told_bytes(name: str) -> Optional[int]:
    """Return what the kernel tells under a name; None where it does not."""
    try:
        lines = MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(name):
            return int(line.split()[1]) * KILO
    return None


def needs_contiguous_memory() -> bool:
    """Tell whether this computer's camera writes to contiguous memory only."""
    model = pi_model()
    return model.startswith("Raspberry Pi") and not model.startswith(WITH_OWN_TABLES)


def temperature_c() -> Optional[float]:
    """Return the temperature of the processor; None where nobody tells it."""
    try:
        return int(TEMPERATURE.read_text(encoding="ascii")) / 1000.0
    except (OSError, ValueError):
        return None
