"""The SHA-256 of a file's content, worked out while it is written."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Hasher", "sha256_of"]


class Hasher:
    """Works beside the thread that writes: hashing and flushing leave Python's lock."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "frame-hash")

    def begin(self, content: bytes) -> "Future[str]":
        """Begin; at the end of Python, whose pools take no more work, here and now."""
        try:
            return self._pool.submit(sha256_of, content)
        except RuntimeError:
            done: "Future[str]" = Future()
            done.set_result(sha256_of(content))
            return done

    def close(self) -> None:
        """Wait for what has begun, and take no more."""
        self._pool.shutdown()


def sha256_of(content: bytes) -> str:
    """Return the lower-case hex digest."""
    return hashlib.sha256(content).hexdigest()
