"""A microscope without OpenFlexure's server, served until Ctrl-C or SIGTERM."""

import contextlib
import getpass
import os
import shlex
import socket
import sys
from argparse import Namespace
from pathlib import Path
from typing import Iterator, List

from openflexure_timelapse.console.direct import module_of, opened, refuse_beside_others
from openflexure_timelapse.console.printing import Printer
from openflexure_timelapse.console.record import interruptible
from openflexure_timelapse.errors import InvalidRequestError, TimelapseError
from openflexure_timelapse.hosts.lifeline import Lifeline
from openflexure_timelapse.hosts.notify_file import ENVIRONMENT
from openflexure_timelapse.hosts.system import RealClock

__all__ = ["serve", "unit_text"]

OWN_FOLDER = "server"
FOR_SYSTEMD = str.maketrans({"%": "%%", "$": "$$", "\\": "\\\\"})
"""Else it puts something else in their place, also between quotation marks."""
UNIT = """\
# To use it: save this text as /etc/systemd/system/openflexure-timelapse.service, then
# type: sudo systemctl enable --now openflexure-timelapse
# Where an OpenFlexure server is installed as well, only one of the two can run:
# sudo systemctl disable --now openflexure-microscope-server
# The user must be in the groups video and dialout.
[Unit]
Description=A microscope without OpenFlexure's server, with time-lapse
After=local-fs.target network.target
# Not more often than the watchdog can need:
StartLimitIntervalSec=600
StartLimitBurst=20

[Service]
Type=notify
User={user}
WorkingDirectory=-{folder}
ExecStart={command}
# Ends a server whose run is stuck and starts it again; the run goes on by itself.
WatchdogSec=60
Restart=always
RestartSec=5
# 2 is wrong use: a mistake in the configuration file.
RestartPreventExitStatus=2
TimeoutStartSec=120
TimeoutStopSec=60

[Install]
WantedBy=multi-user.target
"""


def serve(options: Namespace, printer: Printer) -> None:
    """Serve camera and Sangaboard with the API of server v3.

    A run that was interrupted goes on; one under way at the end is left to the next
    start.

    Parameters
    ----------
    options : Namespace
        Of the command ``serve``.
    printer : Printer
        Told where the server listens.

    Raises
    ------
    TimelapseError
        When the runs' folder is a file, a library is missing, an OpenFlexure server
        has the hardware, the port is taken, or the hardware does not answer.
    """
    if options.unit:
        printer.say(unit_text(options))
        printer.result({"unit": unit_text(options)})
        return
    if options.data.exists() and not options.data.is_dir():
        told = f"{options.data} is a file; choose a folder for the runs with --data."
        raise InvalidRequestError(told)
    server = module_of("server")
    line = Lifeline(os.environ, RealClock())
    if options.notify is not None:
        os.environ[ENVIRONMENT] = str(options.notify)  # where the hosts look for it
    with contextlib.ExitStack() as ending:
        interrupted = ending.enter_context(interruptible())
        refuse_beside_others(options.data, options.config)
        listening = ending.enter_context(_listening(options.host, options.port))
        found = ending.enter_context(opened(options.data, options.config))
        made = server.create(
            found.microscope,
            found.clock,
            options.data.absolute(),
            options.data.absolute().parent / OWN_FOLDER,
            found.settings,
        )
        port = int(listening.getsockname()[1])
        url = f"http://{options.host}:{port}"

        def tell() -> None:
            if interrupted.is_set():  # meanwhile
                serving.end()
                return
            _tell(printer, options, url)
            line.tell("READY=1", f"STATUS=Serving {url}/")

        serving = server.Serving(made, listening, tell)
        if not interrupted.is_set():  # while camera and board were opened
            serving.run()
        line.tell("STOPPING=1")
    printer.say("Ended.")


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Have a socket that listens, and close it.

    Raises
    ------
    TimelapseError
        When host or port are not to be had.
    """
    try:
        listening = socket.create_server((host, port))
    except (OSError, OverflowError) as exc:
        number = getattr(exc, "errno", None) or 0
        why = os.strerror(number) if number > 0 else exc
        told = f"Cannot listen on {host}:{port} ({why}); "
        raise TimelapseError(told + "choose another --port or --host.") from exc
    with listening:
        yield listening


def _tell(printer: Printer, options: Namespace, url: str) -> None:
    """Print where the server listens and how to end it."""
    printer.say(f"{url}/ with the API of server v3", label="The microscope:")
    printer.say(f"Runs: {options.data.absolute()}")
    printer.say("End it with Ctrl-C; a run goes on at the next start.")
    printer.result({"url": url, "data": str(options.data.absolute())})
    sys.stdout.flush()


def unit_text(options: Namespace) -> str:
    """Return a unit of systemd that serves with these options, as this user.

    Parameters
    ----------
    options : Namespace
        Of the command ``serve``.
    """
    data = options.data.absolute()
    words: List[str] = [sys.executable, "-m", "openflexure_timelapse", "serve"]
    words += ["--data", str(data), "--host", options.host, "--port", str(options.port)]
    for name in ("config", "notify"):
        chosen = getattr(options, name)
        if chosen is not None:
            words += [f"--{name}", str(Path(chosen).absolute())]
    command = " ".join(shlex.quote(word.translate(FOR_SYSTEMD)) for word in words)
    folder = str(data.parent).replace("%", "%%")
    return UNIT.format(user=getpass.getuser(), folder=folder, command=command)
