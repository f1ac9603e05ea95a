"""One engine on a thread of its own, watched from its first step to its last."""

import logging
import threading
from dataclasses import replace
from typing import Callable, Optional

from openflexure_timelapse.engine import Engine
from openflexure_timelapse.hosts.run_news import RunNews
from openflexure_timelapse.hosts.watchdog import Watchdog
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.run_state import RunStatus
from openflexure_timelapse.store.run_store import RunStore

__all__ = ["RunThread"]

LOG = logging.getLogger(__name__)


class RunThread:
    """Runs an engine and closes its store.

    Parameters
    ----------
    engine : Engine
        Not run yet.
    store : RunStore
        The engine's; closed when it has ended.
    news : RunNews
        Told when the run makes no progress, or has come to an end that it could not
        tell.
    clock : Clock
        The real one.
    then : callable
        Called on the thread as its last step, with this object.

    Attributes
    ----------
    error : str
        The error of our own that ended the thread or the engine; empty for none.
    """

    def __init__(
        self,
        engine: Engine,
        store: RunStore,
        news: RunNews,
        clock: Clock,
        then: Callable[["RunThread"], None],
    ) -> None:
        self.engine = engine
        self.news = news
        self.error = ""
        self._store = store
        self._then = then
        self._watchdog = Watchdog(engine, news, clock)
        self._thread = threading.Thread(
            target=self._work, name="timelapse", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the engine may still write or move something."""
        return self._thread.is_alive()

    def join(self, timeout_s: Optional[float] = None) -> None:
        """Wait until it has ended, at most `timeout_s`."""
        self._thread.join(timeout_s)

    @property
    def is_stuck(self) -> bool:
        """Whether it makes no progress."""
        return self._watchdog.stalled_for_s is not None

    @property
    def is_well(self) -> bool:
        """Whether it makes progress, and somebody would notice if it did not."""
        return self._watchdog.is_looking and not self.is_stuck

    def status(self) -> RunStatus:
        """Return the engine's status, with what the watchdog says of it."""
        status, warning = self.engine.status(), self._watchdog.warning()
        if warning is None:
            return status
        return replace(
            status,
            stalled_for_s=self._watchdog.stalled_for_s,
            warnings=(*status.warnings, warning),
        )

    def _work(self) -> None:
        """Run the engine to its end, whatever that is."""
        try:
            with self._watchdog:
                try:
                    self.engine.run()
                finally:
                    self._store.close()
            self.error = self.engine.broke
        except BaseException as exc:
            # The outer edge of the thread, SystemExit included: the run is told to
            # have broken off, and is followed or shown as failed by `then`.
            LOG.exception("The thread of a run has died.")
            self.error = repr(exc)
        self._then(self)
