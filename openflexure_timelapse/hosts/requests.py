"""A request as it came over HTTP, and what is answered: plain data, no framework."""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional

from openflexure_timelapse.errors import (
    InvalidRequestError,
    RequestTooLargeError,
    TimelapseError,
)
from openflexure_timelapse.json_text import read_object

__all__ = [
    "MOST_BODY_BYTES",
    "SAFE_HEADERS",
    "Asked",
    "check_size",
    "error_json",
    "json_bytes",
]

MOST_BODY_BYTES = 1_000_000
# Of every answer. A browser takes it for what it is said to be, and what is in it runs
# no script but the page's own files and asks nobody but this server. Connect shows the
# page in a frame, so that is not forbidden.
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'",
}
WHOLE = re.compile(r"[0-9]{1,18}\Z")
SHOWN = 40


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes
    ----------
    path : mapping of str to str
        The parts of the address that a route names.
    query : mapping of str to str
        What follows the question mark.
    body : bytes
        As it came; empty for none.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def document(self) -> Dict[str, Any]:
        """Return the JSON object of the body; an empty one when there is no body.

        Raises
        ------
        InvalidRequestError
            For anything else.
        """
        check_size(len(self.body))
        if not self.body.strip():
            return {}
        try:
            text = self.body.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            told = f"The request's body is not UTF-8 ({exc.reason}); send JSON."
            raise InvalidRequestError(told) from exc
        return read_object(text, "The request's body", InvalidRequestError)

    def number(self, name: str, default: int) -> int:
        """Return a whole number of the query, or of the path.

        Raises
        ------
        InvalidRequestError
            When it is none.
        """
        found = self.optional_number(name)
        return default if found is None else found

    def optional_number(self, name: str) -> Optional[int]:
        """Return a whole number of the query, or of the path; None when not given.

        Raises
        ------
        InvalidRequestError
            When it is none.
        """
        text = self.path.get(name, self.query.get(name))
        if text is None:
            return None
        if not WHOLE.match(text):
            reason = f"should be a whole number (it is {text[:SHOWN]!r})"
            told = f"The request is not valid: {name} {reason}."
            raise InvalidRequestError(told, [{"field": name, "reason": reason}])
        return int(text)


def check_size(body_bytes: int) -> None:
    """Refuse a body by its size, or by what its header says of it.

    Raises
    ------
    RequestTooLargeError
        When it is larger than any plan.
    """
    if body_bytes > MOST_BODY_BYTES:
        told = f"The request's body has {body_bytes} bytes or more; at most "
        raise RequestTooLargeError(told + f"{MOST_BODY_BYTES} are taken.")


def error_json(error: Exception, status: int) -> Dict[str, Any]:
    """Return what is answered for an error, in the form of both servers' own.

    Parameters
    ----------
    error : Exception
        One of ours; of any other only the type is told, since its text is not meant
        for users.
    status : int
        The HTTP status that it is answered with.
    """
    told = str(error)
    if not isinstance(error, TimelapseError):
        told = f"The time-lapse extension failed ({type(error).__name__}); "
        told += "its server's log says where."
    fields = getattr(error, "fields", ())
    return {
        "code": status,
        "name": type(error).__name__,
        "message": told,
        "fields": [dict(item) for item in fields],
    }


def json_bytes(data: Any) -> bytes:
    """Return `data` as JSON that a browser reads: what is no number becomes null.

    Parameters
    ----------
    data : mapping
        Plain data. Python writes NaN and infinities bare, which is no JSON; a driver
        may have put one into a frame's metadata.
    """
    try:
        return json.dumps(data, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except ValueError:
        text = json.dumps(_finite(data), allow_nan=False, ensure_ascii=True)
        return text.encode("ascii")


def _finite(data: Any) -> Any:
    """Return `data` with None in place of each float that is no number."""
    if isinstance(data, dict):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data
