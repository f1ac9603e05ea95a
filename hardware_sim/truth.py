"""What really was, written beside the run; nothing of the engine can see it."""

import json
from pathlib import Path
from typing import Any, Mapping, Optional, Union

__all__ = ["TruthLog"]


class TruthLog:
    """Appends one JSON object a line.

    A disk that refuses a line costs the truth, never a picture: how many lines were
    lost stands in the next one that is written, as ``lines_lost``.

    Parameters
    ----------
    path : str or Path or None
        None keeps nothing.
    """

    def __init__(self, path: Union[str, Path, None]) -> None:
        self._path = None if path is None else Path(path)
        self._lost = 0
        self.last: Optional[Mapping[str, Any]] = None

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record of JSON-able facts."""
        self.last = record
        if self._path is None:
            return
        told = {**record, "lines_lost": self._lost} if self._lost else record
        line = json.dumps(told, separators=(",", ":")).encode() + b"\n"
        try:
            with self._path.open("a+b") as file:
                file.write(line if self._is_whole(file) else b"\n" + line)
        except OSError:
            self._lost += 1
        else:
            self._lost = 0

    @staticmethod
    def _is_whole(file: Any) -> bool:
        """Tell whether the file ends with a line; a killed process may have cut one."""
        if file.seek(0, 2) == 0:
            return True
        file.seek(-1, 2)
        return bool(file.read(1) == b"\n")
