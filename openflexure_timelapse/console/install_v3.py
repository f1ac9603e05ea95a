"""Adds the Thing to the configuration of a server v3, and takes it out again.

The microscope's own configuration is a base file and a merge patch (RFC 7396) to it:
ours is one entry of the patch, and the base stays as it came. A configuration that is
whole in one file, as for a plain ``labthings-server``, gets the same entry among its
Things. What else the file says is kept, and whether it is right is the server's affair.
"""

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from openflexure_timelapse.console.config_file import (
    parsed,
    read,
    rendered,
    same,
    write_like,
)
from openflexure_timelapse.console.host_check import V3, check_host
from openflexure_timelapse.console.installation import (
    Installation,
    content,
    is_file,
    is_folder,
    unwritable,
)
from openflexure_timelapse.console.v3_entry import (
    check_entry,
    check_only,
    keep_foreign,
)
from openflexure_timelapse.errors import (
    InvalidRequestError,
    NotFoundError,
    StorageError,
    TimelapseError,
)
from openflexure_timelapse.manifest import HostEntry, load_manifest
from openflexure_timelapse.store.disk import RealDisk

__all__ = [
    "NAME",
    "backup_of",
    "config_file",
    "config_files",
    "install",
    "install_v3",
    "is_installed",
    "uninstall",
]

NAME = "timelapse"
FILE = "ofm_config.json"
ROOT = Path("/var/openflexure")
SETTINGS = "settings"
BACKUP = ".before_timelapse"
BASE = "base_config_file"
PATCH = "patch"
THINGS = "things"
SERVERS_PREFIX = "/api/v3"

Document = Dict[str, Any]
Keys = Tuple[str, ...]


def install_v3(options: Namespace) -> Installation:
    """Install into a server v3, or with ``--undo`` remove.

    Parameters
    ----------
    options : Namespace
        Of the command ``install``.

    Raises
    ------
    TimelapseError
        When it cannot be done; the configuration is as it was.
    """
    entry = load_manifest().hosts["v3"]
    if not options.undo:
        return install(config_file(options.folder), entry)
    if options.folder is None and not config_files():
        return _nothing(_standard_file(), "does not exist")
    return uninstall(config_file(options.folder), entry)


# -------------------------------------------------------------------- the configuration


def config_files() -> List[Path]:
    """Return the configurations at the usual place that exist: one, or none."""
    return [path for path in [_standard_file()] if is_file(path)]


def config_file(given: Optional[Path]) -> Path:
    """Return the server's configuration.

    Parameters
    ----------
    given : Path, optional
        The file, its folder or the root above that; None for the usual place.

    Raises
    ------
    NotFoundError
        When there is none; the message tells where it was looked for.
    """
    if given is None:
        looked = [_standard_file()]
    elif is_folder(given):
        looked = [given / FILE, given / SETTINGS / FILE]
    else:
        looked = [given]
    for path in looked:
        if is_file(path):
            return path.resolve()  # the file is replaced, and a link to it stays
    told = "No configuration of a server v3 was found (looked for "
    told += f"{', '.join(map(str, looked))}); give the file that the server is started "
    raise NotFoundError(told + "with, or its folder, with --folder.")


def backup_of(path: Path) -> Path:
    """Return where the configuration is kept as it was before it was installed."""
    return path.with_name(path.name + BACKUP)


def _standard_file() -> Path:
    """Return where a microscope has its configuration."""
    return ROOT / SETTINGS / FILE


def _place(document: Document, path: Path) -> Keys:
    """Return under which keys the Things are, or are to be."""
    if PATCH in document or BASE in document:
        return (PATCH, THINGS)
    if THINGS in document:
        return (THINGS,)
    told = f"{path} is no configuration of a server v3: it has neither {THINGS} nor "
    told += f"{BASE}; give the file that the server is started with, with --folder."
    raise InvalidRequestError(told)


def _inside(document: Document, keys: Keys, path: Path) -> Document:
    """Return the object under `keys`: an empty one where there is none."""
    found: Any = document
    for number, key in enumerate(keys):
        found = found.get(key, {})
        if not isinstance(found, dict):
            where, kind = ".".join(keys[: number + 1]), type(found).__name__
            told = f"{where} of {path} must be an object and is {json.dumps(found)} "
            raise InvalidRequestError(f"{told}({kind}); correct it, then try again.")
    inside: Document = found
    return inside


def is_installed(path: Path, entry: HostEntry) -> bool:
    """Tell whether a configuration has our Thing.

    Raises
    ------
    TimelapseError
        When it cannot be read, or when what it has would not be loaded as meant.
    """
    document = parsed(read(path), path)
    keys = _place(document, path)
    things = _inside(document, keys, path)
    where = f"{'.'.join(keys)} of {path}"
    check_only(things, NAME, entry.entry_point, where)
    if NAME not in things:
        return False
    keep_foreign(things[NAME], NAME, entry.entry_point, where)
    check_entry(things[NAME], NAME, where)
    return True


# ----------------------------------------------------------------------------- install


def install(path: Path, entry: HostEntry) -> Installation:
    """Add our Thing to a configuration, as the last one.

    Parameters
    ----------
    path : Path
        The configuration; no link to it.
    entry : HostEntry
        Of the manifest.

    Raises
    ------
    TimelapseError
        When the server would not load it, when another Thing is in its way, or when
        it cannot be written. The configuration is as it was.
    """
    warnings = check_host(entry, V3)
    before = _read(path, V3.command)
    if is_installed(path, entry):
        told = f"The Thing {NAME} was there already; unchanged: {path}"
        return Installation("unchanged", path, (told,), warnings)
    document = parsed(before, path)
    keys = _place(document, path)
    _check_base(document, path, entry)
    _add(document, keys, entry)
    backup = backup_of(path)
    _write(path, V3.command, (backup, before), (path, rendered(document, before)))
    page = f"{_prefix(document, keys)}/{NAME}/page/"
    again = "Restart the server (on a microscope: ofm restart)"
    lines = (
        f"Added the Thing {NAME}, under {'.'.join(keys)}: {path}",
        f"The file as it was: {backup}",
        f"{again}; then open its address, followed by {page}",
    )
    return Installation("installed", path, lines, warnings, backup)


def _add(document: Document, keys: Keys, entry: HostEntry) -> None:
    """Add our entry, making the objects above it where they are missing."""
    things = document
    for key in keys:
        things = things.setdefault(key, {})
    things[NAME] = {"class": entry.entry_point}


def _prefix(document: Document, keys: Keys) -> str:
    """Return what the addresses of the server begin with."""
    standard = SERVERS_PREFIX if PATCH in keys else ""
    return str(_inside(document, keys[:-1], Path()).get("api_prefix", standard))


def _check_base(document: Document, path: Path, entry: HostEntry) -> None:
    """Refuse to add to a base that has a Thing of our name, or ours by another name.

    A base that cannot be read is the server's affair, and the server says so.
    """
    named = document.get(BASE)
    if not isinstance(named, str):
        return
    base = path.parent / os.path.expandvars(named)
    try:
        found = parsed(read(base), base)
        keys = _place(found, base)
        things = _inside(found, keys, base)
    except TimelapseError:
        return
    where = f"{'.'.join(keys)} of {base}"
    check_only(things, "", entry.entry_point, where)
    if NAME in things:
        keep_foreign(things[NAME], NAME, entry.entry_point, where)


def _read(path: Path, command: str) -> bytes:
    """Return the bytes of a configuration that may be changed."""
    try:
        data = read(path)
    except StorageError as exc:
        raise unwritable(exc, command) from exc
    if not os.access(str(path), os.W_OK):
        told = f"Cannot write {path}: permission denied; change its owner."
        raise unwritable(StorageError(told), command)
    return data


def _write(path: Path, command: str, *files: Tuple[Path, bytes]) -> None:
    """Write files like the configuration, one after the other."""
    try:
        for target, data in files:
            write_like(target, data, path)
    except TimelapseError as exc:
        raise unwritable(exc, command) from exc


# -------------------------------------------------------------------------------- undo


def uninstall(path: Path, entry: HostEntry) -> Installation:
    """Take our Thing out of a configuration; a missing one is fine.

    Objects that `install` made go with it once they are empty. Where nothing else has
    changed since, the file gets back its very bytes, and the copy of it goes.

    Parameters
    ----------
    path : Path
        The configuration; no link to it.
    entry : HostEntry
        Of the manifest.

    Raises
    ------
    TimelapseError
        When the Thing of our name is another, or the file cannot be written.
    """
    document = parsed(read(path), path)
    keys = _place(document, path)
    things = _inside(document, keys, path)
    if NAME not in things:
        return _nothing(path, f"has no Thing {NAME}")
    keep_foreign(things[NAME], NAME, entry.entry_point, f"{'.'.join(keys)} of {path}")
    command = f"{V3.command} --undo"
    before = _read(path, command)
    gone = things.pop(NAME)
    backup = backup_of(path)
    data, kept = _kept(backup)
    if data is not None:
        _remove_empty(document, kept, keys)
    if data is None or not same(document, kept):
        _write(path, command, (path, rendered(document, before)))
        return _removed(path, gone, None if data is None else backup, entry)
    _write(path, command, (path, data))
    RealDisk().remove(str(backup))
    return _removed(path, gone, None, entry)


def _kept(backup: Path) -> Tuple[Optional[bytes], Document]:
    """Return the file as it was before: its bytes and what they say.

    None and nothing where that is not known; then no empty object is removed.
    """
    try:
        data = content(backup)
        if data is not None:
            return data, parsed(data, backup)
    except TimelapseError:
        pass  # damaged or not for us to read: as good as none
    return None, {}


def _remove_empty(document: Document, kept: Document, keys: Keys) -> None:
    """Remove the objects above our entry that are empty and were not there before."""
    for depth in range(len(keys), 0, -1):
        *above, last = keys[:depth]
        now, then = document, kept
        for key in above:
            now, then = now[key], then.get(key, {})
        if now[last] or last in then:
            return
        del now[last]


def _removed(
    path: Path, gone: Any, backup: Optional[Path], entry: HostEntry
) -> Installation:
    """Return that it was removed, and what went with it."""
    lines = [f"Removed the Thing {NAME}: {path}"]
    if backup is not None:
        lines.append(f"Other parts of it have changed since; as it was: {backup}")
    lines.append(
        "Restart the server (on a microscope: ofm restart); then the time-lapse is "
        "gone. Runs are kept."
    )
    warnings: Tuple[str, ...] = ()
    if gone not in (entry.entry_point, {"class": entry.entry_point}):
        warnings = (f"What somebody had added to it is gone too: {json.dumps(gone)}",)
    return Installation("removed", path, tuple(lines), warnings, backup)


def _nothing(path: Path, why: str) -> Installation:
    """Return that there was nothing to remove."""
    return Installation("nothing", path, (f"There is nothing to undo: {path} {why}.",))
