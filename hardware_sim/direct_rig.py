"""A microscope without a server, and without hardware: for tests, and for a desk.

One simulated world, seen by the unmodified picamera2 over `hardware_sim.fake_libcamera`
and moved by the unmodified sangaboard library over `hardware_sim.sangaboard_pty`. As a
program it has the world, and runs a command that finds both as if they were real::

    python -m hardware_sim.direct_rig --folder desk -- serve --data desk/runs

Nothing here proves anything about a real Pi: neither its camera, nor its timing, nor
its cables are in it.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from hardware_sim.camera_feed import CameraFeed, SensorShape
from hardware_sim.fake_libcamera import environment
from hardware_sim.faults import Fault, Faults
from hardware_sim.microscope import SimMicroscope, build
from hardware_sim.sangaboard_pty import SangaboardPty
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Clock

__all__ = ["DirectRig", "main"]

CONFIG_FILE = "direct.json"
TRUTH_FILE = "truth.jsonl"


class DirectRig:
    """The world, the camera's feed and the board's port.

    Parameters
    ----------
    folder : str or Path
        For a socket, the port and the ground truth; a short path, since the kernel
        takes no long names of sockets.
    scene, seed
        As for `hardware_sim.build`.
    clock : Clock, optional
        Of the world; None for the machine's own.
    faults : Faults or sequence of Fault
        What goes wrong, also with camera and board.
    shape : SensorShape
        What the sensor is; fewer pixels are quicker.
    dialect : {"v1.0", "v0.5"}
        Of the board; the older one has no lamp.
    age_s : float
        The world's time now, in seconds.

    Attributes
    ----------
    sim : SimMicroscope
        The instrument, which tells the truth.
    feed : CameraFeed
        The camera's side.
    board : SangaboardPty
        The board's side.
    """

    def __init__(  # noqa: PLR0913 (each has a default)
        self,
        folder: Union[str, Path],
        scene: str = "algae_growth+pond",
        seed: int = 1,
        *,
        clock: Optional[Clock] = None,
        faults: Union[Faults, Sequence[Fault]] = (),
        shape: SensorShape = SensorShape(),  # noqa: B008 (frozen)
        dialect: str = "v1.0",
        age_s: float = 0.0,
    ) -> None:
        place = Path(folder).absolute()
        place.mkdir(parents=True, exist_ok=True)
        clock = RealClock() if clock is None else clock
        truth = place / TRUTH_FILE
        self.sim: SimMicroscope = build(
            seed, scene, clock, faults, truth_path=truth, age_s=age_s
        )
        with contextlib.ExitStack() as ending:
            self.feed = CameraFeed(self.sim, clock, place / "camera", shape)
            ending.callback(self.feed.close)
            self.board = SangaboardPty(self.sim, clock, place, dialect)
            ending.callback(self.board.close)
            self._ending = ending.pop_all()

    def environ(self, base: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
        """Return the environment of a process that sees this camera.

        Parameters
        ----------
        base : mapping, optional
            What else it holds; None for that of this process.
        """
        return environment(self.feed.socket_path, base)

    def config(self, **more: Any) -> Dict[str, Any]:
        """Return the content of a configuration file for this microscope.

        Parameters
        ----------
        **more
            Further members; ``camera`` and ``stage`` as mappings.
        """
        step_um = list(self.sim.stage.mechanics.step_um)
        stage = {"step_um": step_um, **more.pop("stage", {})}
        return {"port": self.board.port, "stage": stage, **more}

    def close(self) -> None:
        """End both sides; who looked or moved loses the world."""
        self._ending.close()


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Have the world while a command runs, and return the command's exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        As on the command line; None for ``sys.argv``.
    """
    parser = argparse.ArgumentParser(
        prog="python -m hardware_sim.direct_rig", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--folder", type=Path, default=Path("desk"))
    parser.add_argument("--scene", default="algae_growth+pond")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dialect", choices=["v1.0", "v0.5"], default="v1.0")
    sized = "pixels of its sensor, which an old computer draws sooner if they are few"
    parser.add_argument("--sensor", type=_size, metavar="WIDTHxHEIGHT", help=sized)
    told = "of openflexure-timelapse, such as: serve --data FOLDER/runs"
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help=told
    )
    options = parser.parse_args(arguments)
    asked = [word for word in options.command if word != "--"]
    if not asked:
        parser.error("give the command that is to run after --")
    command = [sys.executable, "-m", "openflexure_timelapse", *asked]
    rig = DirectRig(
        options.folder,
        options.scene,
        options.seed,
        dialect=options.dialect,
        shape=options.sensor or SensorShape(),
    )
    with contextlib.closing(rig):
        text = json.dumps(rig.config(), indent=2) + "\n"
        (options.folder / CONFIG_FILE).write_text(text, "utf-8")
        with subprocess.Popen(command, env=rig.environ()) as process:  # noqa: S603 (the person's own command)
            return _awaited(process)


def _size(text: str) -> SensorShape:
    """Read ``--sensor``: two even numbers."""
    try:
        width, height = (int(part) // 2 * 2 for part in text.split("x"))
    except ValueError:
        message = f"{text!r} is not WIDTHxHEIGHT, for example 1640x1232"
        raise argparse.ArgumentTypeError(message) from None
    return SensorShape(width, height)


def _awaited(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a command, and hand SIGTERM on; Ctrl-C reaches it by itself."""
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
