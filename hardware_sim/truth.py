"""What really was, written beside the run; nothing of the engine can see it."""

import json
from pathlib import Path
from typing import Any, Mapping, Optional, Union

__all__ = ["TruthLog", "last_record"]

TAIL_BYTES = 4_000_000


class TruthLog:
    """Appends one JSON object a line.

    Parameters
    ----------
    path : str or Path or None
        None keeps nothing.
    """

    def __init__(self, path: Union[str, Path, None]) -> None:
        self._path = None if path is None else Path(path)
        self.last: Optional[Mapping[str, Any]] = None

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record of JSON-able facts."""
        self.last = record
        if self._path is None:
            return
        line = json.dumps(record, separators=(",", ":"))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def last_record(path: Path) -> Optional[Mapping[str, Any]]:
    """Return the last whole record of a truth file; None when there is none.

    The process may have been killed while it wrote: a last line that is cut short does
    not count.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(0, end - TAIL_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    for line in reversed(lines[:-1]):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None
