"""Messages between two processes of ours: a JSON header, and bytes behind it.

Not pickle: whoever can write to the socket can say only what JSON can say. A message is
eight bytes with both lengths, big-endian, then the header in UTF-8, then the bytes.
"""

import json
import socket
import struct
from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Union

__all__ = ["Message", "receive", "send"]

LENGTHS = struct.Struct(">II")
MOST_HEADER_BYTES = 1 << 20
MOST_BODY_BYTES = 1 << 29

Bytes = Union[bytes, bytearray, memoryview]


class Message(NamedTuple):
    """What was received.

    Attributes
    ----------
    header : dict
        JSON-able.
    body : bytearray
        Empty when there was none.
    """

    header: Dict[str, Any]
    body: bytearray


def send(
    to: socket.socket, header: Mapping[str, Any], bodies: Sequence[Bytes] = ()
) -> None:
    """Send a message; one thread at a time.

    Parameters
    ----------
    to : socket
        Blocking, of type SOCK_STREAM.
    header : mapping
        JSON-able.
    bodies : sequence of bytes
        Sent one after the other, as one body.

    Raises
    ------
    OSError
        When nobody reads any more.
    """
    told = json.dumps(header).encode("utf-8")
    views = [memoryview(body).cast("B") for body in bodies]
    size = sum(len(view) for view in views)
    to.sendall(LENGTHS.pack(len(told), size) + told)
    for view in views:
        to.sendall(view)


def receive(source: socket.socket) -> Optional[Message]:
    """Return the next message; None when the other end has closed, or sent nonsense.

    Parameters
    ----------
    source : socket
        As for `send`; one thread at a time.
    """
    lengths = _exactly(source, LENGTHS.size)
    if lengths is None:
        return None
    header_bytes, body_bytes = LENGTHS.unpack(lengths)
    if header_bytes > MOST_HEADER_BYTES or body_bytes > MOST_BODY_BYTES:
        return None
    told = _exactly(source, header_bytes)
    body = _exactly(source, body_bytes)
    if told is None or body is None:
        return None
    try:
        header = json.loads(told.decode("utf-8"))
    except ValueError:
        return None
    return Message(header, body) if isinstance(header, dict) else None


def _exactly(source: socket.socket, count: int) -> Optional[bytearray]:
    """Return so many bytes; None when the other end closes before."""
    data = bytearray(count)
    view = memoryview(data)
    done = 0
    while done < count:
        try:
            got = source.recv_into(view[done:])
        except OSError:
            return None
        if not got:
            return None
        done += got
    return data
