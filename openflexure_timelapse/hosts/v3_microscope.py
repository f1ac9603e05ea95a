"""The microscope of an OpenFlexure server v3 as the engine uses it.

Only the shape of the server's Things is known here (`hosts.v3_protocols`), not its
framework; how they are found, `hosts.v3` knows. Nothing of the engine runs inside an
action of the server, so no other user can cancel it, and none of its waits holds the
server's lock.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.v3_camera import V3Camera
from openflexure_timelapse.hosts.v3_features import missing_features, name_of, offers
from openflexure_timelapse.hosts.v3_focuser import V3Focuser
from openflexure_timelapse.hosts.v3_light import V3Light
from openflexure_timelapse.hosts.v3_stage import V3Stage
from openflexure_timelapse.hosts.v3_state import ThingStates
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import Clock, JsonDict

__all__ = ["HOST", "V3Microscope"]

HOST = "OpenFlexure Microscope server v3"


def _no_lock() -> None:
    """Know no lock."""


def _not_calibrated() -> None:
    """Know no scale."""


class V3Microscope:
    """The server's Things behind our ports.

    Parameters
    ----------
    camera, stage : object
        Things as `v3_protocols` says; None where the server has none.
    clock : Clock
        Keeps deadlines.
    autofocus : object or None
        Used when it offers ``fast_autofocus``; else the visit sweeps by itself.
    illumination : object or None
        Used when it offers ``set_led``; else the light is left alone.
    global_lock : callable
        Returns the server's lock, None where it has none. Asked for each visit.
    um_per_pixel : callable
        Returns that of the camera's default mode; None while nobody calibrated it.
    make_path : callable or None
        Returns the server's kind of path for a file name, such as
        ``OFMThing.create_data_path``. None: stills pass through a private folder.

    Attributes
    ----------
    camera : V3Camera
        The camera.
    stage : V3Stage
        The stage.
    focuser : V3Focuser or None
        The server's fast autofocus.
    light : V3Light or None
        The illumination.

    Raises
    ------
    HardwareError
        When a Thing that is needed is missing, or lacks a feature; the message names
        both.
    """

    def __init__(  # noqa: PLR0913 (what a server has)
        self,
        camera: Any,
        stage: Any,
        clock: Clock,
        *,
        autofocus: Optional[Any] = None,
        illumination: Optional[Any] = None,
        global_lock: Callable[[], Optional[Any]] = _no_lock,
        um_per_pixel: Callable[[], Optional[float]] = _not_calibrated,
        make_path: Optional[Callable[[str], Any]] = None,
    ) -> None:
        missing = missing_features(camera=camera, stage=stage)
        if missing:
            raise HardwareError(" ".join(missing))
        self._things: Dict[str, Any] = {"camera": camera, "stage": stage}
        if offers(autofocus, "fast_autofocus"):
            self._things["autofocus"] = autofocus
        if offers(illumination, "set_led"):
            self._things["illumination"] = illumination
        self._global_lock = global_lock
        self._locks = VisitLocks(self._find_locks, clock)
        self._states = ThingStates(
            {name_of(thing, role): thing for role, thing in self._things.items()}
        )
        self.stage = V3Stage(stage, self._locks)
        self.camera = V3Camera(
            camera, self._locks, self._states, um_per_pixel, make_path
        )
        self.focuser: Optional[V3Focuser] = None
        if "autofocus" in self._things:
            self.focuser = V3Focuser(autofocus, self._locks, self.stage)
        self.light: Optional[V3Light] = None
        if "illumination" in self._things:
            self.light = V3Light(illumination, self._locks)

    # ------------------------------------------------------------------------- facts

    def describe(self) -> JsonDict:
        """Return JSON-able facts for ``run.json``; classes by the role of a Thing."""
        camera, stage = self.camera.describe(), self.stage.describe()
        return {
            "host": HOST,
            **{role: type(thing).__name__ for role, thing in self._things.items()},
            "simulated": camera.simulated or stage.simulated,
        }

    def state(self) -> JsonDict:
        """Return the states of the microscope's Things at the last picture."""
        return self._states.told()

    def incidents(self) -> Sequence[JsonDict]:
        """Return nothing: the server does not tell what its hardware got over."""
        return ()

    # ------------------------------------------------------------- taking and giving

    def _find_locks(self) -> List[Tuple[str, Any]]:
        """Return the server's one lock."""
        return [("microscope", self._global_lock())]

    def acquire(self, deadline_ns: int) -> None:
        """Take the server's lock for one visit; see `ports.Microscope`.

        Every other user's action, and whoever jogs the stage, holds it until done.
        """
        self._locks.acquire(deadline_ns)
        self.camera.begin_visit()

    def release(self) -> None:
        """Give the lock back."""
        self._locks.release()
