"""The arguments of the command line, and nothing that acts on them."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, NoReturn, Optional

from typing_extensions import get_args

from openflexure_timelapse import __version__
from openflexure_timelapse.console.printing import Printer
from openflexure_timelapse.formats import CODEC_NAMES, FORMAT_NAMES
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.share.order import DESTINATION_NAMES, ShareOrder

__all__ = ["Commands", "parser", "recipe_of"]

Command = Callable[[argparse.Namespace, Printer], int]

FASTEST = 1e6
SHARE_VERIFY = "share verify"
MOST_STILLS = 1000
MOVIE_OPTIONS = (
    ("fps", float, "frames per second of the movie"),
    ("width", int, "of the picture in pixels"),
    ("height", int, "of the picture in pixels"),
    ("crf", int, "MP4, WebM: smaller is larger and truer; 23 for H.264"),
    ("title", str, "drawn at the top left"),
    ("max-mb", float, "the size budget in megabytes"),
    ("noise-hold", int, "GIF: grey levels that count as noise; as the frames tell"),
    ("plane", int, "of a z stack; the middle one"),
    ("position", str, "only this one; all"),
    ("speed-up", float, "with --pace real: so many times faster than life"),
    ("author", str, "written into the file; the sample's photographer"),
    ("licence", str, "written into the file, such as CC-BY-4.0; the sample's"),
)
WRITTEN = ("timestamp", "elapsed_time", "scale_bar", "position_name", "gap_label")


@dataclass(frozen=True)
class Commands:
    """What each command does; the first line of its docstring is its help."""

    demo: Command
    record: Command
    serve: Command
    simulate: Command
    plan_check: Command
    plan_convert: Command
    runs: Command
    show: Command
    verify: Command
    repair: Command
    movie: Command
    describe: Command
    names: Command
    share: Command
    share_verify: Command
    doctor: Command
    notify: Command
    install: Command


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is a ``--help`` away."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read commands of two words as one: a run is not called ``verify``."""
        words = list(sys.argv[1:] if args is None else args)
        if words[:2] == SHARE_VERIFY.split():
            words[:2] = [SHARE_VERIFY]
        return super().parse_known_args(words, namespace)


def parser(commands: Commands) -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = _Parser(
        prog="openflexure-timelapse",
        description="Time-lapse for the OpenFlexure Microscope.",
    )
    top.add_argument("--version", action="version", version=__version__)
    names = top.add_subparsers(metavar="COMMAND")
    names.required = True
    demo = _add(names, "demo", commands.demo)
    demo.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR")
    _add_record(_add(names, "record", commands.record))
    _add_serve(_add(names, "serve", commands.serve))
    _add_simulate(_add(names, "simulate", commands.simulate))
    _add_plan(names.add_parser("plan", help="Check and convert plans."), commands)
    runs = _add(names, "runs", commands.runs)
    runs.add_argument("data", type=Path, nargs="?", default=Path(), metavar="DIR")
    runs.add_argument("--after", default="", metavar="RUN", help="last id had already")
    runs.add_argument("--limit", type=int, default=50, metavar="N")
    for name, command in (
        ("show", commands.show),
        ("verify", commands.verify),
        ("repair", commands.repair),
    ):
        added = _add(names, name, command)
        added.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    _add_movie(_add(names, "movie", commands.movie))
    describe = _add(names, "describe", commands.describe)
    describe.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    described = "a record that replaces the run's, as JSON"
    describe.add_argument("file", type=Path, nargs="?", metavar="FILE", help=described)
    _add_share(_add(names, "share", commands.share))
    verified = _add(names, SHARE_VERIFY, commands.share_verify)
    bundle = "a bundle's folder or zip file"
    verified.add_argument("bundle", type=Path, metavar="BUNDLE", help=bundle)
    named = _add(names, "names", commands.names)
    named.add_argument("query", metavar="BEGINNING", help="of a scientific name")
    named.add_argument("data", type=Path, nargs="?", default=Path(), metavar="DIR")
    named.add_argument("--limit", type=int, default=20, metavar="N")
    _add_doctor(_add(names, "doctor", commands.doctor))
    notify = _add(names, "notify", commands.notify)
    notify.add_argument("--test", action="store_true", help="send a message")
    notify.add_argument("--file", type=Path, metavar="FILE", help="other than its own")
    _add_install(_add(names, "install", commands.install))
    return top


def _add(where: Any, name: str, command: Command) -> argparse.ArgumentParser:
    """Add one command."""
    told = (command.__doc__ or "").splitlines()[0]
    added: argparse.ArgumentParser = where.add_parser(name, help=told, description=told)
    added.add_argument("--json", action="store_true", help="print JSON for scripts")
    added.set_defaults(command=command)
    return added


def _add_record(record: argparse.ArgumentParser) -> None:
    """Add the arguments of ``record``."""
    record.add_argument("plan", type=Path, nargs="?", metavar="PLAN", help="JSON file")
    record.add_argument("--resume", action="store_true", help="go on after a cut")
    record.add_argument("--give-up", action="store_true", help="end an interrupted run")
    record.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_notify(record)
    record.add_argument(
        "--microscope",
        choices=["sim", "direct"],
        default="sim",
        help="direct: a Pi camera and a Sangaboard, without a server; sim",
    )
    _add_config(record)
    record.add_argument("--scene", default="algae_growth", help="of the simulator")
    record.add_argument("--seed", type=int, default=1, help="of the simulator")
    record.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="N",
        help="simulated seconds per second, or max to jump from slot to slot",
    )


def _add_config(command: argparse.ArgumentParser) -> None:
    """Add where the settings of a microscope without a server are."""
    told = "settings of a direct microscope (docs/direct.md); direct.json beside DIR"
    command.add_argument("--config", type=Path, metavar="FILE", help=told)


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    """Add the arguments of ``doctor``."""
    doctor.add_argument("data", type=Path, nargs="?", default=Path(), metavar="DIR")
    told = "look at a Pi's camera and a Sangaboard, and write a report for an issue"
    doctor.add_argument("--hardware", action="store_true", help=told)
    told = "with --hardware: go 200 steps and back on each axis"
    doctor.add_argument("--move", action="store_true", help=told)
    doctor.add_argument("--port", metavar="DEVICE", help="of the Sangaboard")
    told = "with --hardware: how many to take; 5"
    doctor.add_argument("--stills", type=_few, default=5, metavar="N", help=told)
    _add_config(doctor)


def _few(text: str) -> int:
    """Read ``--stills``: a number that a person waits for."""
    if not text.isdigit() or not 1 <= int(text) <= MOST_STILLS:
        message = f"{text!r} is not a whole number from 1 to {MOST_STILLS}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _add_serve(serve: argparse.ArgumentParser) -> None:
    """Add the arguments of ``serve``."""
    _add_config(serve)
    serve.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for the network")
    serve.add_argument("--port", type=int, default=5000, metavar="N")
    serve.add_argument(
        "--data", type=Path, default=Path("runs"), metavar="DIR", help="for the runs"
    )
    _add_notify(serve)
    told = "print a unit for systemd that does this, and do nothing else"
    serve.add_argument("--unit", action="store_true", help=told)


def _add_simulate(simulate: argparse.ArgumentParser) -> None:
    """Add the arguments of ``simulate``."""
    simulate.add_argument(
        "--api", choices=["v2", "v3"], default="v3", help="of which server; v3"
    )
    simulate.add_argument("--scene", default="algae_growth+pond", help="what is seen")
    simulate.add_argument("--seed", type=int, default=1, help="another is another day")
    simulate.add_argument("--host", default="127.0.0.1", help="where to listen")
    simulate.add_argument("--port", type=int, default=5000, metavar="N")
    simulate.add_argument(
        "--folder",
        type=Path,
        default=Path("simulated"),
        metavar="DIR",
        help="for settings and pictures",
    )
    _add_notify(simulate)
    simulate.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="what goes wrong, from when to when: stage_busy or camera_black@60-120",
    )
    simulate.add_argument(
        "--speed",
        type=_factor,
        default=1.0,
        metavar="N",
        help="simulated seconds per second",
    )


def _add_notify(command: argparse.ArgumentParser) -> None:
    """Add where it says whom to tell."""
    told = "whom to tell (docs/unattended.md); else this computer's own file, if any"
    command.add_argument("--notify", type=Path, metavar="FILE", help=told)


def _add_plan(plan: argparse.ArgumentParser, commands: Commands) -> None:
    """Add the commands below ``plan``."""
    names = plan.add_subparsers(metavar="ACTION")
    names.required = True
    check = _add(names, "check", commands.plan_check)
    check.add_argument("plan", type=Path, metavar="PLAN", help="a JSON file")
    convert = _add(names, "convert", commands.plan_convert)
    convert.add_argument("plan", type=Path, metavar="PLAN", help="a JSON file")
    convert.add_argument("--to", choices=["useq", "plan"], required=True)
    convert.add_argument(
        "--step-um",
        type=float,
        nargs=3,
        metavar=("X", "Y", "Z"),
        required=True,
        help="micrometres per step of the stage",
    )


def _add_movie(movie: argparse.ArgumentParser) -> None:
    """Add the arguments of ``movie``."""
    movie.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    for name, default, told in (
        ("view", "position", "what is shown; all but position and grid are a PNG"),
        ("pace", "frames", "real: one constant speed, whatever the intervals"),
        ("planes", "one", "of a z stack: one, the sharpest, or all in one picture"),
    ):
        choices = get_args(Recipe.model_fields[name].annotation)
        movie.add_argument(f"--{name}", choices=choices, help=f"{told}; {default}")
    movie.add_argument(
        "--line",
        type=_line,
        metavar="X1,Y1,X2,Y2",
        help="of a kymograph, in pixels of the frames; across the middle",
    )
    movie.add_argument("--format", choices=list(FORMAT_NAMES))
    movie.add_argument("--codec", choices=list(CODEC_NAMES))
    for name, kind, told in MOVIE_OPTIONS:
        movie.add_argument(f"--{name}", type=kind, help=told)
    movie.add_argument("--gaps", choices=["hold", "blank", "cut"])
    movie.add_argument("--shape", choices=["square", "portrait"], help="for phones")
    movie.add_argument(
        "--crop", type=_crop, metavar="X,Y,WIDTH,HEIGHT", help="in pixels of the frames"
    )
    for name, told in (
        ("deflicker", "even out the brightness; what changes slowly stays"),
        ("stabilise", "take out drift and jitter; cuts a little off the sides"),
        ("place", "write the sample's place into the file"),
    ):
        movie.add_argument(f"--{name}", action="store_true", help=told)
    movie.add_argument(
        "--position-name",
        action="store_true",
        help="draw the position's name; usual where there are several",
    )
    for name in WRITTEN:
        movie.add_argument(f"--no-{name.replace('_', '-')}", action="store_true")


def _add_share(share: argparse.ArgumentParser) -> None:
    """Add the arguments of ``share``."""
    share.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
    share.add_argument(
        "--to", choices=DESTINATION_NAMES, required=True, help="where it belongs"
    )
    share.add_argument("--out", type=Path, default=Path(), metavar="DIR")
    share.add_argument("--check", action="store_true", help="only tell what is missing")
    share.add_argument("--position", metavar="NAME", help="only this one; all")
    share.add_argument(
        "--frames",
        type=_numbers,
        metavar="N,N,...",
        help="numbers of the stills, as in frames.csv; those that we suggest",
    )
    share.add_argument("--movie", metavar="NAME", help="the GIF; the first that fits")
    share.add_argument(
        "--place-in-images",
        action="store_true",
        help="write the coordinates into the images as well",
    )
    for name, told in (
        ("coordinates", "as your profile in Artportalen is set; sweref99tm"),
        ("basis_of_record", "Darwin Core's; MachineObservation"),
    ):
        choices = get_args(ShareOrder.model_fields[name].annotation)
        share.add_argument(f"--{name.replace('_', '-')}", choices=choices, help=told)
    share.add_argument("--base-url", metavar="URL", help="where the media will be kept")


def _numbers(text: str) -> List[int]:
    """Read ``--frames``: whole numbers with commas between them."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        message = f"{text!r} is not N,N,..., for example 1,50,120"
        raise argparse.ArgumentTypeError(message) from None


def recipe_of(options: argparse.Namespace) -> Dict[str, Any]:
    """Return the recipe that the options ask for; its rules are checked later."""
    names = (
        "format codec fps width height crop shape crf title gaps max_mb noise_hold "
        "plane position author licence view pace planes line speed_up"
    )
    recipe = {
        name: getattr(options, name)
        for name in names.split()
        if getattr(options, name) is not None
    }
    for name in WRITTEN:
        if getattr(options, f"no_{name}"):
            recipe[name] = False
    for name in ("deflicker", "stabilise", "position_name", "place"):
        if getattr(options, name):
            recipe[name] = True
    return recipe


def _crop(text: str) -> Dict[str, int]:
    """Read ``--crop``: four whole numbers with commas between them."""
    try:
        x, y, width, height = map(int, text.split(","))
    except ValueError:
        message = f"{text!r} is not X,Y,WIDTH,HEIGHT, for example 100,50,640,480"
        raise argparse.ArgumentTypeError(message) from None
    return {"x": x, "y": y, "width": width, "height": height}


def _line(text: str) -> List[int]:
    """Read ``--line``: four whole numbers with commas between them."""
    try:
        x1, y1, x2, y2 = map(int, text.split(","))
    except ValueError:
        message = f"{text!r} is not X1,Y1,X2,Y2, for example 0,240,639,240"
        raise argparse.ArgumentTypeError(message) from None
    return [x1, y1, x2, y2]


def _add_install(install: argparse.ArgumentParser) -> None:
    """Add the arguments of ``install``."""
    install.add_argument(
        "--api", choices=["v2", "v3"], required=True, help="of the server"
    )
    install.add_argument(
        "--folder",
        type=Path,
        metavar="PATH",
        help="v2: the server's extension folder, or the one above; v3: its "
        "configuration file, or the folder with it; looked for if not given",
    )
    install.add_argument("--undo", action="store_true", help="take it out again")


def _speed(text: str) -> Optional[float]:
    """Read ``--speed``: a factor, or ``max`` for a clock that jumps."""
    return None if text == "max" else _factor(text, "neither max nor")


def _factor(text: str, told: str = "not") -> float:
    """Read how many times faster the clock runs."""
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= FASTEST:
        message = f"{text!r} is {told} a number above 0 and at most 1000000"
        raise argparse.ArgumentTypeError(message)
    return speed
