"""What waits to be sent by one channel: few messages, none lost, none too often.

Nothing here waits or knows a thread: `step` does what is due and says when to come
again.
"""

import threading
from collections import deque
from typing import Deque, Optional

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.channels import Channel, DeliveryError
from openflexure_timelapse.hosts.news import News, merged
from openflexure_timelapse.ports import Clock

__all__ = ["Outbox"]

NS_PER_S = 1_000_000_000
MOST_WAITING = 100
SEND_NS = 40 * NS_PER_S
QUIET_S = (60, 120, 240, 480, 960, 1800, 3600)
"""Between two messages; one longer each time that more came meanwhile."""
CALM_NS = 2 * 3600 * NS_PER_S
"""After so long without a message the next storm begins anew."""
BACK_OFF_S = (5, 20, 60, 300, 900, 1800)
"""Before the next try after a failed one; the last for all that follow."""
FAILURES_TOLD = 2
"""A network that is away for a moment is no news."""


class Outbox:
    """Sends at once, then in batches while more comes.

    Parameters
    ----------
    channel : Channel
        The way out.
    clock : Clock
        Keeps the deadlines.

    Attributes
    ----------
    trouble : str
        Why messages wait although they are due; empty while they do not.
    """

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self.channel = channel
        self.trouble = ""
        self._clock = clock
        self._lane = clock.lane("timelapse-notify")
        self._lock = threading.Lock()
        self._waiting: Deque[News] = deque()
        self._lost = 0
        self._storm = 0
        self._failures = 0
        self._sent_ns: Optional[int] = None
        self._not_before_ns = clock.monotonic_ns()

    def post(self, news: News) -> None:
        """Take a message; the oldest of too many is only counted. Returns at once."""
        with self._lock:
            self._waiting.append(news)
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
                self._lost += 1

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        with self._lock:
            return not self._waiting

    def step(self, *, now: bool = False) -> Optional[int]:
        """Send what is due.

        Parameters
        ----------
        now : bool
            Whatever waits is due: the program ends.

        Returns
        -------
        int or None
            When to come again; None when nothing waits.
        """
        with self._lock:
            batch, lost = list(self._waiting), self._lost
        if not batch:
            return None
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._not_before_ns and not now:
            return self._not_before_ns
        try:
            self._send(merged(batch, lost))
        except Exception as exc:  # noqa: BLE001 - a channel's own code
            self._failed(exc)
        else:
            self._delivered(len(batch), lost)
        return None if self.is_empty else self._not_before_ns

    def _send(self, news: News) -> None:
        """Send on a thread of its own, with a deadline.

        Raises
        ------
        DeliveryError, HardwareError
            When it was not taken, or not in time.
        """
        deadline_ns = self._clock.monotonic_ns() + SEND_NS
        self._lane.call("send a message", lambda: self.channel.send(news), deadline_ns)

    def _failed(self, error: Exception) -> None:
        """Try again later."""
        wait_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._failures += 1
        self._not_before_ns = self._clock.monotonic_ns() + wait_s * NS_PER_S
        if self._failures >= FAILURES_TOLD:
            why = type(error).__name__  # its text may hold a secret
            if isinstance(error, HardwareError):
                why = "no answer in time"
            elif isinstance(error, DeliveryError):
                why = str(error)
            told = f"Messages by {self.channel.label} are not delivered: {why}; "
            self.trouble = told + "they wait and are tried again."

    def _delivered(self, count: int, lost: int) -> None:
        """Forget what was sent, and keep quiet for a while."""
        now_ns = self._clock.monotonic_ns()
        is_calm = self._sent_ns is None or now_ns - self._sent_ns > CALM_NS
        self._storm = 0 if is_calm else min(self._storm + 1, len(QUIET_S) - 1)
        self._not_before_ns = now_ns + QUIET_S[self._storm] * NS_PER_S
        self._sent_ns, self._failures, self.trouble = now_ns, 0, ""
        with self._lock:
            # More may have come meanwhile, and may have pushed out some of these.
            pushed_out = self._lost - lost
            self._lost = max(0, pushed_out - count)
            for _ in range(count - pushed_out):
                self._waiting.popleft()

    def close(self) -> None:
        """Let the thread end."""
        self._lane.close()
