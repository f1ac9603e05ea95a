"""An action of the server that starts a run and follows it.

A server may kill an action's thread between any two steps, also while it holds a lock.
So that thread only waits here: everything else is done by a thread of our own, which
nobody kills and which stops the run when the action is to stop.
"""

import contextlib
import threading
from typing import Any, Callable, Dict, Mapping, Optional

from openflexure_timelapse.errors import WrongPhaseError
from openflexure_timelapse.hosts.forms import tidied
from openflexure_timelapse.hosts.requests import Asked
from openflexure_timelapse.hosts.telling import progress_of
from openflexure_timelapse.hosts.verbs import Verbs
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.run_state import Phase

__all__ = ["Follower"]

LOOK_S = 0.5
HUNDRED = 100
TOLD = ("phase", "pause_reason", "slot", "slots", "counts", "next_due_in_s", "warnings")


class Follower:
    """Follows one run.

    Parameters
    ----------
    verbs : Verbs
        Where to start it.
    asked : Asked
        The request, whose body is the plan.
    stopping : threading.Event
        Set when the action is to stop.
    progress : callable
        Told how much is done, in per cent.
    data : callable
        Told how the run goes, as a few entries of the status.
    """

    def __init__(
        self,
        verbs: Verbs,
        asked: Asked,
        stopping: threading.Event,
        progress: Callable[[int], Any],
        data: Callable[[Dict[str, Any]], Any],
    ) -> None:
        self._verbs = verbs
        self._asked = asked
        self._stopping = stopping
        self._progress = progress
        self._data = data
        self._status: Dict[str, Any] = {}
        self._error: Optional[BaseException] = None
        self._over = threading.Event()

    def follow(self) -> Dict[str, Any]:
        """Start the run, wait for its end, and return how it ended.

        Returns
        -------
        dict
            ``run``, ``end_reason``, ``counts``, ``movie_jobs``.

        Raises
        ------
        TimelapseError
            As `Service.start` does.
        """
        threading.Thread(
            target=self._work, name="timelapse-follow", daemon=True
        ).start()
        while not self._over.wait(LOOK_S):
            pass
        if self._error is not None:
            raise self._error
        return {
            "run": self._status.get("run_id"),
            "end_reason": self._status.get("end_reason"),
            "counts": self._status.get("counts"),
            "movie_jobs": self._status.get("movie_jobs"),
        }

    def _work(self) -> None:
        """Do everything; hand over what was raised."""
        try:
            self._run()
        except BaseException as exc:  # noqa: BLE001 - raised again in the action
            self._error = exc
        finally:
            self._over.set()

    def _run(self) -> None:
        """Start the run and look at it until it has ended."""
        service = self._verbs.service
        run_id = self._verbs.start(tidied(Plan, self._asked.document()))["run"]
        self._data({"run": run_id})
        stopped = False
        while True:
            status = service.status()
            if status.get("run_id") != run_id:
                return
            self._tell(status)
            if status["phase"] == Phase.ENDED.value:
                return
            if self._stopping.wait(LOOK_S) and not stopped:
                with contextlib.suppress(WrongPhaseError):  # it is ending by itself
                    service.stop()
                stopped = True
            if stopped:
                service.wait(LOOK_S)

    def _tell(self, status: Mapping[str, Any]) -> None:
        """Show how the run goes."""
        self._status = dict(status)
        self._progress(int(HUNDRED * progress_of(status)))
        self._data({name: status.get(name) for name in TOLD})
