"""The service as a server offers it: there when it can be, and else what is wrong.

A server must start and answer whatever is broken, so the service is made when it is
first needed and made again when it could not be; and its data folder is where the
server keeps its captures, which a user may move while the server runs.
"""

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, TypeVar

from openflexure_timelapse.errors import (
    HardwareError,
    StorageError,
    TimelapseError,
    WrongPhaseError,
)
from openflexure_timelapse.hosts.lifeline import Lifeline
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.plan import parse_plan

__all__ = ["Verbs"]

Result = TypeVar("Result")

LOG = logging.getLogger(__name__)


class Verbs:
    """The service of one server.

    Parameters
    ----------
    place : callable
        Returns the data folder that is wanted now; called for each request.
    make : callable
        Makes the service for a data folder. Both raise our errors for what they lack.
    remarks : callable
        Returns what a user should know of the hardware at this moment, as sentences.
    """

    def __init__(
        self,
        place: Callable[[], Path],
        make: Callable[[Path], Service],
        remarks: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._place = place
        self._make = make
        self._remarks = remarks
        self._lock = threading.RLock()
        self._service: Optional[Service] = None
        self._folder: Optional[Path] = None
        self._trouble = ""
        self._closed = False
        self._leaving = threading.Event()
        self._begin: Optional[threading.Thread] = None
        self._signs_of_life = contextlib.ExitStack()
        self._is_kept = False

    @property
    def service(self) -> Service:
        """The service.

        Raises
        ------
        TimelapseError
            What keeps it from being made.
        """
        with self._lock:
            if self._closed:
                told = "The server is ending; wait until it has started again."
                raise HardwareError(told)
            service = self._service
            if service is not None and service.is_busy:
                return service  # whatever has become of its place, it can be steered
            folder = _guarded(self._place)
            if service is not None and folder == self._folder:
                return service
            if service is not None:
                service.close()
            self._service, self._folder = None, None
            self._service = _guarded(lambda: self._make(folder))
            self._folder = folder
            self._take_up()
            return self._service

    def _take_up(self) -> None:
        """Go on with what waits in a folder that could be used only now."""
        self._trouble = ""
        begin = self._begin
        if begin is not None and not begin.is_alive():
            self.begin()

    # ------------------------------------------------------------------------- verbs

    def status(self) -> Dict[str, Any]:
        """Return the service's status; the phase ``unavailable`` without a service."""
        try:
            service = self.service
            told = service.status()
        except TimelapseError as exc:
            return {
                "phase": "unavailable",
                "run_id": None,
                "detail": str(exc),
                "warnings": [str(exc)],
                "movie_jobs": [],
            }
        warnings = [*told.get("warnings", ()), *self._notices(service)]
        return {**told, "warnings": warnings}

    def _notices(self, service: Service) -> List[str]:
        """Return what else a user should know."""
        try:
            found = list(self._remarks())
        except Exception as exc:  # noqa: BLE001 - a host's code, and only a remark
            found = [f"The state of the hardware is unknown: {exc!r}."]
        try:
            service.preferences.read()
        except StorageError as exc:
            found.append(str(exc))
        trouble = self._trouble
        return [*found, trouble] if trouble else found

    def start(self, plan: Mapping[str, Any]) -> Dict[str, Any]:
        """Start a run and remember its plan for the next visit.

        Raises
        ------
        TimelapseError
            As `Service.start` does.
        """
        service = self.service
        told: Dict[str, Any] = {**service.start(plan), "warnings": []}
        try:
            service.preferences.remember(parse_plan(plan))
        except StorageError as exc:
            told["warnings"] = [f"The plan is not remembered for next time: {exc}"]
        return told

    def pause(self) -> Dict[str, Any]:
        """Pause the active run; see `Service.pause`."""
        return self.service.pause()

    def resume(self) -> Dict[str, Any]:
        """Go on with the paused run, or with one that was interrupted.

        Raises
        ------
        TimelapseError
            As `Service.resume` and `Service.resume_interrupted` do.
        """
        service = self.service
        try:
            service.resume()
        except WrongPhaseError:
            if service.is_busy or service.resume_interrupted() is None:
                raise
        self._forget_trouble()
        return self.status()

    def stop(self) -> Dict[str, Any]:
        """End the active run, or one that was interrupted and waits.

        Raises
        ------
        TimelapseError
            As `Service.stop` and `Service.resume_interrupted` do.
        """
        service = self.service
        try:
            service.stop()
        except WrongPhaseError:
            if service.is_busy or service.resume_interrupted(give_up=True) is None:
                raise
        self._forget_trouble()
        return self.status()

    def _forget_trouble(self) -> None:
        """Take back what was said of an interrupted run."""
        self._trouble = ""

    # -------------------------------------------------------------------------- life

    def begin(self) -> None:
        """Go on, in the background, with what an earlier process left to do.

        Never raises: what goes wrong is in the status. From here on systemd's watchdog,
        where the server's unit has one, is told that all is well.
        """
        self._keep_alive()
        self._begin = threading.Thread(
            target=self._resume_interrupted, name="timelapse-begin", daemon=True
        )
        self._begin.start()

    def _resume_interrupted(self) -> None:
        """Go on with an interrupted run; keep what stands in the way."""
        service = None
        try:
            service = self.service
            self._take_up_movies(service)
            service.wait_for_hardware(self._leaving)
            service.resume_interrupted()
        except TimelapseError as exc:
            if service is not None and service.status()["run_id"] is not None:
                return  # a user was quicker, and went on with it or ended it
            LOG.warning("An interrupted time-lapse could not go on: %s", exc)
            self._trouble = str(exc)
        except Exception as exc:
            # The outer edge of this thread: kept for the status.
            LOG.exception("An interrupted time-lapse could not go on.")
            told = f"An interrupted run could not go on: {exc!r}; "
            self._trouble = told + "the server's log says more."

    def _take_up_movies(self, service: Service) -> None:
        """Go on with the movies of before; keep what stands in the way."""
        try:
            service.queue.take_up()
        except StorageError as exc:
            LOG.warning("Movies of before could not be taken up: %s", exc)
            self._trouble = str(exc)

    @property
    def is_well(self) -> bool:
        """Whether no run is stuck; at once, whatever else is."""
        service = self._service
        return service is None or service.is_well

    def _keep_alive(self) -> None:
        """Show signs of life to a watchdog of systemd, from the first call on."""
        line = Lifeline(os.environ, RealClock())
        with self._lock:
            if line.is_watched and not self._is_kept and not self._closed:
                self._is_kept = True
                kept = line.kept(lambda: self.is_well, self.status)
                self._signs_of_life.enter_context(kept)

    def close(self) -> None:
        """Leave an active run for the next process to resume."""
        self._leaving.set()
        with self._lock:
            self._closed = True
            service, begin = self._service, self._begin
        if begin is not None:
            begin.join()
        if service is not None:
            service.close()
        self._signs_of_life.close()


def _guarded(function: Callable[[], Result]) -> Result:
    """Call a host's code; whatever it raises comes out as one of our errors."""
    try:
        return function()
    except TimelapseError:
        raise
    except Exception as exc:
        # The outer edge of a host's own code, of which any error may come.
        LOG.exception("The time-lapse extension could not be set up.")
        told = f"The microscope cannot be used for time-lapse: {exc!r}; "
        raise HardwareError(told + "the server's log says more.") from exc
