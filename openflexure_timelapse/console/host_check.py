"""Whether the Python that runs is the server's own, and has what the extension needs.

The server imports the extension into its own Python. What is missing there is told
before anything is installed: afterwards, only the server's log would tell it.
"""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import Optional, Tuple

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.manifest import HostEntry

if sys.version_info >= (3, 8):
    from importlib import metadata
else:
    import importlib_metadata as metadata

__all__ = ["V2", "V3", "ServerKind", "check_host", "this_python", "version_of"]

OWN = "openflexure-timelapse"
SERVER = "openflexure-microscope-server"
SERVERS_PYTHON = (
    "/var/openflexure/application/openflexure-microscope-server/.venv/bin/python"
)
VERSION = re.compile(
    r"(?P<numbers>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<stage>dev|a|alpha|b|beta|c|rc|pre|preview)[-_.]?(?P<number>\d*))?"
)
STAGES = {"dev": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2}
CANDIDATE, FINAL = 3, 4


@dataclass(frozen=True)
class ServerKind:
    """What is particular to one of the two servers.

    Attributes
    ----------
    command : str
        What installs into it, without the Python that runs it.
    library : str
        The distribution that it is built on.
    exact : bool
        Whether the adapter was made for one version of that library, not for a floor.
    """

    command: str
    library: str
    exact: bool


V2 = ServerKind("-m openflexure_timelapse install --api v2", "labthings", exact=True)
V3 = ServerKind(
    "-m openflexure_timelapse install --api v3", "labthings-fastapi", exact=False
)


def check_host(entry: HostEntry, kind: ServerKind) -> Tuple[str, ...]:
    """Return warnings about the Python that runs, which must be the server's own.

    Parameters
    ----------
    entry : HostEntry
        Of the manifest.
    kind : ServerKind
        `V2` or `V3`, to fit.

    Raises
    ------
    TimelapseError
        When the server would not load the extension.
    """
    if entry.status == "planned":
        told = "The extension for this server is planned and not in version "
        raise TimelapseError(f"{told}{__version__}; install a newer version.")
    running = "{}.{}.{}".format(*sys.version_info)
    if _ordered(running) < _ordered(entry.python):
        told = f"Python {running} is too old, the server needs {entry.python}; "
        raise TimelapseError(told + _with_servers_python(kind))
    _check_own()
    _check_library(entry.minimum_versions[kind.library], kind)
    warnings = _check_server(entry.minimum_versions[SERVER], kind)
    _check_import(entry)
    return warnings


def version_of(package: str) -> Optional[str]:
    """Return the version of an installed package; None where it is not installed."""
    try:
        return str(metadata.version(package))
    except metadata.PackageNotFoundError:
        return None


def _ordered(version: str) -> Tuple[Tuple[int, ...], int, int]:
    """Return a version, or a floor, so that an older one is less.

    ``3.0.0-beta1`` is ``3.0b1``, and that is less than ``3.0``.
    """
    found = VERSION.search(version.lower())
    if found is None:
        return (), 0, 0
    numbers = [int(part) for part in found.group("numbers").split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    stage = found.group("stage")
    rank = FINAL if stage is None else STAGES.get(stage, CANDIDATE)
    return tuple(numbers), rank, int(found.group("number") or 0)


def _check_own() -> None:
    """Refuse a package that only this process finds, in the folder where it runs."""
    if version_of(OWN) is None:
        told = (
            f"{OWN} is not installed in this Python ({sys.executable}), so its server "
        )
        told += "would not find it; type: "
        raise TimelapseError(told + this_python(f"-m pip install {OWN}"))


def _check_library(wanted: str, kind: ServerKind) -> None:
    """Refuse a library that the adapter was not made for."""
    found = version_of(kind.library)
    if found is not None and kind.exact and found == wanted:
        return
    if found is not None and not kind.exact and _ordered(found) >= _ordered(wanted):
        return
    has = f"no {kind.library}" if found is None else f"{kind.library} {found}"
    wants = f"and the server's own has {wanted}"
    if not kind.exact:
        wants = f"and the time-lapse needs {wanted} or newer"
    told = f"This Python ({sys.executable}) has {has}, {wants}; "
    raise TimelapseError(told + _with_servers_python(kind))


def _check_server(floor: str, kind: ServerKind) -> Tuple[str, ...]:
    """Refuse a server that is too old; warn where there is none."""
    found = version_of(SERVER)
    if found is None:
        told = f"This Python ({sys.executable}) has no {SERVER}: right for development"
        told += " or a server of your own, but on a microscope "
        return (told + _with_servers_python(kind),)
    if _ordered(found) < _ordered(floor):
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


def _with_servers_python(kind: ServerKind) -> str:
    """Return what to do when this Python is not the server's own."""
    told = "run the installer with the server's own Python, for example: "
    return f"{told}{SERVERS_PYTHON} {kind.command}"


def this_python(words: str) -> str:
    """Return a command for a shell that runs this Python."""
    return f"{shlex.quote(sys.executable)} {words}"
