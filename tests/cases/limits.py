"""Limits of the process, for as long as a ``with`` block."""

import contextlib
import resource
from typing import Iterator


@contextlib.contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond `size_bytes`, in this process and its new children.

    Not as a fixture: pytest itself writes between the parts of a test, and its own
    output may be a large file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
