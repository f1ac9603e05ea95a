"""The microscope of an OpenFlexure server v2 as the engine uses it.

Only the shape of the server's objects is known here, not its framework; what it is made
with, and how it is found, `hosts.v2` knows.
"""

from typing import Any, Callable, List, Optional, Sequence, Tuple

from openflexure_timelapse.hosts.v2_camera import V2Camera
from openflexure_timelapse.hosts.v2_focuser import V2Focuser
from openflexure_timelapse.hosts.v2_stage import V2Stage
from openflexure_timelapse.hosts.v2_state import InstrumentState
from openflexure_timelapse.hosts.visit_locks import VisitLocks
from openflexure_timelapse.ports import Clock, JsonDict

__all__ = ["HOST", "V2Microscope"]

HOST = "OpenFlexure Microscope server v2"
PARTS = ("camera", "stage")
"""In the order of taking, which is that of the server's own composite lock."""


def _no_autofocus() -> None:
    """Find no extension."""


def _not_calibrated() -> None:
    """Know no scale."""


class V2Microscope:
    """The server's microscope behind our ports.

    Parameters
    ----------
    microscope : object
        The server's component ``org.openflexure.microscope``.
    clock : Clock
        Keeps deadlines.
    find_autofocus : callable
        Returns the server's autofocus extension, or None. Called before each sweep, in
        the engine's thread; what it raises counts as None.
    um_per_pixel : callable
        Returns that of the camera's default mode; None while nobody calibrated it.

    Attributes
    ----------
    camera : V2Camera
        The camera.
    stage : V2Stage
        The stage.
    """

    def __init__(
        self,
        microscope: Any,
        clock: Clock,
        *,
        find_autofocus: Callable[[], Optional[Any]] = _no_autofocus,
        um_per_pixel: Callable[[], Optional[float]] = _not_calibrated,
    ) -> None:
        self._microscope = microscope
        self._find_autofocus = find_autofocus
        self._locks = VisitLocks(self._find_locks, clock)
        self._state = InstrumentState(microscope, clock)
        self._state.configuration()
        self.stage = V2Stage(microscope, self._locks, self._state)
        self.camera = V2Camera(
            microscope, clock, self._locks, self._state, um_per_pixel
        )

    # ------------------------------------------------------------------------- facts

    @property
    def light(self) -> None:
        """None: server v2 cannot switch the illumination."""
        return

    @property
    def focuser(self) -> Optional[V2Focuser]:
        """The server's fast autofocus; None without it, or without real hardware."""
        if not (self.has_real_camera and self.has_real_stage):
            return None
        try:
            extension = self._find_autofocus()
        except Exception:  # noqa: BLE001 - our own sweep does as well
            return None
        if not hasattr(extension, "fast_autofocus"):
            return None
        return V2Focuser(self._microscope, extension, self._locks, self.stage)

    @property
    def has_real_camera(self) -> bool:
        """Whether the camera is more than the server's mock."""
        return bool(self._microscope.has_real_camera())

    @property
    def has_real_stage(self) -> bool:
        """Whether the stage is more than the server's mock."""
        return bool(self._microscope.has_real_stage())

    def describe(self) -> JsonDict:
        """Return JSON-able facts for ``run.json``."""
        camera, stage = self.camera.describe(), self.stage.describe()
        return {
            "host": HOST,
            "server_version": self._state.part("application", "version"),
            "id": str(self._microscope.id),
            "name": str(self._microscope.name),
            "camera": camera.model,
            "stage": stage.model,
            "simulated": camera.simulated or stage.simulated,
        }

    def state(self) -> JsonDict:
        """Return the state as OpenFlexure writes it into EXIF, without asking anybody.

        ``camera`` and ``stage`` as the server's own state has them; beside them, as
        large as they may be, its settings and configuration.
        """
        return self._state.told()

    def incidents(self) -> Sequence[JsonDict]:
        """Return nothing: the server does not tell what its hardware got over."""
        return ()

    # ------------------------------------------------------------- taking and giving

    def _find_locks(self) -> List[Tuple[str, Any]]:
        """Return the locks of camera and stage.

        Never the server's composite lock: when that cannot be had, it also releases
        what the caller held before.
        """
        parts = ((part, getattr(self._microscope, part)) for part in PARTS)
        return [(part, getattr(found, "lock", None)) for part, found in parts]

    def acquire(self, deadline_ns: int) -> None:
        """Take camera and stage for one visit; see `ports.Microscope`."""
        self._locks.acquire(deadline_ns)
        with self._locks.call("read the settings"):
            self._state.refresh()

    def release(self) -> None:
        """Give camera and stage back."""
        self._locks.release()
