"""What came of hostile input to one target, counted, and what each answer must be."""

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Tuple

from openflexure_timelapse import errors

__all__ = ["CANARY", "COLUMNS", "Reply", "Tally", "table_row"]

CANARY = b"canary-7f3a-outside-of-every-run"
"""Stands in files that nobody may be given."""
SECRETS = (CANARY, b"root:x:0:0", b"SQLite format 3\x00")
TRACES = (b"Traceback (most recent call last)", b'File "/', b"site-packages")
OURS = frozenset(errors.__all__)
INJECTED = "x-injected"
COLUMNS = (
    "target",
    "tool",
    "inputs tried",
    "unexpected 5xx",
    "tracebacks",
    "escapes",
    "others",
)
KINDS = ("5xx", "traceback", "escape", "other")
SHOWN = 900
FIRST_ERROR = 400
FIRST_SERVER_ERROR = 500


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP.

    Attributes
    ----------
    status : int
        0 when the connection ended without one.
    headers : mapping of str to str
        By their names in small letters.
    body : bytes
        As it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Tally:
    """The count of one target.

    Attributes
    ----------
    target, tool : str
        What was attacked, and with what.
    tried : int
        Inputs.
    falls : list of (str, str)
        The kind of each broken promise (``5xx``, ``traceback``, ``escape``, ``other``)
        and a sentence with the input.
    statuses : dict of int to int
        Answers by status.
    """

    target: str
    tool: str
    tried: int = 0
    falls: List[Tuple[str, str]] = field(default_factory=list)
    statuses: Dict[int, int] = field(default_factory=dict)

    def fell(self, kind: str, told: str) -> None:
        """Count a broken promise."""
        self.falls.append((kind, f"{self.target} ({self.tool}): {told[:SHOWN]}"))

    def judge(self, asked: str, reply: Reply) -> None:
        """Count an answer, and what it breaks.

        Parameters
        ----------
        asked : str
            The request, to repeat it.
        reply : Reply
            What came.
        """
        self.tried += 1
        status = reply.status
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if any(trace in reply.body for trace in TRACES):
            self.fell("traceback", f"{asked} answered {reply.body[:200]!r}")
        if any(secret in reply.body for secret in SECRETS):
            self.fell("escape", f"{asked} answered what is outside of the index")
        if status >= FIRST_SERVER_ERROR and not _is_ours(reply):
            self.fell("5xx", f"{asked} answered {status} {reply.body[:200]!r}")
        if INJECTED in reply.headers:
            self.fell("other", f"{asked} put a header of its own into the answer")
        if (
            reply.body
            and status < FIRST_ERROR
            and reply.headers.get("x-content-type-options") != ("nosniff")
        ):
            self.fell("other", f"{asked} answered {status} that may be sniffed")


def _is_ours(reply: Reply) -> bool:
    """Tell whether an answer is one of our errors, other than a failed program."""
    try:
        told: Any = json.loads(reply.body)
        name = told.get("name") or told.get("title")
    except (ValueError, AttributeError):
        return False
    return reply.status != FIRST_SERVER_ERROR and name in OURS


def table_row(tally: Tally) -> Tuple[Any, ...]:
    """Return the row of `COLUMNS` for a target."""
    counts = [sum(kind == each for each, _ in tally.falls) for kind in KINDS]
    return (tally.target, tally.tool, tally.tried, *counts)
