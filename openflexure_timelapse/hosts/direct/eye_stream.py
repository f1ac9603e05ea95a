"""The live view: each frame's small picture as a JPEG, with all that is told of it.

The library's own thread must never be held up or see an error of ours: it would end,
and with it every later picture. It copies; another thread encodes and sends, and where
that is too slow, the newest frame takes the place of the one that waits.
"""

import threading
import time
from typing import Any, Dict, NamedTuple, Optional

from openflexure_timelapse.hosts.direct.camera_pictures import (
    PictureCopy,
    copy_of,
    encode,
)

__all__ = ["Stream", "plain_metadata"]


class _Seen(NamedTuple):
    """A frame that waits to be encoded."""

    picture: PictureCopy
    metadata: Dict[str, Any]


class Stream:
    """Sends frames.

    Parameters
    ----------
    outbox : camera_child.Outbox
        Takes them.
    quality : int
        Of the JPEGs.
    """

    def __init__(self, outbox: Any, quality: int) -> None:
        self._outbox = outbox
        self._quality = quality
        self._ready = threading.Condition()
        self._newest: Optional[_Seen] = None
        self._dropped = 0
        self._more: Dict[str, Any] = {}
        threading.Thread(target=self._send_all, name="stream", daemon=True).start()

    def tell(self, **facts: Any) -> None:
        """Send some facts with the next frame."""
        with self._ready:
            self._more.update(facts)

    def saw(self, request: Any) -> None:
        """Take a frame; called by the library with each request."""
        try:
            seen = _Seen(
                copy_of(request, "lores"), plain_metadata(request.get_metadata())
            )
        except Exception as exc:  # noqa: BLE001 - see the module's text
            self.tell(trouble=f"a frame could not be read: {exc!r}")
            return
        with self._ready:
            self._dropped += self._newest is not None
            self._newest = seen
            self._ready.notify()

    def _send_all(self) -> None:
        """Encode and send the newest frame, again and again."""
        while True:
            with self._ready:
                while self._newest is None:
                    self._ready.wait()
                seen, self._newest = self._newest, None
                facts = {**self._more, "dropped": self._dropped}
                self._more = {}
            begun_s = time.thread_time()
            try:
                jpeg = encode(seen.picture, self._quality)
            except Exception as exc:  # noqa: BLE001 - told with the next frame
                self.tell(trouble=f"a frame could not be encoded: {exc!r}")
                continue
            spent_ms = round(1000.0 * (time.thread_time() - begun_s), 3)
            self._outbox.tell(
                "frame",
                [jpeg],
                metadata=seen.metadata,
                more={**facts, "encode_ms": spent_ms},
            )


def plain_metadata(metadata: Dict[str, Any]) -> Dict[str, Any]:
    """Return what the library tells of a frame, JSON-able."""
    return {name: _plain(value) for name, value in metadata.items()}


def _plain(value: Any) -> Any:
    """Return a value JSON-able; what is neither number, text nor a list, as text."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return str(value)
