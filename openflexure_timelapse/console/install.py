"""Puts the extension into a server, and takes it out again.

Server v2 runs every Python file in its extension folder. Ours is a loader of a few
lines: the package itself stays where pip put it, so that an update needs no new loader.
The loader is imported by the server's Python, so the installer runs in that one, and
refuses where the server would not find what it needs.
"""

import importlib
import os
import pwd
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import ConflictError, NotFoundError, TimelapseError
from openflexure_timelapse.manifest import HostEntry
from openflexure_timelapse.store.disk import RealDisk, durable_file, storage_error

try:
    from importlib import metadata
except ImportError:  # Python 3.7
    import importlib_metadata as metadata  # type: ignore[no-redef,import-not-found]

__all__ = [
    "Installation",
    "check_host",
    "extension_folder",
    "extension_folders",
    "install",
    "is_ours",
    "loader_text",
    "server_roots",
    "uninstall",
    "version_of",
]

LOADER = "openflexure_timelapse_extension.py"
MARKER = "# Written by: openflexure-timelapse install"
PREFERRED_ROOT = Path("/var/openflexure")
BELOW_ROOT = Path("extensions", "microscope_extensions")
DEFAULTS = "defaults.py"
LOADER_MODE = 0o644

SERVER = "openflexure-microscope-server"
LIBRARY = "labthings"
SERVERS_PYTHON = (
    "/var/openflexure/application/openflexure-microscope-server/.venv/bin/python"
)
COMMAND = "openflexure_timelapse install --api v2"
LOADS_OURS = re.compile(rb"^\s*(?:from|import)\s+openflexure_timelapse\b", re.MULTILINE)
RELEASE = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class Installation:
    """What was done.

    Attributes
    ----------
    done : {"installed", "replaced", "unchanged", "removed", "nothing"}
        ``unchanged``: the same loader was there; ``nothing``: none was there to remove.
    path : Path
        The loader.
    warnings : tuple of str
        What is no obstacle and yet to be known.
    """

    done: str
    path: Path
    warnings: Tuple[str, ...] = ()

    def to_json(self) -> Dict[str, Any]:
        """Return every field."""
        return {
            "done": self.done,
            "path": str(self.path),
            "warnings": list(self.warnings),
        }

    def lines(self) -> List[str]:
        """Return what a person is told: what was done, and what to do next."""
        again = "Restart the microscope's server (ofm restart)"
        told = {
            "installed": f"Installed: {self.path}",
            "replaced": f"Replaced an older loader: {self.path}",
            "unchanged": f"It was installed already, and is unchanged: {self.path}",
            "removed": f"Removed: {self.path}",
            "nothing": f"There is nothing to undo: {self.path} does not exist.",
        }
        after = {
            "nothing": [],
            "removed": [f"{again}; then the tab Time-lapse is gone. Runs are kept."],
        }
        opened = f"{again}; then open OpenFlexure Connect: there is a tab Time-lapse."
        return [told[self.done], *after.get(self.done, [opened])]


# ------------------------------------------------------------------------- the folders


def server_roots(environment: Mapping[str, str]) -> List[Path]:
    """Return where a server v2 may keep its files, the likeliest first.

    The server takes its own user's home where /var/openflexure is not to be had. This
    may be another user than the one who installs, or the one who typed sudo.

    Parameters
    ----------
    environment : mapping of str to str
        Of this process.
    """
    homes = [Path.home()]
    person = environment.get("SUDO_USER")
    if person:
        try:
            homes.insert(0, Path(pwd.getpwnam(person).pw_dir))
        except KeyError:  # a user of another machine's directory, which is away
            pass
    roots = [PREFERRED_ROOT, *(home / "openflexure" for home in homes)]
    return list(dict.fromkeys(roots))


def extension_folders(environment: Mapping[str, str]) -> List[Path]:
    """Return the extension folders that exist, the likeliest first."""
    folders = (root / BELOW_ROOT for root in server_roots(environment))
    return [folder for folder in folders if _is_folder(folder)]


def extension_folder(given: Optional[Path], environment: Mapping[str, str]) -> Path:
    """Return the server's extension folder.

    Parameters
    ----------
    given : Path, optional
        The extension folder or the root above it; None to look for one.
    environment : mapping of str to str
        Of this process.

    Raises
    ------
    NotFoundError
        When there is none; the message tells where it was looked for.
    """
    if given is not None:
        return _folder_at(given)
    found = extension_folders(environment)
    if found:
        return found[0]
    looked = ", ".join(str(root / BELOW_ROOT) for root in server_roots(environment))
    told = f"No extension folder of a server v2 was found (looked for {looked}); start "
    told += "the server once, which makes it, or give the folder with --folder."
    raise NotFoundError(told)


def _folder_at(given: Path) -> Path:
    """Return the extension folder that a person means."""
    whole = given.absolute()
    for below in (whole / BELOW_ROOT, whole / BELOW_ROOT.name):
        if _is_folder(below):
            return below
    # A server that has started has put its own extensions there.
    named = whole.name == BELOW_ROOT.name or _is_file(whole / DEFAULTS)
    if named and _is_folder(whole):
        return whole
    told = f"{given} is neither a server's extension folder ({BELOW_ROOT.name}) nor the "
    told += f"folder above {BELOW_ROOT}; start the server once, which makes it, "
    raise NotFoundError(told + "or give another --folder.")


def _is_folder(path: Path) -> bool:
    """Tell whether a folder is there; one behind a closed door is not."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    """Tell whether a file is there; one behind a closed door is not."""
    try:
        return path.is_file()
    except OSError:
        return False


# -------------------------------------------------------------------- the surroundings


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
    """Load the extension here, as the server will: better told now than in its log."""
    module, _, name = entry.entry_point.partition(":")
    try:
        getattr(importlib.import_module(module), name)
    except Exception as exc:
        told = f"The extension cannot be loaded by {sys.executable} "
        told += f"({type(exc).__name__}: {exc}); install what is missing with: "
        raise TimelapseError(told + _line("-m pip install openflexure-timelapse")) from exc


def _with_servers_python() -> str:
    """Return what to do when this Python is not the server's own."""
    told = "run the installer with the server's own Python, for example: "
    return f"{told}{SERVERS_PYTHON} -m {COMMAND}"


def _line(words: str) -> str:
    """Return a command for a shell that runs this Python."""
    return f"{shlex.quote(sys.executable)} {words}"


# -------------------------------------------------------------------------- the loader


def loader_text(entry: HostEntry) -> str:
    """Return the loader.

    What it raises must be an Exception: the server logs one and goes on without us, but
    anything else would end it.
    """
    module, _, name = entry.entry_point.partition(":")
    return f'''"""Loads OpenFlexure Timelapse into the microscope's server."""
{MARKER}
# Version {__version__} wrote it. It only loads the package openflexure-timelapse, which
# must be installed for the server's own Python.
# To remove it: openflexure-timelapse install --api v2 --undo
# (or delete this file), and restart the server.

from {module} import {name}

LABTHINGS_EXTENSIONS = ({name},)
'''


def is_ours(path: Path) -> bool:
    """Tell whether a file is a loader of ours, of any version.

    Raises
    ------
    StorageError
        When it cannot be read.
    """
    return MARKER.encode() in (_content(path) or b"").splitlines()


def install(folder: Path, entry: HostEntry) -> Installation:
    """Write the loader into an extension folder.

    Raises
    ------
    TimelapseError
        When the server would not load it, when another file is in its way, or when it
        cannot be written. The folder is as it was.
    """
    warnings = check_host(entry)
    path = folder / LOADER
    text = loader_text(entry).encode()
    before = _content(path)
    if before is not None:
        _keep_foreign(path)
    _check_others(folder)
    if before == text:
        return Installation("unchanged", path, warnings)
    _write(path, text)
    return Installation("installed" if before is None else "replaced", path, warnings)


def uninstall(folder: Path) -> Installation:
    """Remove the loader from an extension folder; a missing one is fine.

    Raises
    ------
    TimelapseError
        When the file of its name is not ours, or cannot be removed.
    """
    path = folder / LOADER
    if _content(path) is None:
        return Installation("nothing", path)
    _keep_foreign(path)
    try:
        RealDisk().remove(str(path))
    except TimelapseError as exc:
        raise _unwritable(exc, f"{COMMAND} --undo") from exc
    return Installation("removed", path)


def _content(path: Path) -> Optional[bytes]:
    """Return a file's bytes; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise storage_error(exc, "read", path) from exc


def _keep_foreign(path: Path) -> None:
    """Refuse to touch what somebody else wrote."""
    if not is_ours(path):
        told = f"{path} was not written by this installer and stays; "
        raise ConflictError(told + "move it away, then try again.")


def _check_others(folder: Path) -> None:
    """Refuse a second loader: of two extensions of one name the server does not start."""
    others = [*sorted(folder.glob("*.py")), *sorted(folder.glob("*/__init__.py"))]
    for other in others:
        if other.name != LOADER and LOADS_OURS.search(_content(other) or b""):
            told = f"{other} loads the time-lapse already, and with two of them the "
            raise ConflictError(told + "server does not start; remove it, then try again.")


def _write(path: Path, text: bytes) -> None:
    """Write the loader for the folder's owner; the server never sees half of it."""
    try:
        with durable_file(path) as stream:
            os.fchmod(stream.fileno(), LOADER_MODE)
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
            stream.write(text)
    except TimelapseError as exc:
        raise _unwritable(exc, COMMAND) from exc


def _unwritable(problem: TimelapseError, command: str) -> TimelapseError:
    """Return an error of the disk, with the way out that most often helps."""
    if os.geteuid() == 0:
        return problem
    told = f"{problem} With sudo: sudo {_line(f'-m {command}')}"
    return type(problem)(told)
