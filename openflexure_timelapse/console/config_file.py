"""A server's JSON configuration: read, and written again in the form that it had."""

import json
import os
import re
from pathlib import Path
from typing import Any, Dict, Optional

from openflexure_timelapse.console.installation import content
from openflexure_timelapse.errors import InvalidRequestError, NotFoundError
from openflexure_timelapse.store.disk import durable_file, storage_error

__all__ = ["parsed", "read", "rendered", "same", "write_like"]

INDENTATION = re.compile(r"\n([ \t]+)\S")
COMMENT = re.compile(r"^\s*(?://|/\*|#)", re.MULTILINE)
PERMISSIONS = 0o7777


def read(path: Path) -> bytes:
    """Return the bytes of a configuration.

    Raises
    ------
    NotFoundError
        When there is none.
    StorageError
        When it cannot be read.
    """
    found = content(path)
    if found is None:
        told = f"There is no configuration {path}; give another --folder."
        raise NotFoundError(told)
    return found


def parsed(data: bytes, path: Path) -> Dict[str, Any]:
    """Return what a configuration says.

    Raises
    ------
    InvalidRequestError
        When it is not JSON, or not an object.
    """
    try:
        document = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        why = str(exc)
        if COMMENT.search(data.decode("utf-8", "replace")):
            why += "; it seems to have comments, which JSON has not"
        told = f"{path} is not JSON, so no server would read it ({why}); correct it, "
        raise InvalidRequestError(told + "then try again.") from exc
    if not isinstance(document, dict):
        told = f"{path} is JSON and no configuration: it holds a "
        told += f"{type(document).__name__} instead of an object; "
        raise InvalidRequestError(told + "give another --folder.")
    return document


def _refuse_constant(name: str) -> Any:
    """Refuse what Python reads as a number and no other program does."""
    message = f"{name} is no number"
    raise ValueError(message)


def rendered(document: Dict[str, Any], like: bytes) -> bytes:
    """Return a document as JSON: indented, ended and escaped as it was before.

    Parameters
    ----------
    document : dict
        Its keys keep their order.
    like : bytes
        How it was written before.
    """
    before = like.decode("utf-8")
    text = json.dumps(
        document,
        indent=_indentation(before),
        ensure_ascii=before.isascii(),
        allow_nan=False,
    )
    text += before[len(before.rstrip()) :].replace("\r\n", "\n")
    return text.replace("\n", "\r\n" if "\r\n" in before else "\n").encode()


def _indentation(text: str) -> Optional[str]:
    """Return what the first indented line begins with; None for all on one line."""
    found = INDENTATION.search(text)
    if found is not None:
        return found.group(1)
    return "" if "\n" in text.strip() else None


def same(one: Dict[str, Any], other: Dict[str, Any]) -> bool:
    """Tell whether two documents say the same, in the same order."""
    return json.dumps(one) == json.dumps(other)


def write_like(path: Path, data: bytes, model: Path) -> None:
    """Write a file durably, for the owner and with the permissions of another.

    Parameters
    ----------
    path : Path
        The server never sees half of it.
    data : bytes
        All of it.
    model : Path
        The file to be like; may be the same one.

    Raises
    ------
    StorageError
        When it cannot be written, or not be given to its owner; it is as it was.
    """
    try:
        like = model.stat()
    except OSError as exc:
        raise storage_error(exc, "read", model) from exc
    with durable_file(path) as stream:
        own = os.fstat(stream.fileno())
        if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid):
            os.fchown(stream.fileno(), like.st_uid, like.st_gid)
        os.fchmod(stream.fileno(), like.st_mode & PERMISSIONS)
        rest = memoryview(data)
        while rest:
            rest = rest[stream.write(rest) :]
