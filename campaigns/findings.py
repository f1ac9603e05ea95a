"""What an attack found: figures to publish, and promises that fell."""

from dataclasses import dataclass
from typing import Sequence, Tuple, Union

__all__ = ["Cell", "Findings", "Table"]

Cell = Union[str, int, float]


@dataclass(frozen=True)
class Table:
    """Figures of one attack.

    Attributes
    ----------
    columns : tuple of str
        Headings, with units.
    rows : tuple of tuple
        Texts stand left, numbers right; a whole number gets spaces at its thousands.
    """

    columns: Tuple[str, ...]
    rows: Tuple[Tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """Return the table as a page shows it."""
        rights = [
            bool(column) and all(isinstance(cell, (int, float)) for cell in column)
            for column in zip(*self.rows)
        ] or [False] * len(self.columns)
        rule = ["--:" if right else "---" for right in rights]
        rows = ([shown(cell) for cell in row] for row in self.rows)
        lines = (self.columns, rule, *rows)
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Findings:
    """All that an attack tells.

    Attributes
    ----------
    tables : tuple of Table
        What was tried, how often, and what was lost.
    broken : tuple of str
        A sentence for each promise that fell, with what repeats it; empty when all
        held.
    notes : tuple of str
        Sentences that a reader of the tables needs.
    """

    tables: Tuple[Table, ...]
    broken: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return tables, notes and falls as a page shows them."""
        parts = [table.markdown() for table in self.tables]
        parts += self.notes
        parts += _falls(self.broken)
        return "\n\n".join(parts)


def shown(cell: Cell) -> str:
    """Return a cell's text."""
    if isinstance(cell, int):
        return f"{cell:,}".replace(",", " ")
    return str(cell)


def _falls(broken: Sequence[str]) -> Sequence[str]:
    """Return the falls as one list."""
    if not broken:
        return []
    return ["**Fell:**\n\n" + "\n".join(f"- {sentence}" for sentence in broken)]
