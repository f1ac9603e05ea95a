"""How late the newest slots were."""

from collections import deque
from typing import Deque, Optional

__all__ = ["LatenessMeter"]

NS_PER_MS = 1_000_000


class LatenessMeter:
    """The lateness of the newest slots, in a bounded amount of memory.

    Parameters
    ----------
    window : int
        How many slots count; a thousand make a p99 of ten samples.
    """

    def __init__(self, window: int = 1000) -> None:
        self._newest: Deque[int] = deque(maxlen=window)

    def add(self, lateness_ns: int) -> None:
        """Take the lateness of one more slot that was begun."""
        self._newest.append(lateness_ns)

    @property
    def last_ms(self) -> Optional[float]:
        """The newest lateness in milliseconds; None before the first."""
        return self._newest[-1] / NS_PER_MS if self._newest else None

    @property
    def p99_ms(self) -> Optional[float]:
        """The smallest lateness that 99 % of the window do not exceed; or None."""
        if not self._newest:
            return None
        ranked = sorted(self._newest)
        rank = -(-len(ranked) * 99 // 100)
        return ranked[rank - 1] / NS_PER_MS
