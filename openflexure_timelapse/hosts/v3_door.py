"""What every request to our Thing of server v3 passes first, also those to actions.

The server's library reads a body whole, however large it is and however long it takes,
and keeps what an action was started with for everybody who asks for the actions.
"""

import asyncio
from typing import Any

from openflexure_timelapse.errors import InvalidRequestError, TimelapseError
from openflexure_timelapse.hosts.requests import (
    SAFE_HEADERS,
    check_size,
    error_json,
    json_bytes,
)
from openflexure_timelapse.json_text import is_deep_text

__all__ = ["Door"]

LONGEST_BODY_S = 30.0
TOO_SLOW = 408
SAFE = [(name.lower().encode(), text.encode()) for name, text in SAFE_HEADERS.items()]


class Door:
    """ASGI middleware: no body beyond a size, none without an end, none too deep.

    Parameters
    ----------
    app : callable
        What comes after it.
    prefix : str
        Of the addresses that are ours; others pass untouched.
    patience_s : float
        How long a body may take to arrive.
    """

    def __init__(
        self, app: Any, prefix: str, patience_s: float = LONGEST_BODY_S
    ) -> None:
        self._app = app
        self._prefix = prefix
        self._patience_s = patience_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request pass, with its body, or refuse it."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        try:
            reading = _body(scope, receive)
            body = await asyncio.wait_for(reading, self._patience_s)
        except TimelapseError as exc:
            await _refuse(send, exc, exc.http_status)
            return
        except asyncio.TimeoutError:
            told = f"The request's body took more than {self._patience_s:g} s; "
            await _refuse(send, InvalidRequestError(told + "send it again."), TOO_SLOW)
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Any:
            return waiting.pop() if waiting else await receive()

        async def send_safely(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *SAFE]}
            await send(message)

        await self._app(scope, receive_again, send_safely)


async def _body(scope: Any, receive: Any) -> bytes:
    """Return the body of a request.

    Raises
    ------
    InvalidRequestError
        When it is too large, or nested too deeply.
    """
    length = dict(scope["headers"]).get(b"content-length", b"0")
    check_size(int(length) if length.isdigit() else 0)
    found = bytearray()
    message: Any = {"more_body": True}
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            told = "The request broke off before the end of its body; send it again."
            raise InvalidRequestError(told)
        found += message.get("body", b"")
        check_size(len(found))
    if is_deep_text(found.decode("utf-8", "replace")):
        told = "The request's body is nested too deeply; "
        raise InvalidRequestError(told + "write it without so many levels.")
    return bytes(found)


async def _refuse(send: Any, error: TimelapseError, status: int) -> None:
    """Answer with an error, in the form of every other."""
    content = json_bytes(error_json(error, status))
    headers = [(b"content-type", b"application/json"), (b"connection", b"close"), *SAFE]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
