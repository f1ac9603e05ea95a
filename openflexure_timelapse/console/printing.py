"""How the command line looks: tables, progress, and JSON for scripts."""

import json
import re
from typing import Any, Dict, Iterable, Mapping, Optional, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

__all__ = [
    "Printer",
    "harmless",
    "key_values",
    "nice_bytes",
    "nice_seconds",
    "outcome_words",
    "run_note",
]

OUTCOME_COLOURS = {
    "captured": "green",
    "late": "yellow",
    "skipped": "blue",
    "failed": "red",
}
# What the values of `Reason` mean.
REASONS = {
    "overdue": "the slots before took too long",
    "paused": "the run was paused",
    "disk_full": "the disk was full",
    "disk_error": "the disk failed or was not there",
    "interrupted": "the program was not running",
    "busy": "somebody else used the microscope",
    "timeout": "the microscope did not answer in time",
    "hardware": "the microscope failed",
    "stage": "the stage could not go there",
    "incomplete_image": "the camera gave no whole image",
    "memory": "the computer had too little memory",
    "storage": "the frame could not be stored",
    "stopped": "the run was stopped",
    "run_failed": "the run had failed",
}
UNITS = ("B", "kB", "MB", "GB", "TB")
STEP = 1000.0
S_PER_MINUTE = 60
S_PER_HOUR = 3600


# What moves a cursor, sets a title or turns a line round: terminals obey it, also in
# the names and the texts of a run that somebody else has made.
COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Return text with every character that commands a terminal spelt out."""
    return COMMANDING.sub(lambda found: ascii(found[0])[1:-1], text)


class _Screen(Console):
    """A console that no text commands; rich's own colours come later, as styles."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return what is measured and printed for a plain text."""
        return super().render_str(harmless(text), **options)

    def render(
        self, renderable: RenderableType, options: Optional[ConsoleOptions] = None
    ) -> Iterable[Segment]:
        """Yield what is printed."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(harmless(segment.text), segment.style)


class Printer:
    """Prints for a person, or one JSON document for a script.

    Text is printed as it is: a name such as ``Pond [/red]`` is no markup. Colours come
    from styles and from `rich.text.Text` alone.

    Parameters
    ----------
    as_json : bool
        True: nothing but `result` is printed, as JSON, to standard output.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = _Screen(
            highlight=False, markup=False, emoji=False, quiet=as_json, soft_wrap=True
        )

    def say(self, text: str, *, label: str = "", style: str = "") -> None:
        """Print a line for a person, after a bright label if there is one."""
        line = Text(f"{label} ", "bold green") if label else Text()
        self.console.print(line.append(text, style))

    def result(self, data: Mapping[str, Any]) -> None:
        """Print the command's result for a script."""
        if self.as_json:
            text = json.dumps(data, indent=2, ensure_ascii=False)
            safe = COMMANDING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
            print(safe.encode("utf-8", "replace").decode())  # noqa: T201 (it is the output)

    def table(self, table: Table) -> None:
        """Print a table for a person."""
        self.console.print(table, soft_wrap=False)

    def outcomes(
        self, counts: Mapping[str, int], reasons: Sequence[Mapping[str, Any]]
    ) -> None:
        """Print how many slots had each outcome, and a sentence for each reason.

        Parameters
        ----------
        counts : mapping
            Slots by outcome.
        reasons : sequence of mapping
            As `Library.reasons` returns them.
        """
        table = Table(title="Slots by outcome", title_justify="left")
        for name in OUTCOME_COLOURS:
            table.add_column(name, justify="right")
        cells = []
        for name, colour in OUTCOME_COLOURS.items():
            number = counts.get(name, 0)
            cells.append(Text(str(number), colour if number else ""))
        table.add_row(*cells)
        self.table(table)
        for item in reasons:
            slots = "slot" if item["slots"] == 1 else "slots"
            why = REASONS.get(item["reason"], item["reason"])
            self.say(f"{item['slots']} {slots} {item['outcome']}: {why}")

    def progress(self) -> Progress:
        """Return a progress display, to be used in a ``with`` block."""
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.console,
            disable=self.as_json,
        )


def outcome_words(counts: Mapping[str, int]) -> Text:
    """Return the outcomes that occurred: ``118 captured, 2 late``, coloured."""
    return Text(", ").join(
        Text(f"{counts[name]} {name}", colour)
        for name, colour in OUTCOME_COLOURS.items()
        if counts[name]
    )


def run_note(status: Mapping[str, Any]) -> str:
    """Return what stands behind the bar while a run is under way, as markup."""
    parts = [outcome_words(status["counts"]).markup]
    due_in_s: Optional[float] = status["next_due_in_s"]
    if status["phase"] in ("waiting", "paused"):
        parts.append(str(status["phase"]))
    if due_in_s:
        parts.append(f"next in {nice_seconds(due_in_s)}")
    return ", ".join(part for part in parts if part)


def key_values(title: str, data: Dict[str, Any]) -> Table:
    """Return a table of two columns."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for key, value in data.items():
        table.add_row(key, str(value))
    return table


def nice_bytes(size: float) -> str:
    """Return a size for people: 1.4 MB."""
    for unit in UNITS:
        if size < STEP or unit == UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= STEP
    return ""


def nice_seconds(seconds: float) -> str:
    """Return a duration for people: 2 h 5 min, 3 min 20 s, 12 s."""
    whole = round(seconds)
    if whole >= S_PER_HOUR:
        return f"{whole // S_PER_HOUR} h {whole % S_PER_HOUR // S_PER_MINUTE} min"
    if whole >= S_PER_MINUTE:
        return f"{whole // S_PER_MINUTE} min {whole % S_PER_MINUTE} s"
    return f"{whole} s"
