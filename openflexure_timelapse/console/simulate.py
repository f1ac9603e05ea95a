"""A simulated microscope server in the foreground, until Ctrl-C."""

import importlib
import logging
import sys
import time
from argparse import Namespace
from typing import Any, List

from openflexure_timelapse.console.printing import Printer
from openflexure_timelapse.console.record import interruptible
from openflexure_timelapse.errors import InvalidRequestError, TimelapseError
from openflexure_timelapse.manifest import load_manifest

__all__ = ["check_scene", "serve_simulated"]

LOOK_S = 0.1


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
    v2_server = _v2_server()
    extensions = _extensions(options.api)
    # It would print a line for each request, and the page asks each second.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with interruptible() as interrupted:
        server = v2_server.create(
            options.folder,
            options.scene,
            options.seed,
            options.speed,
            extensions=extensions,
        )
        try:
            running = _listening(v2_server, server, options)
            try:
                _tell(printer, options, running.url, bool(extensions))
                while not interrupted.is_set():
                    time.sleep(LOOK_S)
            finally:
                running.close()
        finally:
            server.close()
    printer.say("Ended.")


def _v2_server() -> Any:
    """Return the module of the simulated server v2.

    Raises
    ------
    TimelapseError
        When the server's library is not installed.
    """
    try:
        from hardware_sim import v2_server  # noqa: PLC0415 (an extra brings its library)
    except ImportError as exc:
        told = f"The simulated server v2 needs labthings ({exc}); with Python 3.7 to "
        told += "3.11, type: pip install 'openflexure-timelapse[server-v2]'"
        raise TimelapseError(told) from exc
    return v2_server


def _extensions(api: str) -> List[Any]:
    """Return our extension, found as the server finds it; none while it is planned."""
    entry = load_manifest().hosts[api]
    if entry.status == "planned":
        return []
    module, _, name = entry.entry_point.partition(":")
    return [getattr(importlib.import_module(module), name)]


def _listening(v2_server: Any, server: Any, options: Namespace) -> Any:
    """Return the server's thread that listens.

    Raises
    ------
    TimelapseError
        When host or port are not to be had.
    """
    try:
        return v2_server.RunningServer(server.app, options.host, options.port)
    except (OSError, OverflowError) as exc:
        why = getattr(exc, "strerror", None) or exc
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
