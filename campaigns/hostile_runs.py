"""Runs of strangers, given to the commands that look at runs."""

import contextlib
import io
import random
import shutil
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from campaigns.hostile_folder import RUN_ID, outside, small_run
from campaigns.hostile_harms import HARMS, Harm
from campaigns.hostile_tally import CANARY, Tally
from openflexure_timelapse.cli import main

__all__ = ["attack_runs"]

COMMANDS = (
    "show",
    "verify",
    "describe",
    "share",
    "repair",
    "verify",
    "movie",
    "share",
    "runs",
)
EXIT_CODES = (0, 1, 2)


def attack_runs(trials: int, first: int, work: Path) -> List[Tally]:
    """Return what so many strangers' runs did to the commands."""
    sound = small_run(work / "sound")
    tallies = []
    for name, harm in HARMS.items():
        tally = Tally(f"a copied run: {name}", "show, verify, repair, movie")
        for trial in range(max(1, trials // len(HARMS))):
            _one(tally, harm, f"{first}-{name}-{trial}", sound, work / "one")
        tallies.append(tally)
    return tallies


def _one(tally: Tally, harm: Harm, luck: str, sound: Path, work: Path) -> None:
    """Copy the sound run, harm the copy, and give it to the commands."""
    shutil.rmtree(str(work), ignore_errors=True)
    secrets = outside(work)
    (secrets / "folder").mkdir()
    (secrets / "folder" / ".x.0123456789ab.part").write_bytes(CANARY)
    run = work / "runs" / RUN_ID
    shutil.copytree(str(sound), str(run))
    harm(run, secrets, random.Random(luck))
    before = _state(secrets)
    for command in COMMANDS:
        tally.tried += 1
        code, told = _told(command, run)
        if code not in EXIT_CODES:
            tally.fell("traceback", f"{luck}: {command} raised {told[-300:]}")
        if CANARY.decode() in told:
            tally.fell("escape", f"{luck}: {command} told what is outside")
        if any(sign in told for sign in ("\x1b]0;hit", "\x1b[2J", "\x9b31m")):
            tally.fell("other", f"{luck}: {command} sent codes to the terminal")
    if _state(secrets) != before:
        tally.fell("escape", f"{luck}: something outside of the run was changed")
    for made in _made(run, work / "bundles"):
        if CANARY in made.read_bytes():
            tally.fell("escape", f"{luck}: {made.name} shows what is outside")


def _made(run: Path, bundles: Path) -> Iterator[Path]:
    """Yield the files that the commands made."""
    yield from (file for file in bundles.rglob("*") if file.is_file())
    if not (run / "movies").is_symlink():
        found = (run / "movies").glob("*.*")
        yield from (movie for movie in found if not movie.is_symlink())


def _state(folder: Path) -> Dict[str, Any]:
    """Return what lies in a folder."""
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def _told(command: str, run: Path) -> Tuple[int, str]:
    """Return a command's exit code and all that it printed; -1 when it raised."""
    place = run.parent if command == "runs" else run
    told = io.StringIO()
    arguments = [command, str(place)]
    if command == "movie":
        arguments += ["--format", "gif", "--width", "32"]
    if command == "share":
        out = str(run.parent.parent / "bundles")
        arguments += ["--to", "nordic-microalgae", "--out", out]
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            code = main(arguments)
        except SystemExit as exc:
            code = int(exc.code or 0)
        except Exception as exc:  # noqa: BLE001 - that is what is looked for
            return -1, f"{told.getvalue()}{type(exc).__name__}: {exc}"
    return code, told.getvalue()
