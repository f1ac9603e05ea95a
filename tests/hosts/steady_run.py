"""A run in which each slot has its frame, on a machine of any speed."""

from typing import Any, Dict

__all__ = ["PLAN", "SPEED", "captured", "first_frames"]

SPEED = 20.0
PLAN: Dict[str, Any] = {
    "name": "traps",
    "interval_s": 5,
    "keep_free_mb": 0,
    "late": "catch_up",
    "catch_up_slots": 1000,
    "movie": None,
}


def captured(status: Dict[str, Any]) -> int:
    """Return how many slots have their frame."""
    return int(status["counts"]["captured"] + status["counts"]["late"])


def first_frames(rig: Any, count: int = 1) -> Dict[str, Any]:
    """Wait until a run has some frames; `rig` is of either server."""
    told: Dict[str, Any] = rig.visitor.until(
        "status", lambda told: "counts" in told and captured(told) >= count
    )
    return told
