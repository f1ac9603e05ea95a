"""``doctor --hardware``: the self-check of a Pi, a camera and a board."""

from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, Tuple

from rich.table import Table
from rich.text import Text

from openflexure_timelapse.console.printing import Printer
from openflexure_timelapse.hosts.direct.config import (
    DirectSettings,
    config_path,
    read_config,
)
from openflexure_timelapse.hosts.direct.report import report_of
from openflexure_timelapse.hosts.finding import Finding
from openflexure_timelapse.hosts.system import RealClock

__all__ = ["LEVEL_COLOURS", "examine_hardware", "table_of"]

LEVEL_COLOURS = {"good": "green", "untried": "cyan", "warning": "yellow", "bad": "red"}
USUAL_DATA = Path("runs")
"""Beside it the settings are looked for where no folder is given, as for ``record``."""


def examine_hardware(options: Namespace, printer: Printer) -> int:
    """Check everything, print it and the report, and return the exit code.

    Parameters
    ----------
    options : Namespace
        Of the command ``doctor``.
    printer : Printer
        Shows it.

    Raises
    ------
    TimelapseError
        When the settings cannot be read.
    """
    from openflexure_timelapse.hosts.direct import checkup as checking  # noqa: PLC0415 (no other command needs its parts)

    order, settings = _order(options, checking)
    findings: List[Finding] = []
    with printer.progress() as progress:
        bar = progress.add_task("Checking", total=None, note="")
        for finding in checking.checkup(order, settings, RealClock()):
            findings.append(finding)
            progress.update(bar, completed=len(findings), note=finding.topic)
    private: Dict[str, str] = checking.private_words()
    private[str(order.place_file.parent)] = "the folder of the settings"
    private[str(options.data.absolute())] = "the data folder"
    report = report_of(findings, private)
    printer.result(
        {"findings": [finding.to_json() for finding in findings], "report": report}
    )
    printer.table(table_of("Check-up of the hardware", findings))
    printer.say("\nTo tell us of a fault, copy all of this into an issue:\n")
    printer.say(report)
    return 1 if any(finding.level == "bad" for finding in findings) else 0


def _order(options: Namespace, checking: Any) -> Tuple[Any, DirectSettings]:
    """Return what is to be checked, and the settings of the microscope."""
    beside = USUAL_DATA if options.data == Path() else options.data
    settings = read_config(beside, options.config)
    file = config_path(beside) if options.config is None else options.config
    order = checking.CheckupOrder(
        data_folder=options.data,
        place_file=file.absolute().parent / checking.PLACE_FILE,
        port=options.port,
        stills=options.stills,
        moves=options.move,
    )
    return order, settings


def table_of(title: str, findings: List[Finding]) -> Table:
    """Return findings as a table for a person.

    Parameters
    ----------
    title : str
        Above it.
    findings : list of Finding
        In their order.
    """
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        level = Text(finding.level, LEVEL_COLOURS[finding.level])
        table.add_row(level, finding.topic, finding.detail)
    return table
