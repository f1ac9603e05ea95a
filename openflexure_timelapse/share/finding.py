"""What stands in the way of a bundle, or is to be told of it. Pure."""

from dataclasses import dataclass
from typing import Dict, Iterable, List

from openflexure_timelapse.document import listed
from openflexure_timelapse.errors import InvalidShareError

__all__ = ["Finding", "refuse_blocked"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or doubtful.

    Attributes
    ----------
    field : str
        Of the record (``taxon.name``) or of the order (``order.frames``).
    sentence : str
        What, the value, what to do next.
    blocks : bool
        Whether there can be no bundle; else it is only told.
    """

    field: str
    sentence: str
    blocks: bool = False

    def to_json(self) -> Dict[str, object]:
        """Return what the API shows."""
        return {"field": self.field, "reason": self.sentence, "blocks": self.blocks}


def refuse_blocked(destination: str, findings: Iterable[Finding]) -> List[Finding]:
    """Return what is only to be told.

    Parameters
    ----------
    destination : str
        As a person calls it.
    findings : iterable of Finding
        All there are.

    Raises
    ------
    InvalidShareError
        With an entry for each that blocks.
    """
    found = list(findings)
    blocking = [finding for finding in found if finding.blocks]
    if not blocking:
        return found
    fields = [{"field": item.field, "reason": item.sentence} for item in blocking]
    told = listed([item.sentence.rstrip(".") for item in blocking])
    raise InvalidShareError(f"{destination} cannot take this run yet: {told}.", fields)
