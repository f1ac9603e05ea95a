"""Whether the Python that runs is the server's own, and has what the extension needs.

The server imports the extension into its own Python. What is missing there is told
before anything is installed: afterwards, only the server's log would tell it.
"""

import re
import shlex
import subprocess
import sys
from typing import Optional, Tuple

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.manifest import HostEntry

if sys.version_info >= (3, 8):
    from importlib import metadata
else:
    import importlib_metadata as metadata

__all__ = ["INSTALL", "check_host", "this_python", "version_of"]

OWN = "openflexure-timelapse"
SERVER = "openflexure-microscope-server"
LIBRARY = "labthings"
SERVERS_PYTHON = (
    "/var/openflexure/application/openflexure-microscope-server/.venv/bin/python"
)
INSTALL = "-m openflexure_timelapse install --api v2"
RELEASE = re.compile(r"\d+(?:\.\d+)*")


def check_host(entry: HostEntry) -> Tuple[str, ...]:
    """Return warnings about the Python that runs, which must be the server's own.

    Parameters
    ----------
    entry : HostEntry
        Of the manifest.

    Raises
    ------
    TimelapseError
        When the server would not load the extension.
    """
    if entry.status == "planned":
        told = "The extension for this server is planned and not in version "
        raise TimelapseError(f"{told}{__version__}; install a newer version.")
    running = "{}.{}.{}".format(*sys.version_info)
    if _release(running) < _release(entry.python):
        told = f"Python {running} is too old, the server needs {entry.python}; "
        raise TimelapseError(told + _with_servers_python())
    _check_own()
    _check_library(entry.minimum_versions[LIBRARY])
    warnings = _check_server(entry.minimum_versions[SERVER])
    _check_import(entry)
    return warnings


def version_of(package: str) -> Optional[str]:
    """Return the version of an installed package; None where it is not installed."""
    try:
        return str(metadata.version(package))
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> Tuple[int, ...]:
    """Return the numbers of a version or of a floor: ``>=2.10.1`` is (2, 10, 1)."""
    found = RELEASE.search(version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def _check_own() -> None:
    """Refuse a package that only this process finds, in the folder where it runs."""
    if version_of(OWN) is None:
        told = (
            f"{OWN} is not installed in this Python ({sys.executable}), so its server "
        )
        told += "would not find it; type: "
        raise TimelapseError(told + this_python(f"-m pip install {OWN}"))


def _check_library(wanted: str) -> None:
    """Refuse another labthings than the one that the adapter was made for."""
    found = version_of(LIBRARY)
    if found == wanted:
        return
    has = "no labthings" if found is None else f"labthings {found}"
    told = f"This Python ({sys.executable}) has {has}, and the server's own has "
    raise TimelapseError(f"{told}{wanted}; {_with_servers_python()}")


def _check_server(floor: str) -> Tuple[str, ...]:
    """Refuse a server that is too old; warn where there is none."""
    found = version_of(SERVER)
    if found is None:
        told = f"This Python ({sys.executable}) has no {SERVER}: right for "
        return (told + f"development, but on a microscope {_with_servers_python()}",)
    if _release(found) < _release(floor):
        told = f"{SERVER} {found} is older than {floor}, the oldest that is supported; "
        raise TimelapseError(told + "upgrade the microscope, then install again.")
    return ()


def _check_import(entry: HostEntry) -> None:
    """Load the extension as the server will: better told now than in its log.

    In a process of its own: what this one has imported would hide what is missing.
    """
    module, _, name = entry.entry_point.partition(":")
    command = [sys.executable, "-c", f"from {module} import {name}"]
    done = subprocess.run(  # noqa: S603 - our own Python, a name of our manifest
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1] if lines else f"exit code {done.returncode}"
        told = f"The extension cannot be loaded by {sys.executable} ({why}); install "
        told += "what is missing with: "
        raise TimelapseError(told + this_python(f"-m pip install {OWN}"))


def _with_servers_python() -> str:
    """Return what to do when this Python is not the server's own."""
    told = "run the installer with the server's own Python, for example: "
    return f"{told}{SERVERS_PYTHON} {INSTALL}"


def this_python(words: str) -> str:
    """Return a command for a shell that runs this Python."""
    return f"{shlex.quote(sys.executable)} {words}"
