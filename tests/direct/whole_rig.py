"""Commands of ours as processes, over a camera and a board that are not there."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

from script import Visitor

from hardware_sim.camera_feed import SensorShape
from hardware_sim.direct_rig import DirectRig
from hardware_sim.faults import Fault

__all__ = ["Desk", "Served", "Systemd"]

SENSOR = SensorShape(416, 312)
STREAM = {"stream_size": [208, 156]}
PATIENCE_S = 240
PROGRAM = (sys.executable, "-m", "openflexure_timelapse")


class Served:
    """A server in a process of its own.

    Attributes
    ----------
    url : str
        Where it listens.
    visitor : Visitor
        Asks the time-lapse.
    """

    def __init__(self, desk: "Desk", environ: Dict[str, str]) -> None:
        command = desk.command("serve", "--data", str(desk.runs), "--port", "0")
        self.process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output = self.process.stdout
        assert output is not None
        told = b""
        while not told.endswith(b"}\n"):
            line = output.readline()
            if not line:
                _, errors = self.process.communicate()
                raise AssertionError(errors.decode())
            told += line
        self.url: str = json.loads(told)["url"]
        self.visitor = Visitor(f"{self.url}/api/v3/timelapse")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


class Desk:
    """A simulated world that outlives the programs that use it.

    Parameters
    ----------
    folder : Path
        Short: there are sockets in it.
    faults : sequence of Fault
        What goes wrong.
    """

    def __init__(self, folder: Path, faults: Sequence[Fault] = ()) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.rig = DirectRig(folder, "beads", shape=SENSOR, faults=faults)
        self.configure(**self.rig.config(camera=STREAM))

    def configure(self, **config: Any) -> None:
        """Write the configuration file."""
        (self.folder / "direct.json").write_text(json.dumps(config), "utf-8")

    def command(self, *words: str) -> List[str]:
        """Return a command line."""
        return [*PROGRAM, *words, "--json"]

    def environ(self, **more: str) -> Dict[str, str]:
        """Return the environment of a process here."""
        quiet = {"OPENFLEXURE_TIMELAPSE_NOTIFY": ""}
        return self.rig.environ({**os.environ, **quiet, **more})

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.command(*words),
            env=self.environ(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    @contextlib.contextmanager
    def serving(self, **environ: str) -> Iterator[Served]:
        """Have a server for a ``with`` block; one that is left is killed."""
        served = Served(self, self.environ(**environ))
        try:
            yield served
        finally:
            if served.process.poll() is None:
                served.process.kill()
            served.process.communicate()

    def close(self) -> None:
        """End the world."""
        self.rig.close()


class Systemd:
    """The end of the line where systemd listens."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line.bind(self.address)
        self.line.settimeout(PATIENCE_S)

    def hears_until(self, word: str) -> List[str]:
        """Return all words up to one that begins so."""
        words: List[str] = []
        while not any(each.startswith(word) for each in words):
            words += self.line.recv(4096).decode("utf-8").split("\n")
        return words
