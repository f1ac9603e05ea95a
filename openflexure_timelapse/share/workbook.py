"""A table as a workbook (XLSX) in which every cell is text."""

import io
from typing import Iterable, Sequence

__all__ = ["workbook_of"]

TEXT = "@"


def workbook_of(title: str, rows: Iterable[Sequence[str]]) -> bytes:
    """Return a workbook with one sheet.

    Parameters
    ----------
    title : str
        Of the sheet, 31 characters at most.
    rows : iterable of sequence of str
        Each in one line (`line_text`). Nothing in them becomes a number, a date or a
        formula, also when somebody edits the cell.
    """
    from openpyxl import Workbook  # noqa: PLC0415 (0.3 s that only a bundle needs)

    workbook = Workbook()
    sheet = workbook.active
    sheet.title = title
    for row, values in enumerate(rows, 1):
        for column, value in enumerate(values, 1):
            cell = sheet.cell(row, column)
            cell.value = value
            cell.data_type = "s"  # also where it looks like a formula
            cell.number_format = TEXT
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()
