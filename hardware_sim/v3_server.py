"""A simulated OpenFlexure Microscope server v3.

The real labthings-fastapi over a simulated microscope, with the real server's
addresses. It is for tests and demonstrations; there is no authentication, as on the
real one. To start it: ``openflexure-timelapse simulate --api v3``.
"""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Union

import httpx2
import labthings_fastapi as lt
import uvicorn
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from hardware_sim.clock import ScaledClock
from hardware_sim.faults import Fault, Faults
from hardware_sim.microscope import SimMicroscope, build
from hardware_sim.v3_autofocus import SimulatedAutofocus
from hardware_sim.v3_camera import ExposureCamera, SimulatedCamera
from hardware_sim.v3_illumination import SimulatedIllumination
from hardware_sim.v3_stage import SimulatedStage
from hardware_sim.v3_visitor import Visitor
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Clock

__all__ = ["THINGS", "RunningServer", "SimulatedServer", "create"]

PREFIX = "/api/v3"
ROOT = "openflexure"
"""Of settings and data, below the folder that was chosen."""
TRUTH_FILE = "truth.jsonl"
THINGS = ("camera", "stage", "illumination", "autofocus")
GRACE_S = 2
"""The real server's time for requests that go on when it ends."""
END_S = 30.0
ANSWER_S = 30.0
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Simulated OpenFlexure Microscope</title>
<h1>Simulated OpenFlexure Microscope</h1>
<p>This is no real microscope: the API of OpenFlexure Microscope server v3 over a
simulated instrument, from OpenFlexure Timelapse. Everything in the picture is drawn.
<p><a href="/api/v3/things/">things</a> ·
<a href="/api/v3/thing_descriptions/">thing descriptions</a> ·
<a href="/docs">documentation</a>
<p><img src="/api/v3/camera/mjpeg_stream" alt="Live view of the simulated sample">
"""


class SimulatedServer:
    """What `create` makes; it serves in `run`, or in a test's own way by its `server`.

    Parameters
    ----------
    server : lt.ThingServer
        The server; ``server.test_client()`` starts it without a port.
    sim : SimMicroscope
        The instrument behind the Things, which tells the truth.
    clock : Clock
        The one of the simulated hardware.
    folder : Path
        Of settings, data and ground truth.

    Attributes
    ----------
    server, sim, clock, folder
        As given.
    """

    def __init__(
        self, server: Any, sim: SimMicroscope, clock: Clock, folder: Path
    ) -> None:
        self.server = server
        self.sim = sim
        self.clock = clock
        self.folder = folder

    @property
    def things(self) -> Mapping[str, Any]:
        """The Things by name."""
        things: Mapping[str, Any] = self.server.things
        return things

    def data_folder(self, thing: str) -> Path:
        """Return where a Thing saves.

        Parameters
        ----------
        thing : str
            Its name.
        """
        return self.folder / "data" / thing

    def run(self, host: str = "127.0.0.1", port: int = 0) -> "RunningServer":
        """Listen, in a thread; see `RunningServer`.

        Parameters
        ----------
        host : str
            Where to listen.
        port : int
            0 for any that is free.
        """
        return RunningServer(self, host, port)


def create(  # noqa: PLR0913 (each has a default)
    folder: Union[str, Path],
    scene: str = "algae_growth+pond",
    seed: int = 1,
    speed: float = 1.0,
    *,
    clock: Optional[Clock] = None,
    faults: Union[Faults, Sequence[Fault]] = (),
    things: Optional[Mapping[str, Any]] = None,
    enable_global_lock: bool = True,
    without: Collection[str] = (),
    exposure_settings: bool = True,
    frames_per_s: float = 10.0,
) -> SimulatedServer:
    """Make a server; nothing listens yet.

    Parameters
    ----------
    folder : str or Path
        ``openflexure/settings`` and ``openflexure/data`` in it are used as the real
        server uses its own, and the ground truth goes to ``openflexure/truth.jsonl``.
    scene, seed
        As for `hardware_sim.build`.
    speed : float
        Simulated seconds in a second of the machine's own time.
    clock : Clock, optional
        A real clock that runs at `speed`; None for a new one.
    faults : Faults or sequence of Fault
        What goes wrong; ``in_use`` is somebody who holds the global lock.
    things : mapping, optional
        Further Things, by name, as a configuration has them; they come last.
    enable_global_lock : bool
        As on the real server, which does not work without.
    without : collection of str
        Which of `THINGS` are not there. Without camera or stage there is no autofocus.
    exposure_settings : bool
        Whether the camera has exposure settings, as the Pi's have.
    frames_per_s : float
        Of the streams, for each second of the machine's own time.

    Raises
    ------
    ValueError
        For an unknown scene, or a Thing to be left out that there is not.
    """
    unknown = sorted(set(without).difference(THINGS))
    if unknown:
        known = ", ".join(THINGS)
        raise ValueError(f"there is no Thing {unknown[0]!r}; there are {known}")
    place = Path(folder).resolve() / ROOT
    (place / "data").mkdir(parents=True, exist_ok=True)
    if clock is None:
        clock = ScaledClock(speed, RealClock())
    sim = build(seed, scene, clock, faults, truth_path=place / TRUTH_FILE)
    camera = ExposureCamera if exposure_settings else SimulatedCamera
    parts = {"clock": clock, "faults": sim.faults, "speed": speed}
    own = _own_things(sim, parts, camera, frames_per_s)
    gone = set(without)
    if gone.intersection(("camera", "stage")):
        gone.add("autofocus")
    server = lt.ThingServer.from_things(
        {**{name: own[name] for name in THINGS if name not in gone}, **(things or {})},
        settings_folder=str(place / "settings"),
        api_prefix=PREFIX,
        enable_global_lock=enable_global_lock,
        application_config={
            "data_folder": str(place / "data"),
            "log_folder": str(place / "logs"),
        },
    )
    _add_pages(server, place / "data")
    return SimulatedServer(server, sim, clock, place)


def _own_things(
    sim: SimMicroscope, parts: Mapping[str, Any], camera: Any, frames_per_s: float
) -> Dict[str, Any]:
    """Return the configuration of the Things of the microscope."""
    clock = parts["clock"]
    of_camera = {"sim": sim.camera, "clock": clock, "frames_per_s": frames_per_s}
    return {
        "camera": {"cls": camera, "kwargs": of_camera},
        "stage": {"cls": SimulatedStage, "kwargs": {"sim": sim.stage, **parts}},
        "illumination": {
            "cls": SimulatedIllumination,
            "kwargs": {"sim": sim.light, "clock": clock},
        },
        "autofocus": SimulatedAutofocus,
    }


def _add_pages(server: Any, data_folder: Path) -> None:
    """Serve what the Things save, and a page that says what this is."""
    files = StaticFiles(directory=str(data_folder))
    server.app.mount(f"{PREFIX}/data", files, name="data")
    server.app.get("/", response_class=HTMLResponse, include_in_schema=False)(
        lambda: PAGE
    )


class RunningServer:
    """A server that listens, in a thread.

    Parameters
    ----------
    simulated : SimulatedServer
        What answers; it runs once.
    host : str
        Where to listen.
    port : int
        0 for any that is free.

    Attributes
    ----------
    simulated : SimulatedServer
        As given.
    sim : SimMicroscope
        Its instrument.
    port : int
        The one it listens on.
    url : str
        Without a slash at the end.

    Raises
    ------
    OSError, OverflowError
        When host or port are not to be had.
    HardwareError
        When a Thing did not start; its own error is the cause.
    """

    def __init__(
        self, simulated: SimulatedServer, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.simulated = simulated
        self.sim = simulated.sim
        self._visitor = Visitor(simulated.server, simulated.sim.faults)
        self._clients: List[Any] = []
        self._socket = socket.create_server((host, port))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://{host}:{self.port}"
        config = uvicorn.Config(
            simulated.server.app,
            log_config=None,
            log_level="error",
            timeout_graceful_shutdown=GRACE_S,
        )
        self._uvicorn = _Uvicorn(config)
        self._thread = threading.Thread(
            target=self._serve, name="v3 server", daemon=True
        )
        self._thread.start()
        self._uvicorn.is_decided.wait()
        if not self._uvicorn.started:
            self._thread.join(END_S)
            self._socket.close()
            raise _why(simulated.server)
        self._visitor.start()

    def thing(self, name: str) -> Any:
        """Return a client of a Thing; it is closed with the server.

        Parameters
        ----------
        name : str
            Of the Thing.
        """
        client = httpx2.Client(base_url=self.url, timeout=ANSWER_S)
        self._clients.append(client)
        return lt.ThingClient.from_url(f"{self.url}{PREFIX}/{name}/", client)

    def close(self) -> None:
        """End requests, streams and Things, as the real server does at its end."""
        self._visitor.close()
        for client in self._clients:
            client.close()
        camera = self.simulated.things.get("camera")
        if camera is not None:
            camera.kill_mjpeg_streams()
        self._uvicorn.should_exit = True
        self._thread.join(END_S)
        self._socket.close()

    def _serve(self) -> None:
        """Serve until `close`; the work of a thread."""
        try:
            # It exits where it could not start; whoever waits is told why.
            with contextlib.suppress(SystemExit):
                self._uvicorn.run(sockets=[self._socket])
        finally:
            self._uvicorn.is_decided.set()


class _Uvicorn(uvicorn.Server):
    """Tells when it listens, or gave up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_decided = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self.is_decided.set()


def _why(server: Any) -> HardwareError:
    """Return an error that tells what kept a server from starting."""
    failure = server.startup_failure
    if failure is None:
        return HardwareError("The server did not start; its log says why.")
    cause: BaseException = failure["exception"]
    told = f"The Thing {failure['thing']} did not start ({cause!r}); "
    error = HardwareError(told + "see to it, or leave it out.")
    error.__cause__ = cause
    return error
