"""Whom this computer tells: a file of its administrator, which no request touches.

Looked for as the environment variable ``OPENFLEXURE_TIMELAPSE_NOTIFY`` says (set and
empty: nobody is told), then in
``$XDG_CONFIG_HOME/openflexure-timelapse/notify.json``, then in
``/etc/openflexure-timelapse/notify.json``. It holds secrets (a webhook's address is
one), so nothing of its content is ever in an answer, a log or a run's files.
"""

import os
import stat
from pathlib import Path
from typing import List, Mapping, Optional, Tuple

from pydantic import Field

from openflexure_timelapse.document import Document, parse
from openflexure_timelapse.errors import InvalidRequestError, StorageError
from openflexure_timelapse.json_text import read_object
from openflexure_timelapse.notify import KINDS, Kind
from openflexure_timelapse.store.disk import storage_error

__all__ = ["ENVIRONMENT", "NotifyFile", "Targets", "find_notify_file"]

ENVIRONMENT = "OPENFLEXURE_TIMELAPSE_NOTIFY"
PLACE = Path("openflexure-timelapse", "notify.json")
ETC = Path("/etc")
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
VALUE = " (it is "
"""What stands before the value in a complaint about a document."""


class Targets(Document):
    """Whom to tell, and of what.

    Attributes
    ----------
    webhooks : tuple of str
        Addresses (http or https) that are sent each message as JSON.
    apprise : tuple of str
        Addresses as the library apprise knows them: e-mail, Telegram, ntfy, Matrix ...
    on : tuple of str
        As in `notify.Notify`; a plan can only choose among these.
    name : str or None
        What people call this microscope; None for the computer's own name.
    """

    webhooks: Tuple[str, ...] = Field(default=(), max_length=20)
    apprise: Tuple[str, ...] = Field(default=(), max_length=20)
    on: Tuple[Kind, ...] = KINDS
    name: Optional[str] = Field(default=None, max_length=80)


NOBODY = Targets()


def find_notify_file(environ: Mapping[str, str]) -> Optional[Path]:
    """Return the file that counts; None where there is none.

    One that the environment names counts whether it is there or not.
    """
    named = environ.get(ENVIRONMENT)
    if named is not None:
        return Path(named) if named else None
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 (never raises)
    places = (Path(home) / PLACE, ETC / PLACE)
    return next((place for place in places if os.path.lexists(place)), None)


class NotifyFile:
    """Reads the file, again whenever it has changed.

    Parameters
    ----------
    path : Path, optional
        Of the file; None to look where this computer may have one.
    """

    def __init__(self, path: Optional[Path] = None) -> None:
        self._path = path
        self._seen: Tuple[object, ...] = ()
        self._targets = NOBODY

    @property
    def path(self) -> Optional[Path]:
        """Where the file is; None where there is none, and nobody is told."""
        return find_notify_file(os.environ) if self._path is None else self._path

    def read(self) -> Targets:
        """Return whom to tell.

        Raises
        ------
        StorageError
            When the file is missing, no file of ours, or anybody may change it. No
            value of it is in the message.
        """
        path = self.path
        if path is None:
            return NOBODY
        try:
            found = path.stat()
            facts = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)
            seen = (path, *facts)
            if seen != self._seen:
                self._targets = self._parsed(path, found.st_mode)
                self._seen = seen
        except OSError as exc:
            raise storage_error(exc, "read", path) from exc
        return self._targets

    def _parsed(self, path: Path, mode: int) -> Targets:
        """Read the file."""
        if mode & OTHERS_WRITE:
            told = f"Others may change {path}, so nobody is told anything; "
            raise StorageError(f"{told}type: chmod 600 {path}")
        what = f"The file {path}"
        try:
            text = path.read_text(encoding="utf-8")
            data = read_object(text, what, InvalidRequestError)
        except UnicodeDecodeError:
            raise StorageError(f"{what} is no UTF-8 text; write it anew.") from None
        except InvalidRequestError as exc:
            raise StorageError(str(exc)) from None
        try:
            targets = parse(Targets, data, InvalidRequestError, "file")
        except InvalidRequestError as exc:
            raise StorageError(
                f"{what} is not valid: {_without_values(exc)}."
            ) from None
        for address in targets.webhooks:
            if not address.lower().startswith(("http://", "https://")):
                told = f"{what} has a webhook that is neither http nor https; write "
                raise StorageError(told + "other addresses under apprise.")
        return targets

    def warnings(self) -> List[str]:
        """Return what its owner should know of it."""
        path = self.path
        try:
            self.read()
            if path is None or not path.stat().st_mode & stat.S_IROTH:
                return []
        except StorageError as exc:
            return [str(exc)]
        except OSError:  # it has just gone, which the next look tells
            return []
        told = f"Everybody on this computer can read the secrets in {path}; "
        return [f"{told}type: chmod 640 {path}"]


def _without_values(error: InvalidRequestError) -> str:
    """Return what is wrong with which field; the values may be secrets."""
    parts = (
        f"{item['field']} {item['reason'].partition(VALUE)[0]}" for item in error.fields
    )
    return "; ".join(parts) or "it should be an object {...}"
