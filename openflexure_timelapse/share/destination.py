"""What every destination is to whoever makes bundles."""

from typing import Optional, Sequence

from typing_extensions import Protocol

from openflexure_timelapse.share.bundle import Bundle
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.stills import Allowance
from openflexure_timelapse.share.subject import Subject

__all__ = ["Destination"]


class Destination(Protocol):
    """A place where data belong.

    Attributes
    ----------
    name : str
        As in the order.
    title : str
        As people call it.
    feeds_gbif : bool
        Whether what is deposited there goes on to GBIF.
    """

    name: str
    title: str
    feeds_gbif: bool

    def findings(self, subject: Subject, order: ShareOrder) -> Sequence[Finding]:
        """Return what stands in the way, and what is doubtful; nothing is written."""

    def stills(self, subject: Subject, order: ShareOrder) -> Optional[Allowance]:
        """Return how many stills it takes; None where every frame goes along."""

    def movies(self, subject: Subject) -> Sequence[str]:
        """Return the names of the movies of which an order may name one."""

    def bytes_needed(self, subject: Subject, order: ShareOrder) -> int:
        """Return how much room a bundle will take, at most."""

    def write(self, subject: Subject, order: ShareOrder, bundle: Bundle) -> None:
        """Put everything into the bundle but its README and checksums."""

    def guide(self, subject: Subject, order: ShareOrder, language: str) -> str:
        """Return the README in plain ``en`` or ``sv``: how to upload, step by step."""
