"""Puts the extension into a server, and takes it out again.

Server v2 runs every Python file in its extension folder. Ours is a loader of a few
lines: the package itself stays where pip put it, so that an update needs no new loader.
The loader is imported by the server's Python, so the installer runs in that one, and
refuses where the server would not find what it needs.
"""

import contextlib
import os
import pwd
import re
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from openflexure_timelapse import __version__
from openflexure_timelapse.console.host_check import INSTALL, check_host, this_python
from openflexure_timelapse.console.printing import Printer
from openflexure_timelapse.errors import ConflictError, NotFoundError, TimelapseError
from openflexure_timelapse.manifest import HostEntry, load_manifest
from openflexure_timelapse.store.disk import RealDisk, durable_file, storage_error

__all__ = [
    "LOADER",
    "Installation",
    "extension_folder",
    "extension_folders",
    "install",
    "install_or_undo",
    "is_ours",
    "loader_text",
    "server_roots",
    "uninstall",
]

LOADER = "openflexure_timelapse_extension.py"
MARKER = "# Written by: openflexure-timelapse install"
PREFERRED_ROOT = Path("/var/openflexure")
BELOW_ROOT = Path("extensions", "microscope_extensions")
DEFAULTS = "defaults.py"
LOADER_MODE = 0o644

LOADS_OURS = re.compile(rb"^\s*(?:from|import)\s+openflexure_timelapse\b", re.MULTILINE)


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
            "replaced": f"Replaced the loader of another version: {self.path}",
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


def install_or_undo(options: Namespace, printer: Printer) -> None:
    """Install, or with ``--undo`` remove, and tell what was done.

    Parameters
    ----------
    options : Namespace
        Of the command ``install``.
    printer : Printer
        Told what was done and what to do next.

    Raises
    ------
    TimelapseError
        When it cannot be done; the folder is as it was.
    """
    if options.undo:
        did = uninstall(_folder_to_undo(options.folder))
    else:
        folder = extension_folder(options.folder, os.environ)
        did = install(folder, load_manifest().hosts[options.api])
    printer.result(did.to_json())
    for line in did.lines():
        printer.say(line)
    for warning in did.warnings:
        printer.say(warning, style="yellow")


def _folder_to_undo(given: Optional[Path]) -> Path:
    """Return the folder that has a loader; where none has, the one it would go to."""
    found = [] if given is not None else extension_folders(os.environ)
    holding = [folder for folder in found if _is_file(folder / LOADER)]
    return holding[0] if holding else extension_folder(given, os.environ)


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
        with contextlib.suppress(KeyError):  # a user whose directory service is away
            homes.insert(0, Path(pwd.getpwnam(person).pw_dir))
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
    told = (
        f"{given} is neither a server's extension folder ({BELOW_ROOT.name}) nor the "
    )
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


# -------------------------------------------------------------------------- the loader


def loader_text(entry: HostEntry) -> str:
    """Return the loader.

    The server goes on when a file of the folder raises an Exception; a SystemExit would
    end it, so nothing but Ctrl-C leaves the loader.
    """
    module, _, name = entry.entry_point.partition(":")
    return f'''"""Loads OpenFlexure Timelapse into the microscope's server."""
{MARKER}
# Version {__version__} wrote it. It only loads the package openflexure-timelapse, which
# must be installed for the server's own Python.
# To remove it: openflexure-timelapse install --api v2 --undo
# (or delete this file), and restart the server.

import logging
import sys

LABTHINGS_EXTENSIONS = ()
try:
    from {module} import {name}

    LABTHINGS_EXTENSIONS = ({name},)
except KeyboardInterrupt:
    raise
except BaseException:
    logging.getLogger("openflexure_timelapse").exception(
        "The time-lapse is not loaded, everything else works. Type: %s -m pip install "
        "openflexure-timelapse; then restart the server, or remove %s. The reason:",
        sys.executable,
        __file__,
    )
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
        raise _unwritable(exc, f"{INSTALL} --undo") from exc
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
    """Refuse a second loader: with two extensions of a name no server starts."""
    others = [*sorted(folder.glob("*.py")), *sorted(folder.glob("*/__init__.py"))]
    for other in filter(_is_file, others):
        if other.name != LOADER and LOADS_OURS.search(_content(other) or b""):
            told = f"{other} loads the time-lapse already, and with two of them the "
            raise ConflictError(
                told + "server does not start; remove it, then try again."
            )


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
        raise _unwritable(exc, INSTALL) from exc


def _unwritable(problem: TimelapseError, command: str) -> TimelapseError:
    """Return an error of the disk, with the way out that most often helps."""
    if os.geteuid() == 0:
        return problem
    told = f"{problem} With sudo: sudo {this_python(command)}"
    return type(problem)(told)
