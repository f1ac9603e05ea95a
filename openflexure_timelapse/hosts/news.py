"""One thing that people are told, in plain words; and several of them as one."""

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Sequence

__all__ = ["TEST", "News", "merged", "test_news"]

TEST = "test"

MOST_SHOWN = 6


@dataclass(frozen=True)
class News:
    """What is told.

    Attributes
    ----------
    kind : str
        One of `notify.KINDS`; ``test`` for a trial, ``several`` for a summary.
    title, text : str
        One line, and whole sentences; no markup.
    time : str
        When it happened, ISO 8601 with the local offset.
    host, run, name : str
        The computer, the run's id and the plan's name; empty where there is no run.
    counts : mapping of str to int
        Slots per outcome.
    """

    kind: str
    title: str
    text: str
    time: str
    host: str
    run: str = ""
    name: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> Dict[str, Any]:
        """Return what a webhook is sent."""
        return {**vars(self), "counts": dict(self.counts)}


def test_news(host: str, time: str) -> News:
    """Return a message that only says that messages arrive."""
    text = f"Messages of the time-lapse on {host} arrive. Nothing is to do.\n\n"
    return News(TEST, f"A test from {host}", f"{text}When: {time}", time, host)


def merged(several: Sequence[News], lost: int = 0) -> News:
    """Return several news as one message; a single one as it is.

    Parameters
    ----------
    several : sequence of News
        Oldest first; at least one.
    lost : int
        How many older ones there was no room to keep.
    """
    last = several[-1]
    if len(several) == 1 and not lost:
        return last
    shown = several[-MOST_SHOWN:]
    left_out = len(several) + lost - len(shown)
    lines = [f"{news.time}: {news.title}" for news in shown]
    if left_out:
        lines.insert(0, f"{left_out} earlier messages are left out.")
    title = f"{len(several) + lost} messages, the last: {last.title}"
    text = "\n".join([*lines, "", last.text])
    about = {"time": last.time, "host": last.host, "run": last.run, "name": last.name}
    return News("several", title, text, counts=last.counts, **about)
