"""The chart of ``docs/run_states.md``, drawn from the table of states."""

from typing import Dict, List

from openflexure_timelapse.run_state import TABLE, WAITING, Phase, RunState


def chart() -> str:
    """Return the table as a mermaid state chart.

    Finishing and ended stand once for all end reasons, and observations that change
    nothing are left out.
    """
    names: Dict[str, str] = {}
    edges: List[str] = []
    for (before, event), after in TABLE.items():
        for state in (before, after):
            names.setdefault(_node(state), state.label)
        edge = f"    {_node(before)} --> {_node(after)}: {event.value}"
        if before != after and _node(before) != _node(after) and edge not in edges:
            edges.append(edge)
    nodes = [f'    state "{label}" as {node}' for node, label in names.items()]
    lines = ["stateDiagram-v2", *nodes, f"    [*] --> {_node(WAITING)}", *edges]
    lines.append(f"    {Phase.ENDED.value} --> [*]")
    return "\n".join(lines) + "\n"


def _node(state: RunState) -> str:
    """Return a name of `state` that mermaid can read."""
    parts = [state.phase.value]
    if state.pause_reason is not None:
        parts.append(state.pause_reason.value)
    if state.disk_full:
        parts.append("and_disk_full")
    return "_".join(parts)
