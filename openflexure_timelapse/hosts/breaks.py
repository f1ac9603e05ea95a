"""How often in a row an error of our own may cut a run off before it ends."""

from typing import Optional

from openflexure_timelapse.run_state import LastFrame

__all__ = ["Breaks"]

MOST = 3
"""Without a frame between them: then the error is there to stay."""


class Breaks:
    """Counts how often the runs of this process have broken off."""

    def __init__(self) -> None:
        self._count = 0
        self._frame = 0

    def add(self) -> None:
        """Take note that a run has broken off and goes on."""
        self._count += 1

    def allow_another(self, last: Optional[LastFrame]) -> bool:
        """Tell whether a run whose newest frame is `last` may break off once more."""
        n = 0 if last is None else last.n
        if n > self._frame:
            self._count = 0
        self._frame = n
        return self._count < MOST
