"""Puts the extension into a server v2, and takes it out again.

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
from pathlib import Path
from typing import List, Mapping, Optional, Tuple

from openflexure_timelapse import __version__
from openflexure_timelapse.console.host_check import V2, check_host
from openflexure_timelapse.console.installation import (
    Installation,
    content,
    is_file,
    is_folder,
    unwritable,
)
from openflexure_timelapse.errors import ConflictError, NotFoundError, TimelapseError
from openflexure_timelapse.manifest import HostEntry, load_manifest
from openflexure_timelapse.store.disk import RealDisk, durable_file

__all__ = [
    "LOADER",
    "extension_folder",
    "extension_folders",
    "install",
    "install_v2",
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


def install_v2(options: Namespace) -> Installation:
    """Install into a server v2, or with ``--undo`` remove.

    Parameters
    ----------
    options : Namespace
        Of the command ``install``.

    Raises
    ------
    TimelapseError
        When it cannot be done; the folder is as it was.
    """
    if options.undo:
        return uninstall(_folder_to_undo(options.folder))
    folder = extension_folder(options.folder, os.environ)
    return install(folder, load_manifest().hosts["v2"])


def _told(done: str, path: Path, warnings: Tuple[str, ...] = ()) -> Installation:
    """Return what was done, in words and with what to do next."""
    again = "Restart the microscope's server (ofm restart)"
    told = {
        "installed": f"Installed: {path}",
        "replaced": f"Replaced the loader of another version: {path}",
        "unchanged": f"It was installed already, and is unchanged: {path}",
        "removed": f"Removed: {path}",
        "nothing": f"There is nothing to undo: {path} does not exist.",
    }
    after = {
        "nothing": [],
        "removed": [f"{again}; then the tab Time-lapse is gone. Runs are kept."],
    }
    opened = f"{again}; then open OpenFlexure Connect: there is a tab Time-lapse."
    lines = (told[done], *after.get(done, [opened]))
    return Installation(done, path, lines, warnings)


def _folder_to_undo(given: Optional[Path]) -> Path:
    """Return the folder that has a loader; where none has, the one it would go to."""
    found = [] if given is not None else extension_folders(os.environ)
    holding = [folder for folder in found if is_file(folder / LOADER)]
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
    return [folder for folder in folders if is_folder(folder)]


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
        if is_folder(below):
            return below
    # A server that has started has put its own extensions there.
    named = whole.name == BELOW_ROOT.name or is_file(whole / DEFAULTS)
    if named and is_folder(whole):
        return whole
    told = (
        f"{given} is neither a server's extension folder ({BELOW_ROOT.name}) nor the "
    )
    told += f"folder above {BELOW_ROOT}; start the server once, which makes it, "
    raise NotFoundError(told + "or give another --folder.")


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
except BaseException:  # also a SystemExit must not keep the microscope from starting
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
    return MARKER.encode() in (content(path) or b"").splitlines()


def install(folder: Path, entry: HostEntry) -> Installation:
    """Write the loader into an extension folder.

    Raises
    ------
    TimelapseError
        When the server would not load it, when another file is in its way, or when it
        cannot be written. The folder is as it was.
    """
    warnings = check_host(entry, V2)
    path = folder / LOADER
    text = loader_text(entry).encode()
    before = content(path)
    if before is not None:
        _keep_foreign(path)
    _check_others(folder)
    if before == text:
        return _told("unchanged", path, warnings)
    _write(path, text)
    return _told("installed" if before is None else "replaced", path, warnings)


def uninstall(folder: Path) -> Installation:
    """Remove the loader from an extension folder; a missing one is fine.

    Raises
    ------
    TimelapseError
        When the file of its name is not ours, or cannot be removed.
    """
    path = folder / LOADER
    if content(path) is None:
        return _told("nothing", path)
    _keep_foreign(path)
    try:
        RealDisk().remove(str(path))
    except TimelapseError as exc:
        raise unwritable(exc, f"{V2.command} --undo") from exc
    return _told("removed", path)


def _keep_foreign(path: Path) -> None:
    """Refuse to touch what somebody else wrote."""
    if not is_ours(path):
        told = f"{path} was not written by this installer and stays; "
        raise ConflictError(told + "move it away, then try again.")


def _check_others(folder: Path) -> None:
    """Refuse a second loader: with two extensions of a name no server starts."""
    others = [*sorted(folder.glob("*.py")), *sorted(folder.glob("*/__init__.py"))]
    for other in filter(is_file, others):
        if other.name != LOADER and LOADS_OURS.search(content(other) or b""):
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
        raise unwritable(exc, V2.command) from exc
