"""How the simulated server v2 writes JSON, and where its settings stand."""

import json
import logging
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

    As there, numpy's booleans, paths and NaN have no form.
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
        if isinstance(o, np.ndarray):
            return o.tolist()
        return super().default(o)


class SettingsFile:
    """Settings in a JSON file, which is never seen half written.

    Parameters
    ----------
    path : Path
        The file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Dict[str, Any]:
        """Return what was saved; nothing for a file that is missing or broken."""
        try:
            loaded = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as exc:
            LOG.error("The settings in %s cannot be read: %s", self.path, exc)  # noqa: TRY400
            return {}
        return dict(loaded)

    def save(self, settings: Mapping[str, Any]) -> None:
        """Replace what was saved.

        Parameters
        ----------
        settings : mapping
            What `JSONEncoder` can write.
        """
        text = json.dumps(settings, cls=JSONEncoder, indent=2, sort_keys=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(self.path.name + ".part")
        part.write_text(text, "utf-8")
        part.replace(self.path)

    def merge(self, settings: Mapping[str, Any]) -> Dict[str, Any]:
        """Return what was saved, with some of it replaced.

        Parameters
        ----------
        settings : mapping
            What replaces it, by whole top-level entries.
        """
        return {**self.load(), **settings}
