"""Camera and board, opened together or not at all."""

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, Mapping, Optional

from openflexure_timelapse.hosts.direct.board import Board
from openflexure_timelapse.hosts.direct.camera import DirectCamera
from openflexure_timelapse.hosts.direct.config import DirectSettings
from openflexure_timelapse.hosts.direct.focuser import DirectFocuser
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.light import DirectLight
from openflexure_timelapse.hosts.direct.microscope import DirectMicroscope
from openflexure_timelapse.hosts.direct.stage import DirectStage
from openflexure_timelapse.ports import Clock
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["PLACE_FILE", "open_direct"]

PLACE_FILE = "stage_place.json"


def open_direct(
    settings: DirectSettings,
    clock: Clock,
    folder: Path,
    environ: Optional[Mapping[str, str]] = None,
) -> DirectMicroscope:
    """Open board and camera.

    Parameters
    ----------
    settings : DirectSettings
        Of the whole microscope.
    clock : Clock
        The engine's.
    folder : Path
        Where the stage's place is kept over a power cut.
    environ : mapping, optional
        Of the camera's process; None for this one's.

    Raises
    ------
    HardwareError
        When either is not to be had; what was opened before is closed again.
    StorageError
        When the kept place cannot be read.
    """
    with contextlib.ExitStack() as ending:
        board = Board(settings.port)
        ending.callback(board.close)
        kept = KeptPlace(folder / PLACE_FILE, RealDisk())
        stage = DirectStage(board, clock, settings.stage, kept)
        light: Optional[DirectLight] = None
        if board.facts.has_light:
            light = DirectLight(board, settings.light_output, settings.light_on)
        camera = DirectCamera(clock, settings.camera, environ)
        ending.callback(camera.close)
        camera.start()
        return DirectMicroscope(
            camera,
            stage,
            clock,
            light=light,
            focuser=DirectFocuser(camera, stage),
            facts={"board": _told(board.facts)},
            closing=ending.pop_all(),
        )


def _told(facts: Any) -> Any:
    """Return a board's facts for ``run.json``."""
    return {name: value for name, value in asdict(facts).items() if value is not None}
