"""The server of a microscope without OpenFlexure's: its Things, a page, and its life.

It has no password, as OpenFlexure's own server has none: whoever reaches the port moves
the stage.
"""

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import labthings_fastapi as lt
import uvicorn
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.direct.config import DirectSettings
from openflexure_timelapse.hosts.direct.microscope import DirectMicroscope
from openflexure_timelapse.hosts.direct.things import (
    DirectCameraThing,
    DirectIlluminationThing,
    DirectStageThing,
    DirectTimelapse,
)
from openflexure_timelapse.hosts.things.autofocus import AutofocusThing
from openflexure_timelapse.ports import Clock

__all__ = ["PREFIX", "Serving", "create"]

PREFIX = "/api/v3"
GRACE_S = 2
"""Time for requests that go on when the server ends, as OpenFlexure's gives it."""
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Microscope</title>
<h1>Microscope</h1>
<p><a href="/api/v3/timelapse/page/">Time-lapse</a>
<p><img src="/api/v3/camera/mjpeg_stream" alt="Live view of the sample"
style="max-width: 100%">
<p>For scripts: the API of OpenFlexure Microscope server v3, without its web app.
<a href="/api/v3/thing_descriptions/">Thing descriptions</a> ·
<a href="/docs">documentation</a>
"""


def create(
    microscope: DirectMicroscope,
    clock: Clock,
    data_folder: Path,
    folder: Path,
    settings: DirectSettings,
) -> Any:
    """Make the server; nothing listens yet.

    Parameters
    ----------
    microscope : DirectMicroscope
        Opened.
    clock : Clock
        Of the microscope.
    data_folder : Path
        Where the runs are kept.
    folder : Path
        Where settings of Things are kept, and pictures that people take.
    settings : DirectSettings
        Those that it was opened with.

    Returns
    -------
    lt.ThingServer
        For `Serving`.

    Raises
    ------
    OSError
        When the folder cannot be made.
    """
    pictures = folder / "data"
    pictures.mkdir(parents=True, exist_ok=True)
    ours = {"microscope": microscope, "clock": clock, "data_folder": str(data_folder)}
    server = lt.ThingServer.from_things(
        {
            **_parts(microscope, clock, settings),
            "timelapse": {"cls": DirectTimelapse, "kwargs": ours},
        },
        settings_folder=str(folder / "settings"),
        api_prefix=PREFIX,
        enable_global_lock=True,
        application_config={
            "data_folder": str(pictures),
            "log_folder": str(folder / "logs"),
        },
    )
    files = StaticFiles(directory=str(pictures))
    server.app.mount(f"{PREFIX}/data", files, name="data")
    server.app.get("/", response_class=HTMLResponse, include_in_schema=False)(
        lambda: PAGE
    )
    return server


def _parts(
    microscope: DirectMicroscope, clock: Clock, settings: DirectSettings
) -> dict[str, Any]:
    """Return the configuration of the Things of the microscope."""
    of_camera = {"camera": microscope.camera_part, "clock": clock}
    of_stage = {
        "stage": microscope.stage_part,
        "clock": clock,
        "settings": settings.stage,
    }
    things: dict[str, Any] = {
        "camera": {"cls": DirectCameraThing, "kwargs": of_camera},
        "stage": {"cls": DirectStageThing, "kwargs": of_stage},
        "autofocus": AutofocusThing,
    }
    if microscope.light is not None:
        lamp = {"lamp": microscope.light, "clock": clock, "on_level": settings.light_on}
        things["illumination"] = {"cls": DirectIlluminationThing, "kwargs": lamp}
    return things


class _Uvicorn(uvicorn.Server):
    """Tells when it listens, and ends the live view before it waits for requests."""

    def __init__(
        self, config: uvicorn.Config, camera: Any, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._camera = camera
        self._on_ready = on_ready

    async def startup(self, sockets: Any = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def end(self) -> None:
        """End; the live view would go on for ever."""
        self._camera.kill_mjpeg_streams()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End on a signal; a second Ctrl-C waits for nobody."""
        self._camera.kill_mjpeg_streams()
        super().handle_exit(sig, frame)


class Serving:
    """A server at work.

    Parameters
    ----------
    server : lt.ThingServer
        From `create`.
    listening : socket
        Bound; it is closed by who made it.
    on_ready : callable
        Called once requests are answered.
    """

    def __init__(
        self, server: Any, listening: socket.socket, on_ready: Callable[[], None]
    ) -> None:
        config = uvicorn.Config(
            server.app,
            log_config=None,
            log_level="error",
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = server
        self._listening = listening
        self._uvicorn = _Uvicorn(config, server.things["camera"], on_ready)

    def run(self) -> None:
        """Serve until `end`, on the main thread also until SIGINT or SIGTERM.

        A run under way is left to the next server. A signal is raised once more at the
        end, for the handler that was there before.

        Raises
        ------
        HardwareError
            When a Thing did not start.
        """
        # It exits where it could not start; the reason is told below.
        with contextlib.suppress(SystemExit):
            self._uvicorn.run(sockets=[self._listening])
        if not self._uvicorn.started:
            raise _why(self._server)

    def end(self) -> None:
        """Let `run` return soon; from any thread."""
        self._uvicorn.end()


def _why(server: Any) -> HardwareError:
    """Return an error that tells what kept the server from starting."""
    failure = server.startup_failure
    if failure is None:
        return HardwareError("The server did not start; its log says why.")
    cause: BaseException = failure["exception"]
    told = f"The server's part {failure['thing']} did not start ({cause!r}); "
    error = HardwareError(told + "see to it, then try again.")
    error.__cause__ = cause
    return error
