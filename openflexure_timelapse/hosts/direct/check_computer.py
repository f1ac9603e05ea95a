"""Whether the computer is good for a camera and a board: what it is, and how it is."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.hosts.direct import vitals
from openflexure_timelapse.hosts.direct.camera_memory import MORE_MEMORY
from openflexure_timelapse.hosts.disk_trial import (
    SLOW_WRITE_S,
    TRIAL_BYTES,
    slowest_write_s,
)
from openflexure_timelapse.hosts.finding import Finding
from openflexure_timelapse.store.disk import RealDisk

if sys.version_info >= (3, 8):
    from importlib.metadata import PackageNotFoundError, version
else:
    from importlib_metadata import PackageNotFoundError, version

__all__ = ["check_computer"]

OS_RELEASE = Path("/etc/os-release")
LIBRARIES = {
    "picamera2": "sudo apt install python3-picamera2",
    "sangaboard": "pip install 'openflexure-timelapse[direct]'",
    "pyserial": "pip install 'openflexure-timelapse[direct]'",
}
"""With what installs each of them."""
LITTLE_MEMORY_BYTES = 120_000_000
"""Too little for two full pictures of a camera v2; what is free may be lent."""
WARM_C, HOT_C = 70.0, 80.0
LITTLE_SPACE_BYTES = 2_000_000_000
ANSWER_S = 5
# What `vcgencmd get_throttled` tells by its bits: now, and 16 higher since the start.
POWER: Dict[int, str] = {
    0: "the supply gives too little voltage",
    1: "the processor is held back",
    2: "the processor is slowed down",
    3: "it is near its highest temperature",
}
SINCE_START = 16


def check_computer(data_folder: Path) -> Iterator[Finding]:
    """Yield what is found, one thing after the other.

    Parameters
    ----------
    data_folder : Path
        Where runs would be kept; made when missing. Its name is not told.
    """
    yield Finding("OpenFlexure Timelapse", "good", __version__)
    yield _model()
    yield Finding("System", "good", f"{_system()}, Python {platform.python_version()}")
    for name, command in LIBRARIES.items():
        yield _library(name, command)
    yield from _memory()
    yield from _temperature()
    yield from _power()
    yield _disk(data_folder)


def _model() -> Finding:
    """Tell which computer it is."""
    model = vitals.pi_model()
    if model.startswith("Raspberry Pi"):
        return Finding("Computer", "good", model)
    told = f"{model or 'no Raspberry Pi'} ({platform.machine()}); a Pi's camera needs "
    return Finding("Computer", "warning", told + "a Raspberry Pi")


def _system() -> str:
    """Return the name of the system, without the computer's own."""
    try:
        text = OS_RELEASE.read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.MULTILINE)
    name = found[1] if found else platform.system()
    return f"{name}, kernel {platform.release()} ({platform.machine()})"


def _library(name: str, command: str) -> Finding:
    """Tell the version of a library that is needed."""
    try:
        return Finding(name, "good", version(name))
    except PackageNotFoundError:
        return Finding(name, "bad", f"not installed; type: {command}")


def _memory() -> Iterator[Finding]:
    """Look at the memory that a camera can write to."""
    free, total = vitals.cma_free_bytes(), vitals.cma_total_bytes()
    if not vitals.needs_contiguous_memory() or free is None or total is None:
        return
    told = f"{total / 1e6:.0f} MB of contiguous memory, {free / 1e6:.0f} MB of it free"
    if total < LITTLE_MEMORY_BYTES:
        yield Finding("Camera memory", "warning", f"{told}; {MORE_MEMORY}")
    else:
        yield Finding("Camera memory", "good", told)


def _temperature() -> Iterator[Finding]:
    """Look at the processor's temperature."""
    celsius = vitals.temperature_c()
    if celsius is None:
        return
    told = f"{celsius:.0f} °C"
    if celsius >= HOT_C:
        yield Finding("Temperature", "bad", f"{told}; give it air or a heat sink")
    elif celsius >= WARM_C:
        yield Finding("Temperature", "warning", f"{told}; give it air for a long run")
    else:
        yield Finding("Temperature", "good", told)


def _power() -> Iterator[Finding]:
    """Ask the Pi's firmware whether power or heat hold it back."""
    program = shutil.which("vcgencmd")
    if program is None:
        return
    try:
        done = subprocess.run(  # noqa: S603 (the Pi's own program, fixed arguments)
            [program, "get_throttled"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        told = f"vcgencmd gives no answer ({type(exc).__name__}); restart the Pi"
        yield Finding("Power", "warning", told)
        return
    found = re.search(rb"throttled=0x([0-9a-fA-F]+)", done.stdout)
    if found is None:
        told = "vcgencmd does not tell; run it as a member of the group video"
        yield Finding("Power", "warning", told)
    else:
        yield _throttled(int(found[1], 16))


def _throttled(bits: int) -> Finding:
    """Return what the firmware's bits say."""
    now: List[str] = [told for bit, told in POWER.items() if bits & 1 << bit]
    before = [told for bit, told in POWER.items() if bits & 1 << bit + SINCE_START]
    if now:
        told = f"{', '.join(now)} (0x{bits:x}); use the Pi's own supply, and cool it"
        return Finding("Power", "bad", told)
    if before:
        told = f"since the start: {', '.join(before)} (0x{bits:x}); use the Pi's own "
        return Finding("Power", "warning", told + "supply, and cool it")
    return Finding("Power", "good", "nothing holds the processor back")


def _disk(data_folder: Path) -> Finding:
    """Measure space and speed where runs would be kept."""
    disk = RealDisk()
    try:
        disk.make_folder(str(data_folder))
        free = disk.free_bytes(str(data_folder))
        worst = slowest_write_s(data_folder)
    except StorageError as exc:
        return Finding("Disk", "bad", str(exc))
    except OSError as exc:
        told = f"the data folder takes no file ({exc.strerror}); choose another one"
        return Finding("Disk", "bad", told)
    told = f"{free / 1e9:.1f} GB free, {TRIAL_BYTES / 1e6:.1f} MB made durable in "
    told += f"{worst * 1000:.0f} ms at worst"
    if free < LITTLE_SPACE_BYTES:
        return Finding("Disk", "warning", f"{told}; make room for a long run")
    if worst > SLOW_WRITE_S:
        return Finding("Disk", "warning", f"{told}; use a faster card")
    return Finding("Disk", "good", told)
