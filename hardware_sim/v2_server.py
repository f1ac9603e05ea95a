"""A simulated OpenFlexure Microscope server v2.

The real labthings over a simulated microscope, with the real server's addresses. It is
for tests and demonstrations; there is no authentication, as on the real one. To start
it: ``openflexure-timelapse simulate --api v2``.
"""

import logging
import threading
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional, Sequence, Union

from flask import Flask
from flask_cors import CORS
from labthings import LabThing, create_app
from labthings.extensions import find_extensions
from werkzeug.serving import make_server

from hardware_sim.clock import ScaledClock
from hardware_sim.faults import Fault, Faults
from hardware_sim.microscope import build
from hardware_sim.v2_autofocus import AutofocusExtension
from hardware_sim.v2_capture_views import CAPTURE_VIEWS
from hardware_sim.v2_files import JSONEncoder
from hardware_sim.v2_objects import SERVER_VERSION, Microscope
from hardware_sim.v2_views import ACTIONS, COMPONENT, VIEWS
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Clock

__all__ = ["RunningServer", "SimulatedServer", "create"]

PREFIX = "/api/v2"
ROOT = "openflexure"
"""Of settings and data, below the folder that was chosen."""
TRUTH_FILE = "truth.jsonl"
END_S = 10.0
ROOT_LINKS = {
    "CaptureList": "captures",
    "SettingsProperty": "instrumentSettings",
    "StateProperty": "instrumentState",
    "ConfigurationProperty": "instrumentConfiguration",
}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Simulated OpenFlexure Microscope</title>
<h1>Simulated OpenFlexure Microscope</h1>
<p>This is no real microscope: the API of OpenFlexure Microscope server v2 over a
simulated instrument, from OpenFlexure Timelapse. Everything in the picture is drawn.
<p><a href="/api/v2/">API</a> · <a href="/api/v2/extensions">extensions</a> ·
<a href="/api/v2/docs/swagger-ui">documentation</a>
<p><img src="/api/v2/streams/mjpeg" alt="Live view of the simulated sample">
"""


class SimulatedServer(NamedTuple):
    """What `create` makes.

    Attributes
    ----------
    app : Flask
        Answers requests; a test asks ``app.test_client()``.
    labthing : LabThing
        The labthings server.
    microscope : Microscope
        What extensions find; ``microscope.sim`` tells the truth.
    """

    app: Flask
    labthing: LabThing
    microscope: Microscope

    def close(self) -> None:
        """Save the settings and end the threads, as the real server does at its end."""
        self.microscope.save_settings()
        self.microscope.close()
        # labthings hangs one into the root logger for each app and never takes it off.
        logging.getLogger().removeHandler(self.labthing.log_handler)


def create(  # noqa: PLR0913 (each has a default)
    folder: Union[str, Path],
    scene: str = "algae_growth+pond",
    seed: int = 1,
    speed: float = 1.0,
    *,
    clock: Optional[Clock] = None,
    faults: Union[Faults, Sequence[Fault]] = (),
    extension_folder: Union[str, Path, None] = None,
    extensions: Iterable[Any] = (),
    missing_hardware: bool = False,
    frames_per_s: float = 10.0,
) -> SimulatedServer:
    """Make a server; nothing listens yet.

    Parameters
    ----------
    folder : str or Path
        ``openflexure/settings`` and ``openflexure/data`` in it are used as the real
        server uses those of its home, and the ground truth goes to
        ``openflexure/truth.jsonl``.
    scene, seed
        As for `hardware_sim.build`.
    speed : float
        Simulated seconds in a second of the machine's own time.
    clock : Clock, optional
        A real clock that runs at `speed`; None for a new one.
    faults : Faults or sequence of Fault
        What goes wrong.
    extension_folder : str or Path, optional
        Extensions in it are loaded as labthings loads them.
    extensions : iterable of BaseExtension or classes of it
        Further ones.
    missing_hardware : bool
        Mock camera and stage, as the server uses where it finds no hardware.
    frames_per_s : float
        Of the live view, for each second of the machine's own time.

    Raises
    ------
    ValueError
        For an unknown scene.
    """
    place = Path(folder) / ROOT
    place.mkdir(parents=True, exist_ok=True)
    if clock is None:
        clock = ScaledClock(speed, RealClock())
    if missing_hardware:
        microscope = Microscope.missing(clock, place)
    else:
        truth = place / TRUTH_FILE
        sim = build(seed, scene, clock, faults, truth_path=truth)
        microscope = Microscope.simulated(sim, clock, place, speed, frames_per_s)
    try:
        microscope.captures.rebuild_captures()
        app, labthing = _make_app(microscope)
        server = SimulatedServer(app, labthing, microscope)
        found = [] if extension_folder is None else find_extensions(extension_folder)
        for extension in (AutofocusExtension, *found, *extensions):
            made = extension() if isinstance(extension, type) else extension
            labthing.register_extension(made)
    except BaseException:  # raised again: nobody else could close it
        microscope.close()
        raise
    return server


def _make_app(microscope: Microscope) -> Any:
    """Return the app and its labthing, with everything but extensions."""
    app, labthing = create_app(
        "hardware_sim.v2_server",
        prefix=PREFIX,
        title=f"OpenFlexure Microscope {microscope.name}",
        description="Simulated OpenFlexure Microscope",
        types=["org.openflexure.microscope"],
        version=SERVER_VERSION,
        flask_kwargs={"static_folder": None},
    )
    CORS(app)
    labthing.json_encoder = app.json_encoder = JSONEncoder
    # An app knows its labthing by a weak reference only.
    app.config["LABTHING"] = labthing
    labthing.add_component(microscope, COMPONENT)
    for view, url in (*CAPTURE_VIEWS, *VIEWS):
        labthing.add_view(view, url)
        if view.__name__ in ROOT_LINKS:
            labthing.add_root_link(view, ROOT_LINKS[view.__name__])
    for action, url in ACTIONS:
        # A class of its own, since it remembers the runs of its action.
        own = type(action.__name__, (action,), {"__doc__": action.__doc__})
        labthing.add_view(own, url)
    app.add_url_rule("/", "home", lambda: PAGE)
    return app, labthing


class RunningServer:
    """A server that listens, in a thread; for tests.

    Parameters
    ----------
    app : Flask
        What answers.
    host : str
        Where to listen.
    port : int
        0 for any that is free.

    Attributes
    ----------
    port : int
        The one it listens on.
    url : str
        Without a slash at the end.
    """

    def __init__(self, app: Flask, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = make_server(host, port, app, threaded=True)
        self.port = int(self._server.server_port)
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="v2 server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no more. Streams end when the microscope is closed."""
        self._server.shutdown()
        self._thread.join(END_S)
        self._server.server_close()
