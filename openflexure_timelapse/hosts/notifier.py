"""Telling people: a thread of its own between a run and the ways out.

A run only puts a message down here, which takes no time and cannot fail.
"""

import logging
import socket
import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional

from openflexure_timelapse.errors import InvalidRequestError, StorageError
from openflexure_timelapse.hosts.channels import Channel, channels_of
from openflexure_timelapse.hosts.news import TEST, News, test_news
from openflexure_timelapse.hosts.notify_file import NotifyFile
from openflexure_timelapse.hosts.outbox import Outbox
from openflexure_timelapse.hosts.run_news import RunNews
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.status import local_time

__all__ = ["Notifier"]

LOG = logging.getLogger(__name__)

NS_PER_S = 1_000_000_000
CLOSE_S = 20.0
MOST_IN = 1000
LOOK_AGAIN_NS = 60 * NS_PER_S
"""At a file that cannot be read while messages wait for what it says."""

Note = Callable[[str, Mapping[str, Any]], None]


class Notifier:
    """Sends messages to whom the computer's file names.

    Parameters
    ----------
    file : NotifyFile
        Whom; read again when it changes.
    clock : Clock
        The real one: messages are for people.
    note : callable
        Is told what should be on record of the run that is under way.
    make_channels : callable, optional
        Makes the ways out.
    """

    def __init__(
        self,
        file: NotifyFile,
        clock: Clock,
        note: Note,
        make_channels: Callable[[Any], List[Channel]] = channels_of,
    ) -> None:
        self._file = file
        self._clock = clock
        self._note = note
        self._make_channels = make_channels
        self._in: Deque[News] = deque(maxlen=MOST_IN)
        self._outboxes: Dict[str, Outbox] = {}
        self._wake = clock.signal()
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._closing = False

    # ----------------------------------------------------------------- from any thread

    def of_run(
        self, plan: Plan, run_id: str, counts: Mapping[str, int], clock: Clock
    ) -> RunNews:
        """Return an observer that tells of one run; see `RunNews`."""
        return RunNews(plan, run_id, counts, self._host(), clock, self.post)

    def post(self, news: News) -> None:
        """Take a message; returns at once."""
        if self._file.path is None:
            return
        with self._lock:
            self._in.append(news)
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(
                    target=self._work, name="timelapse-notify", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def test(self) -> Dict[str, Any]:
        """Post a message that only says that messages arrive.

        Returns
        -------
        dict
            ``tells``: by what kinds of ways it is on its way.

        Raises
        ------
        InvalidRequestError
            When nobody is to be told.
        StorageError
            When the file cannot be used.
        """
        self._file.read()
        tells = self.tells()
        if not tells:
            told = "Nobody is told anything by this computer; its administrator can "
            raise InvalidRequestError(told + "set it up (docs/unattended.md).")
        time = local_time(self._clock, self._clock.wall_ns()) or "unknown"
        self.post(test_news(self._host(), time))
        return {"tells": tells}

    def tells(self) -> List[str]:
        """Return the kinds of ways by which people are told, without addresses."""
        try:
            channels = self._make_channels(self._file.read())
        except StorageError:
            return []
        return sorted({channel.label for channel in channels})

    def warnings(self) -> List[str]:
        """Return what is wrong: with the file, and with what could not be delivered."""
        boxes = list(self._outboxes.values())
        return [*self._file.warnings(), *(box.trouble for box in boxes if box.trouble)]

    def close(self) -> None:
        """Send at once what waits, for some seconds at most, and end."""
        with self._lock:
            self._closing, thread = True, self._thread
        self._wake.set()
        if thread is not None:
            thread.join(CLOSE_S)
        if self._in:
            LOG.warning("%d messages found nobody to be sent to.", len(self._in))
        left = [box for box in self._outboxes.values() if not box.is_empty]
        for box in left:
            LOG.warning("Messages by %s were not delivered.", box.channel.label)

    def _host(self) -> str:
        """Return what people call this computer."""
        try:
            return self._file.read().name or socket.gethostname()
        except StorageError:
            return socket.gethostname()

    # -------------------------------------------------------------------- the thread

    def _work(self) -> None:
        """Send what there is until closed."""
        while True:
            self._wake.clear()
            closing = self._closing
            due_ns = self.step(now=closing)
            if closing:
                break
            self._clock.wait_until(due_ns, self._wake)
        for box in self._outboxes.values():
            box.close()

    def step(self, *, now: bool = False) -> Optional[int]:
        """Send what is due; see `Outbox.step`."""
        try:
            targets = self._file.read()
        except StorageError as exc:  # told by the status; what waits, waits on
            LOG.warning("Nobody can be told for the moment: %s", exc)
            return self._clock.monotonic_ns() + LOOK_AGAIN_NS if self._in else None
        self._arrange(self._make_channels(targets))
        while self._in:
            news = self._in.popleft()
            if news.kind == TEST or news.kind in targets.on:
                for box in self._outboxes.values():
                    box.post(news)
        times = [self._step(box, now=now) for box in self._outboxes.values()]
        return min((time for time in times if time is not None), default=None)

    def _arrange(self, channels: List[Channel]) -> None:
        """Have an outbox for each channel; one that is gone goes with what waits."""
        kept = dict(self._outboxes)
        boxes = {}
        for channel in channels:
            box = kept.pop(channel.key, None)
            boxes[channel.key] = box or Outbox(channel, self._clock)
        self._outboxes = boxes
        for box in kept.values():
            box.close()

    def _step(self, box: Outbox, *, now: bool) -> Optional[int]:
        """Let one outbox send; put it on record when it cannot."""
        before = box.trouble
        due_ns = box.step(now=now)
        if box.trouble and not before:
            LOG.warning("%s", box.trouble)
            self._note("notification_failed", {"error": box.trouble})
        return due_ns
