"""A check-up of this computer: what a time-lapse needs, and whether it is there."""

import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, List, Tuple

from openflexure_timelapse import __version__
from openflexure_timelapse.console.host_check import V2, V3, check_host
from openflexure_timelapse.console.install_v2 import LOADER, extension_folders, is_ours
from openflexure_timelapse.console.install_v3 import config_files, is_installed
from openflexure_timelapse.console.printing import nice_bytes
from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.hosts.channels import channels_of
from openflexure_timelapse.hosts.disk_trial import (
    SLOW_WRITE_S,
    TRIAL_BYTES,
    slowest_write_s,
)
from openflexure_timelapse.hosts.finding import Finding
from openflexure_timelapse.hosts.notify_file import NotifyFile
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.manifest import load_manifest
from openflexure_timelapse.movie.ffmpeg import find_ffmpeg
from openflexure_timelapse.store.disk import RealDisk, storage_error

__all__ = ["Finding", "examine"]

PYTHON_FLOOR = (3, 7)
LITTLE_SPACE_BYTES = 2_000_000_000
FFMPEG_TIMEOUT_S = 20
S_TO_MS = 1000


def examine(data_folder: Path) -> List[Finding]:
    """Look at everything, never stopping at the first fault.

    Parameters
    ----------
    data_folder : Path
        Where runs would be kept; made when missing.
    """
    checks: Tuple[Tuple[str, Callable[[Path], Finding]], ...] = (
        ("Python", _python),
        ("Time of day", _time_of_day),
        ("Data folder", _data_folder),
        ("Writing frames", _writing),
        ("ffmpeg", _ffmpeg),
        ("Notifications", _notifications),
    )
    own = Finding("OpenFlexure Timelapse", "good", __version__)
    found = [own, *(_look(topic, check, data_folder) for topic, check in checks)]
    folders = extension_folders(os.environ)[:1]
    return [
        *found,
        *(_look("Server v2", _server_v2, folder) for folder in folders),
        *(_look("Server v3", _server_v3, path) for path in config_files()),
    ]


def _look(topic: str, check: Callable[[Path], Finding], data_folder: Path) -> Finding:
    """Make one check; what it raises is its finding."""
    try:
        return check(data_folder)
    except TimelapseError as exc:
        return Finding(topic, "bad", str(exc))
    except OSError as exc:
        told = storage_error(exc, "write to", data_folder)
        return Finding(topic, "bad", str(told))


def _python(_: Path) -> Finding:
    """Look at the interpreter."""
    found = f"{platform.python_version()} on {platform.machine()}"
    if sys.version_info[:2] < PYTHON_FLOOR:
        floor = ".".join(map(str, PYTHON_FLOOR))
        return Finding("Python", "bad", f"{found}; install Python {floor} or newer")
    return Finding("Python", "good", found)


def _time_of_day(_: Path) -> Finding:
    """Look at the clock; intervals do not depend on it, dates do."""
    clock = RealClock()
    shown = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime())
    if clock.wall_is_trusted():
        return Finding("Time of day", "good", f"{shown}, synchronised")
    told = f"{shown}, not synchronised; connect to the internet, or dates may be wrong"
    return Finding("Time of day", "warning", told)


def _data_folder(data_folder: Path) -> Finding:
    """Look at the space."""
    disk = RealDisk()
    disk.make_folder(str(data_folder))
    free = disk.free_bytes(str(data_folder))
    told = f"{nice_bytes(free)} free in {data_folder}"
    if free < LITTLE_SPACE_BYTES:
        return Finding("Data folder", "warning", f"{told}; make room for a long run")
    return Finding("Data folder", "good", told)


def _writing(data_folder: Path) -> Finding:
    """Write a few files of a frame's size durably and measure."""
    worst = slowest_write_s(data_folder)
    told = (
        f"{nice_bytes(TRIAL_BYTES)} made durable in {worst * S_TO_MS:.0f} ms at worst"
    )
    if worst > SLOW_WRITE_S:
        return Finding("Writing frames", "warning", f"{told}; use a faster card")
    return Finding("Writing frames", "good", told)


def _ffmpeg(_: Path) -> Finding:
    """Look for ffmpeg and its H.264 encoder."""
    program = find_ffmpeg()
    try:
        done = subprocess.run(  # noqa: S603 (a program that we found, with fixed arguments)
            [program, "-hide_banner", "-encoders"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=FFMPEG_TIMEOUT_S,
            check=False,
        )
    except OSError as exc:
        told = f"{program} cannot be started ({exc.strerror}); "
        return Finding("ffmpeg", "bad", told + "install Debian's ffmpeg package")
    except subprocess.TimeoutExpired:
        told = f"{program} gives no answer within {FFMPEG_TIMEOUT_S} s; "
        return Finding("ffmpeg", "bad", told + "install Debian's ffmpeg package")
    name = shutil.which(program) or program
    if b"libx264" not in done.stdout:
        told = f"{name} has no libx264; install Debian's ffmpeg package"
        return Finding("ffmpeg", "bad", told)
    return Finding("ffmpeg", "good", name)


def _notifications(_: Path) -> Finding:
    """Look whether anybody would hear of a run that fails."""
    topic, file = "Notifications", NotifyFile()
    warnings = file.warnings()
    if warnings:
        return Finding(topic, "warning", " ".join(warnings))
    labels = sorted({channel.label for channel in channels_of(file.read())})
    if not labels:
        told = "nobody is told when a run fails; see docs/unattended.md"
        return Finding(topic, "warning", told)
    told = f"{', '.join(labels)}; try it with: openflexure-timelapse notify --test"
    return Finding(topic, "good", told)


def _server_v2(folder: Path) -> Finding:
    """Look for the loader in the server's extension folder."""
    topic, loader = "Server v2", folder / LOADER
    if not loader.exists():
        told = f"no time-lapse in {folder}; put it there with: "
        told += "openflexure-timelapse install --api v2"
        return Finding(topic, "warning", told)
    if not is_ours(loader):
        told = f"{loader} is not the installer's; move it away and install again"
        return Finding(topic, "bad", told)
    try:
        check_host(load_manifest().hosts["v2"], V2)
    except TimelapseError as exc:
        return Finding(topic, "warning", f"time-lapse in {folder}, but: {exc}")
    return Finding(topic, "good", f"time-lapse in {folder}")


def _server_v3(path: Path) -> Finding:
    """Look for our Thing in the server's configuration."""
    topic, entry = "Server v3", load_manifest().hosts["v3"]
    if not is_installed(path, entry):
        told = f"no time-lapse in {path}; put it there with: "
        told += "openflexure-timelapse install --api v3"
        return Finding(topic, "warning", told)
    try:
        check_host(entry, V3)
    except TimelapseError as exc:
        return Finding(topic, "warning", f"time-lapse in {path}, but: {exc}")
    return Finding(topic, "good", f"time-lapse in {path}")
