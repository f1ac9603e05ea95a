"""Run attacks and keep what they found: ``python -m campaigns [NAME ...]``."""

import argparse
import importlib
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional, Sequence

if TYPE_CHECKING:
    from campaigns.findings import Findings

# In the order of the page.
NAMES = (
    "kill",
    "power_cut",
    "full_disk",
    "clock",
    "hardware",
    "direct",
    "load",
    "hostile",
    "rivals",
)
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"
SEED = 20261126


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run what the command line says; 1 when a promise fell."""
    parser = argparse.ArgumentParser(prog="python -m campaigns", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="NAME")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--trials", type=int, help="default: each attack's own")
    parser.add_argument("--work", type=Path, help="a folder on the device to attack")
    parser.add_argument("--keep-page", action="store_true", help="write no page")
    asked = parser.parse_args(arguments)
    fell = 0
    for name in asked.names or NAMES:
        module = importlib.import_module(f"campaigns.{name}")
        trials = asked.trials or module.TRIALS
        attack: Callable[[int, int, Path], Findings] = module.attack
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory(dir=asked.work, prefix=f"{name}-") as work:
            findings = attack(trials, asked.seed, Path(work))
        took = f"{time.monotonic() - began_s:.0f} s"
        command = f"python -m campaigns {name} --seed {asked.seed} --trials {trials}"
        text = f"`{command}` ({took})\n\n{findings.markdown()}"
        print(f"== {name}\n\n{text}\n", flush=True)  # noqa: T201 - its output
        if not asked.keep_page:
            write_section(PAGE, name, text)
        fell += len(findings.broken)
    return 1 if fell else 0


def write_section(page: Path, name: str, text: str) -> None:
    """Put the text between the marks of an attack, in place of what was there.

    Raises
    ------
    ValueError
        When the page has no such marks.
    """
    old = page.read_text("utf-8")
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    new, count = marks.subn(lambda found: f"{found[1]}{text}\n{found[2]}", old)
    if count != 1:
        raise ValueError(f"{page} has {count} places for {name}; it needs one.")
    page.write_text(new, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
