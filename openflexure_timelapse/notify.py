"""Of what a run tells its people; to whom, only the computer's own settings say."""

from typing import Tuple

from pydantic import Field
from typing_extensions import Literal, get_args

from openflexure_timelapse.document import Document

__all__ = ["KINDS", "Kind", "Notify"]

Kind = Literal["failed", "paused", "stalled", "missed", "resumed", "ended"]
KINDS: Tuple[Kind, ...] = get_args(Kind)


class Notify(Document):
    """Of what a run tells.

    Attributes
    ----------
    on : tuple of str
        ``failed``: it ended or broke off because of an error. ``paused``: the disk is
        full or fails, and when it takes frames again. ``stalled``: it makes no
        progress, and when it does again. ``missed``: slots in a row have no frame, or
        none that shows anything, and when one has again.
        ``resumed``: taken up after an interruption. ``ended``: completed or stopped.
    """

    on: Tuple[Kind, ...] = Field(default=KINDS, max_length=len(KINDS))
