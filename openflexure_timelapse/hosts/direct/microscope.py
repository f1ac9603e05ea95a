"""The microscope without a server, as the engine uses it."""

import contextlib
import platform
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct.parts import CameraPart, StagePart
from openflexure_timelapse.hosts.direct.second_try import (
    SecondTryCamera,
    SecondTryStage,
)
from openflexure_timelapse.hosts.visit_locks import Parts, VisitLocks
from openflexure_timelapse.ports import Clock, Focuser, JsonDict, Light

if sys.version_info >= (3, 8):
    from importlib.metadata import PackageNotFoundError, version
else:
    from importlib_metadata import PackageNotFoundError, version

__all__ = ["HOST", "DirectMicroscope"]

HOST = "direct"
LIBRARIES = ("picamera2", "sangaboard", "pyserial")


def _no_locks() -> Parts:
    """Know no lock: nobody else has the hardware."""
    return ()


class DirectMicroscope:
    """A camera and a stage that belong to this process alone.

    Parameters
    ----------
    camera, stage
        Opened.
    light : Light or None
        None where the board has none.
    focuser : Focuser or None
        None: the visit sweeps by itself.
    clock : Clock
        Keeps deadlines.
    find_locks : callable
        Returns the locks of who else uses the hardware in this process, such as the
        people behind `serve`; asked for each visit.
    facts : mapping, optional
        More for ``run.json``, such as of the board.
    closing : ExitStack, optional
        Ends camera and board in `close`.

    Attributes
    ----------
    camera, stage : SecondTryCamera, SecondTryStage
        As the engine has them.
    camera_part, stage_part, light, focuser
        As given.
    """

    def __init__(  # noqa: PLR0913 (the parts of one instrument)
        self,
        camera: CameraPart,
        stage: StagePart,
        clock: Clock,
        *,
        light: Optional[Light] = None,
        focuser: Optional[Focuser] = None,
        find_locks: Callable[[], Parts] = _no_locks,
        facts: Optional[JsonDict] = None,
        closing: Optional[contextlib.ExitStack] = None,
    ) -> None:
        self.camera_part = camera
        self.stage_part = stage
        self.camera = SecondTryCamera(camera, clock)
        self.stage = SecondTryStage(stage)
        self.light = light
        self.focuser = focuser
        self._facts = dict(facts or {})
        self._find_locks = find_locks
        self._locks = VisitLocks(self._shared, clock)
        self._own: List[JsonDict] = []
        self._closing = contextlib.ExitStack() if closing is None else closing

    def share(self, find_locks: Callable[[], Parts]) -> None:
        """Let others in this process use the hardware between visits.

        Parameters
        ----------
        find_locks : callable
            Returns what they hold while they do.
        """
        self._find_locks = find_locks

    def _shared(self) -> Parts:
        """Return the locks of who shares the hardware by now."""
        return self._find_locks()

    def close(self) -> None:
        """End camera and board; nothing can be asked afterwards."""
        self._closing.close()

    # ------------------------------------------------------------------------- facts

    def describe(self) -> JsonDict:
        """Return JSON-able facts for ``run.json``: host, parts, versions."""
        camera, stage = self.camera.describe(), self.stage.describe()
        return {
            "host": HOST,
            "name": platform.node(),
            "camera": camera.model,
            "stage": stage.model,
            "simulated": camera.simulated or stage.simulated,
            "versions": _versions(),
            **self._facts,
        }

    def state(self) -> JsonDict:
        """Return the state in the shape of OpenFlexure's servers; no traffic."""
        return {"camera": self.camera_part.state(), "stage": self.stage_part.state()}

    def status(self) -> JsonDict:
        """Return how the camera is at this moment; no traffic."""
        return self.camera_part.status()

    # ------------------------------------------------------------- taking and giving

    def acquire(self, deadline_ns: int) -> None:
        """Take the hardware for one visit; see `ports.Microscope`."""
        self._locks.acquire(deadline_ns)

    def release(self) -> None:
        """Give the hardware back.

        What the stage could not do at the end of a visit is an incident and no error:
        the frames of the visit are safe.
        """
        try:
            self.stage_part.end_visit()
        except HardwareError as exc:
            self._own.append({"kind": "visit_not_ended", "detail": str(exc)})
        finally:
            self._locks.release()

    def incidents(self) -> Sequence[JsonDict]:
        """Return what camera and board got over since the last call.

        Of a kind that came more than once the first, with how often as ``times``: what
        goes wrong with every frame must not fill the run's record.
        """
        own, self._own = self._own, []
        found: Dict[str, JsonDict] = {}
        for told in (
            *self.camera_part.incidents(),
            *self.stage_part.incidents(),
            *own,
        ):
            first = found.setdefault(told["kind"], {**told, "times": 0})
            first["times"] += 1
        return list(found.values())


def _versions() -> Dict[str, Any]:
    """Return the versions of what is installed of the libraries, and ours."""
    found: Dict[str, Any] = {"openflexure_timelapse": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # noqa: PERF203 (a Pi's own package, or none)
            found[name] = None
    return {**found, "python": platform.python_version()}
