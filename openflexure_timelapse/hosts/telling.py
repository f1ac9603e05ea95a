"""How a run goes, in a number and in a line: for the servers' own lists of actions."""

from typing import Any, Mapping

__all__ = ["line_of", "progress_of"]


def progress_of(status: Mapping[str, Any]) -> float:
    """Return the part of a run that is done, 0 to 1; 0 for one without an end.

    Parameters
    ----------
    status : mapping
        What the verb ``status`` returns.
    """
    slots, counts = status.get("slots"), status.get("counts")
    if not slots or not counts:
        return 0.0
    return float(round(sum(counts.values()) / slots, 4))


def line_of(status: Mapping[str, Any]) -> str:
    """Return a line about a run for a log.

    Parameters
    ----------
    status : mapping
        What the verb ``status`` returns.
    """
    counts = status.get("counts") or {}
    done = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    ends = status.get("end_reason")
    phase = status["phase"] if ends is None else f"{status['phase']} ({ends})"
    name = status.get("name") or "No run"
    return f"{name}: {phase}, {done or 'nothing captured yet'}"
