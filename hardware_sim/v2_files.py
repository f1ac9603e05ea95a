"""How the simulated server v2 writes JSON, and where its settings stand."""

import json
import logging
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, Mapping
from uuid import UUID

import numpy as np
from labthings.json import LabThingsJSONEncoder

__all__ = ["JSONEncoder", "SettingsFile"]

LOG = logging.getLogger(__name__)


class JSONEncoder(LabThingsJSONEncoder):
    """JSON as the v2 server writes it: with UUIDs, fractions and numpy's numbers.

    As there, numpy's booleans, paths and times have no form, and NaN is written bare,
    which no browser reads.
    """

    def default(self, o: Any) -> Any:
        """Return a value that JSON has, in place of one that it has not.

        Parameters
        ----------
        o : object
            Of a type that the encoder does not know by itself.
        """
        if isinstance(o, UUID):
            return str(o)
        if isinstance(o, (Fraction, np.floating)):
            return float(o)
        if isinstance(o, np.integer):
            return int(o)
        return o.tolist() if isinstance(o, np.ndarray) else super().default(o)


class SettingsFile:
    """Settings in a JSON file that is written in place, as on the real server.

    A power cut, or a value that JSON has not, leaves half of it; the next start then
    finds no settings. What was saved before lies beside it, in ``….bk``, and is never
    read.

    Parameters
    ----------
    path : Path
        The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Dict[str, Any]:
        """Return what was saved; nothing for a file that is missing or broken."""
        if not self.path.is_file():
            return {}
        try:
            return dict(json.loads(self.path.read_text("utf-8")))
        except ValueError as exc:
            LOG.error("The settings in %s cannot be read: %s", self.path, exc)  # noqa: TRY400
            return {}

    def save(self, settings: Mapping[str, Any]) -> None:
        """Replace what was saved.

        Parameters
        ----------
        settings : mapping
            What `JSONEncoder` can write.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            shutil.copyfile(str(self.path), f"{self.path}.bk")
        with self.path.open("w", encoding="utf-8") as file:
            json.dump(settings, file, cls=JSONEncoder, indent=2, sort_keys=True)
