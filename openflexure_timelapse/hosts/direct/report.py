"""The check-up as text for an issue: what finds a fault, and nothing private."""

import re
from typing import Mapping, Sequence

from openflexure_timelapse.hosts.finding import Finding

__all__ = ["report_of"]

WORDS = {
    "good": "ok",
    "untried": "not tried",
    "warning": "**warning**",
    "bad": "**bad**",
}
TITLE = "### Hardware check-up of OpenFlexure Timelapse"
SHORTEST = 3
"""A shorter name is left: taken out, it would be missing in the middle of words."""


def report_of(findings: Sequence[Finding], private: Mapping[str, str]) -> str:
    """Return a table in Markdown.

    Parameters
    ----------
    findings : sequence of Finding
        In their order.
    private : mapping of str to str
        What must not be told, such as names of people, computers and folders, each with
        what stands in its place.
    """
    lines = [TITLE, "", "| | what | found |", "|---|---|---|"]
    for finding in findings:
        told = _cell(_without(finding.detail, private))
        lines.append(f"| {WORDS[finding.level]} | {_cell(finding.topic)} | {told} |")
    return "\n".join(lines) + "\n"


def _without(text: str, private: Mapping[str, str]) -> str:
    """Return text without private words; the longest first, since one may hold another.

    Only whole words: the user ``pi`` is not in ``picamera2``.
    """
    for word in sorted(private, key=len, reverse=True):
        if len(word) >= SHORTEST or word == "pi":
            pattern = rf"(?<![\w.-]){re.escape(word)}(?![\w-])"
            text = private[word].join(re.split(pattern, text))
    return text


def _cell(text: str) -> str:
    """Return text that stays in its cell."""
    return " ".join(text.replace("|", "\\|").split())
