"""The microscope of the simulated server v2, as its extensions find it.

The objects have the interface of the real server's, over one `SimMicroscope` and its
clock, with real threads. They are what our adapter for server v2 is tested with.
"""

import logging
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Sequence, Union

from labthings import CompositeLock

from hardware_sim.microscope import SimMicroscope
from hardware_sim.v2_camera import PiCameraStreamer
from hardware_sim.v2_captures import THUMBNAIL_SIZE, CaptureManager, CaptureObject
from hardware_sim.v2_files import SettingsFile
from hardware_sim.v2_missing import MissingCamera, MissingStage
from hardware_sim.v2_stage import SangaStage
from openflexure_timelapse.ports import Clock

__all__ = ["SERVER_NAME", "SERVER_VERSION", "Microscope"]

LOG = logging.getLogger(__name__)

SERVER_NAME = "openflexure-microscope-server"
SERVER_VERSION = "2.10.1"
SETTINGS_FILE = "settings/microscope_settings.json"
THUMBNAIL_QUALITY = 85

Camera = Union[PiCameraStreamer, MissingCamera]
Stage = Union[SangaStage, MissingStage]


class Microscope:
    """Camera, stage and captures under one lock.

    Parameters
    ----------
    camera : PiCameraStreamer or MissingCamera
        The camera.
    stage : SangaStage or MissingStage
        The stage.
    folder : Path
        For ``settings/microscope_settings.json`` and ``data/micrographs``; what was
        saved there is applied.
    clock : Clock
        The clock that all parts share.
    sim : SimMicroscope, optional
        What lies behind camera and stage.

    Attributes
    ----------
    camera, stage, clock, sim
        As given. The real server has no `clock` and no `sim`: an extension that finds
        no `clock` takes the machine's.
    captures : CaptureManager
        What was captured.
    lock : labthings.CompositeLock
        Of camera and stage; waits for ever.
    extension_settings : dict
        Of each extension by its name.
    id, name : str
        Of this microscope.
    """

    def __init__(
        self,
        camera: Camera,
        stage: Stage,
        folder: Path,
        clock: Clock,
        sim: Optional[SimMicroscope] = None,
    ) -> None:
        self.id = f"openflexure:microscope:{uuid.uuid4()}"
        self.name = self.id
        self.camera = camera
        self.stage = stage
        self.clock = clock
        self.sim = sim
        self.captures = CaptureManager(folder / "data")
        self.lock = CompositeLock([camera.lock, stage.lock])
        self.extension_settings: Dict[str, Any] = {}
        self.settings_file = SettingsFile(folder / SETTINGS_FILE)
        self._cached: Dict[str, Dict[str, Any]] = {}
        self.update_settings(self.settings_file.load())

    @classmethod
    def simulated(
        cls,
        sim: SimMicroscope,
        clock: Clock,
        folder: Path,
        speed: float = 1.0,
        frames_per_s: float = 10.0,
    ) -> "Microscope":
        """Make one whose hardware behaves like real hardware.

        Parameters
        ----------
        sim : SimMicroscope
            The simulated instrument.
        clock : Clock
            The clock that it was built with: real, or a real one scaled.
        folder : Path
            For settings and captures.
        speed : float
            Seconds of `clock` in a second of the machine's own time.
        frames_per_s : float
            Of the live view, for each second of the machine's own time.
        """
        camera = PiCameraStreamer(sim.camera, clock, frames_per_s)
        stage = SangaStage(sim.stage, clock, sim.faults, speed)
        return cls(camera, stage, folder, clock, sim)

    @classmethod
    def missing(cls, clock: Clock, folder: Path) -> "Microscope":
        """Make one as the server does where it finds no hardware.

        Parameters
        ----------
        clock : Clock
            On which moves take their time.
        folder : Path
            For settings and captures.
        """
        return cls(MissingCamera(), MissingStage(clock), folder, clock)

    def has_real_camera(self) -> bool:
        """Tell whether the camera is more than a mock."""
        return not isinstance(self.camera, MissingCamera)

    def has_real_stage(self) -> bool:
        """Tell whether the stage is more than a mock."""
        return not isinstance(self.stage, MissingStage)

    # ------------------------------------------------------------- state and settings

    @property
    def state(self) -> Dict[str, Any]:
        """What ``/instrument/state`` tells."""
        return {"camera": self.camera.state, "stage": self.stage.state}

    def read_settings(self, full: bool = True) -> Dict[str, Any]:  # noqa: FBT001, FBT002
        """Return the settings.

        Parameters
        ----------
        full : bool
            With whatever else was once saved, for hardware that is not there now.
        """
        current = {
            "id": self.id,
            "name": self.name,
            "extensions": self.extension_settings,
            "camera": self.camera.read_settings(),
            "stage": self.stage.read_settings(),
            "captures": self.captures.read_settings(),
        }
        return {**self.settings_file.load(), **current} if full else current

    def update_settings(self, settings: Mapping[str, Any]) -> None:
        """Apply settings, with camera and stage taken; waits for ever for them.

        Parameters
        ----------
        settings : mapping
            Any of `read_settings`. Whole entries of extensions are replaced; names
            that are unknown are ignored with a warning.
        """
        parts: Dict[str, Callable[[Any], None]] = {
            "camera": self.camera.update_settings,
            "stage": self.stage.update_settings,
            "captures": self.captures.update_settings,
            "extensions": self.extension_settings.update,
        }
        with self.lock:
            for key, value in settings.items():
                if key in parts:
                    parts[key](value)
                elif key in {"id", "name"}:
                    setattr(self, key, value)
                else:
                    LOG.warning("There is no setting %s", key)

    def save_settings(self) -> None:
        """Write the settings into their file."""
        self.settings_file.save(self.read_settings())

    @property
    def configuration(self) -> Dict[str, Any]:
        """What ``/instrument/configuration`` tells."""
        return {
            "application": {
                "name": SERVER_NAME,
                "version": SERVER_VERSION,
                "simulated": True,
            },
            "camera": {"type": type(self.camera).__name__, **self.camera.configuration},
            "stage": {"type": type(self.stage).__name__, **self.stage.configuration},
        }

    def get_metadata(self, cache_key: Optional[str] = None) -> Dict[str, Any]:
        """Return what a capture says of the instrument.

        Parameters
        ----------
        cache_key : str, optional
            Settings and configuration stay as they were when this was first given.
        """
        metadata = self._cached.get(cache_key) if cache_key else None
        if metadata is None:
            metadata = {
                "id": self.id,
                "settings": self.read_settings(full=False),
                "configuration": self.configuration,
            }
            if cache_key:
                self._cached[cache_key] = metadata
        return {**metadata, "state": self.state}

    # ----------------------------------------------------------------------- captures

    def capture(  # noqa: PLR0913, PLR0917 (as on the real server)
        self,
        filename: Optional[str] = None,
        folder: str = "",
        temporary: bool = False,  # noqa: FBT001, FBT002
        use_video_port: bool = False,  # noqa: FBT001, FBT002
        resize: Optional[Sequence[int]] = None,
        bayer: bool = True,  # noqa: FBT001, FBT002
        fmt: str = "jpeg",
        annotations: Optional[Mapping[str, str]] = None,
        tags: Optional[Iterable[str]] = None,
        dataset: Optional[Mapping[str, Any]] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        cache_key: Optional[str] = None,
    ) -> CaptureObject:
        """Take a picture, write it with its metadata and list it.

        Parameters
        ----------
        filename, folder, temporary, fmt
            As for `CaptureManager.new_image`.
        use_video_port, resize, bayer
            As for `PiCameraStreamer.capture`.
        annotations, tags, dataset
            Written into the file.
        metadata : mapping, optional
            Goes to the top level of the file's JSON, beside ``instrument``.
        cache_key : str, optional
            As for `get_metadata`.
        """
        told = {"instrument": self.get_metadata(cache_key)}
        told.update(metadata or {})
        with self.camera.lock:
            picture = self.captures.new_image(temporary, filename, folder, fmt)
            thumbnail = (*THUMBNAIL_SIZE, THUMBNAIL_QUALITY)
            self.camera.capture(picture, fmt, use_video_port, resize, bayer, thumbnail)
        # Others may use the camera while the metadata are written.
        picture.put_and_save(tags, annotations, dataset, told)
        return picture

    def close(self) -> None:
        """End the threads and remove temporary captures; nothing is saved."""
        for part in (self.camera, self.stage, self.captures):
            part.close()
