"""What a run must know again after its process was lost."""

from dataclasses import dataclass
from typing import Any, Dict, Mapping

from openflexure_timelapse.knowledge import Knowledge
from openflexure_timelapse.run_state import EndReason, PauseReason, Phase, RunState

__all__ = ["UNKNOWN_GAPS", "Memory"]

UNKNOWN_GAPS = "unknown_gaps"
"""The store's value that lists the slots with a gap of unknown length before them."""


@dataclass(frozen=True)
class Memory:
    """Kept in the store whenever it changes; slots and frames are kept by themselves.

    Attributes
    ----------
    state : RunState
        A run that a person paused stays paused after a power cut.
    shift_ns : int
        By how much the ``shift`` policy has moved the grid.
    settings : mapping
        What `Instrument.settings` returned: to lock the same exposure again, and to
        restore what was before.
    knowledge : mapping of str to Knowledge
        By position.
    """

    state: RunState
    shift_ns: int
    settings: Mapping[str, Any]
    knowledge: Mapping[str, Knowledge]

    def to_json(self) -> Dict[str, Any]:
        """Return JSON-able data."""
        state = self.state
        return {
            "state": {
                "phase": state.phase.value,
                "pause_reason": state.pause_reason and state.pause_reason.value,
                "end_reason": state.end_reason and state.end_reason.value,
                "disk_full": state.disk_full,
            },
            "shift_ns": self.shift_ns,
            "settings": dict(self.settings),
            "knowledge": {
                name: knowledge.to_json() for name, knowledge in self.knowledge.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Memory":
        """Read what `to_json` wrote."""
        state = data["state"]
        return cls(
            state=RunState(
                Phase(state["phase"]),
                state["pause_reason"] and PauseReason(state["pause_reason"]),
                state["end_reason"] and EndReason(state["end_reason"]),
                state["disk_full"],
            ),
            shift_ns=data["shift_ns"],
            settings=data["settings"],
            knowledge={
                name: Knowledge.from_json(known)
                for name, known in data["knowledge"].items()
            },
        )
