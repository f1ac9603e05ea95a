"""The command ``install``: which server's installer does it, and how it is told."""

from argparse import Namespace
from typing import Callable, Dict

from openflexure_timelapse.console.install_v2 import install_v2
from openflexure_timelapse.console.install_v3 import install_v3
from openflexure_timelapse.console.installation import Installation
from openflexure_timelapse.console.printing import Printer

__all__ = ["install_or_undo"]

INSTALLERS: Dict[str, Callable[[Namespace], Installation]] = {
    "v2": install_v2,
    "v3": install_v3,
}


def install_or_undo(options: Namespace, printer: Printer) -> None:
    """Install, or with ``--undo`` remove, and tell what was done.

    Parameters
    ----------
    options : Namespace
        Of the command ``install``.
    printer : Printer
        Told what was done and what to do next.

    Raises
    ------
    TimelapseError
        When it cannot be done; the server's files are as they were.
    """
    did = INSTALLERS[options.api](options)
    printer.result(did.to_json())
    for line in did.lines:
        printer.say(line)
    for warning in did.warnings:
        printer.say(warning, style="yellow")
