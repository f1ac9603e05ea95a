"""A simulated microscope server in the foreground, until Ctrl-C."""

import contextlib
import importlib
import logging
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple

from typing_extensions import get_args

from openflexure_timelapse.console.printing import Printer
from openflexure_timelapse.console.record import interruptible
from openflexure_timelapse.errors import InvalidRequestError, TimelapseError
from openflexure_timelapse.hosts.lifeline import Lifeline
from openflexure_timelapse.hosts.notify_file import ENVIRONMENT
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.manifest import load_manifest
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["check_scene", "read_faults", "serve_simulated", "simulated_service"]

LIBRARIES = {
    "v2": ("labthings", "3.7 to 3.11"),
    "v3": ("labthings-fastapi", "3.11 or later"),
}
"""Of each server: what it is made of, and the versions of Python that run it."""

Served = Tuple[str, bool]
"""A URL, and whether our extension is in the server."""


def check_scene(scene: str) -> None:
    """Refuse a scene that the simulator has not.

    Parameters
    ----------
    scene : str
        A name, or several joined with ``+``.

    Raises
    ------
    InvalidRequestError
        For an unknown name.
    """
    from hardware_sim.scenes import SCENES  # noqa: PLC0415 (only to simulate)

    for name in scene.split("+"):
        if name not in SCENES:
            told = f"There is no scene {name!r}; the scenes are {', '.join(SCENES)}, "
            raise InvalidRequestError(told + "and they may be joined with +.")


def simulated_service(
    data_folder: Path,
    scene: str,
    seed: int,
    speed: Optional[float],
    notify_file: Optional[Path] = None,
) -> Service:
    """Return a service for a simulated microscope.

    A run that is resumed goes on in the same world, in which time has passed.

    Parameters
    ----------
    data_folder : Path
        Where the runs are.
    scene, seed
        Of a new world.
    speed : float or None
        Simulated seconds per second; None for a clock that jumps.
    notify_file : Path, optional
        As `Service` has it.

    Raises
    ------
    InvalidRequestError
        For an unknown scene.
    StorageError
        When the data folder cannot be used.
    """
    from hardware_sim.session import simulate  # noqa: PLC0415 (only to simulate)

    check_scene(scene)
    microscope, clock = simulate(
        scene=scene, seed=seed, speed=speed, inner=RealClock(), data_folder=data_folder
    )
    return Service(data_folder, microscope, clock, RealDisk(), notify_file=notify_file)


def read_faults(texts: Sequence[str]) -> List[Any]:
    """Return the faults that were asked for.

    Parameters
    ----------
    texts : sequence of str
        ``NAME``, ``NAME@FROM`` or ``NAME@FROM-TO``, in simulated seconds after the
        start.

    Raises
    ------
    InvalidRequestError
        For what is none, or for a fault of the disk or of the board: a server has no
        simulated one.
    """
    from hardware_sim.faults import Fault, FaultKind  # noqa: PLC0415 (only to simulate)

    kinds: List[Any] = [
        kind for kind in get_args(FaultKind) if not kind.startswith(("board_", "disk_"))
    ]
    faults = []
    kind: Any  # a name, until it is found among the kinds
    for text in texts:
        kind, _, window = text.partition("@")
        if kind not in kinds:
            told = f"There is no fault {kind!r} of a simulated server; the faults are "
            raise InvalidRequestError(told + ", ".join(kinds) + ".")
        from_s, _, to_s = window.partition("-")
        try:
            faults.append(Fault(kind, float(from_s or 0), float(to_s or "inf")))
        except ValueError as exc:
            told = f"The fault {text!r} has no window of time ({exc}); "
            raise InvalidRequestError(told + f"write {kind}@60-120.") from exc
    return faults


def serve_simulated(options: Namespace, printer: Printer) -> None:
    """Serve a simulated microscope with our extension, until Ctrl-C or SIGTERM.

    Parameters
    ----------
    options : Namespace
        Of the command ``simulate``.
    printer : Printer
        Told where the server listens.

    Raises
    ------
    TimelapseError
        When the server's library is not installed, or the port is taken.
    """
    check_scene(options.scene)
    served = SERVED[options.api](options, read_faults(options.fault))
    line = Lifeline(os.environ, RealClock())
    if options.notify is not None:
        os.environ[ENVIRONMENT] = str(options.notify)  # where the hosts look for it
    with interruptible() as interrupted, served as (url, with_ours):
        _tell(printer, options, url, with_ours)
        line.tell("READY=1", f"STATUS=Serving {url}/")
        interrupted.wait()
        line.tell("STOPPING=1")
    printer.say("Ended.")


@contextlib.contextmanager
def _served_v2(options: Namespace, faults: List[Any]) -> Iterator[Served]:
    """Serve the API of server v2, and end it afterwards."""
    v2_server = _module_of("v2")
    entry = load_manifest().hosts["v2"]
    extensions = []
    if entry.status == "ready":
        module, _, name = entry.entry_point.partition(":")
        extensions.append(getattr(importlib.import_module(module), name)())
    # It would print a line for each request, and the page asks each second.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with contextlib.ExitStack() as ending:
        server = v2_server.create(
            options.folder,
            options.scene,
            options.seed,
            options.speed,
            faults=faults,
            extensions=extensions,
        )
        ending.callback(server.close)
        for extension in extensions:
            ending.callback(extension.close)
        with _listening(options):
            running = v2_server.RunningServer(server.app, options.host, options.port)
        ending.callback(running.close)
        yield running.url, bool(extensions)


@contextlib.contextmanager
def _served_v3(options: Namespace, faults: List[Any]) -> Iterator[Served]:
    """Serve the API of server v3, and end it afterwards."""
    v3_server = _module_of("v3")
    entry = load_manifest().hosts["v3"]
    ours = {"timelapse": entry.entry_point} if entry.status == "ready" else {}
    server = v3_server.create(
        options.folder,
        options.scene,
        options.seed,
        options.speed,
        faults=faults,
        things=ours,
    )
    with _listening(options):
        running = server.run(options.host, options.port)
    try:
        yield running.url, bool(ours)
    finally:
        running.close()


SERVED = {"v2": _served_v2, "v3": _served_v3}


def _module_of(api: str) -> Any:
    """Return the module of a simulated server.

    Raises
    ------
    TimelapseError
        When its library is not installed.
    """
    library, pythons = LIBRARIES[api]
    try:
        # An extra brings what it imports.
        return importlib.import_module(f"hardware_sim.{api}_server")
    except ImportError as exc:
        told = f"The simulated server {api} needs {library} ({exc}); with Python "
        told += f"{pythons}, type: pip install 'openflexure-timelapse[server-{api}]'"
        raise TimelapseError(told) from exc


@contextlib.contextmanager
def _listening(options: Namespace) -> Iterator[None]:
    """Tell in one sentence that host or port are not to be had.

    Raises
    ------
    TimelapseError
        When they are not.
    """
    try:
        yield
    except (OSError, OverflowError) as exc:
        number = getattr(exc, "errno", None) or 0
        why = os.strerror(number) if number > 0 else exc
        told = f"Cannot listen on {options.host}:{options.port} ({why}); "
        raise TimelapseError(told + "choose another --port or --host.") from exc


def _tell(printer: Printer, options: Namespace, url: str, with_ours: bool) -> None:  # noqa: FBT001 (one caller)
    """Print where the server listens and how to end it."""
    label = "A simulated OpenFlexure Microscope:"
    printer.say(f"{url}/ with the API of server {options.api}", label=label)
    printer.say(f"Settings and pictures: {options.folder}")
    if not with_ours:
        printer.say("The time-lapse extension for it is not in this version.")
    printer.say("End it with Ctrl-C.")
    told = {"url": url, "api": options.api, "folder": str(options.folder)}
    printer.result({**told, "extension": with_ours})
    sys.stdout.flush()
