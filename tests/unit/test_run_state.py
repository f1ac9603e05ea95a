"""The phases of a run, its status, and the chart that is drawn from the table."""

import json
from pathlib import Path
from typing import List

import pytest
from cases.chart import chart

from openflexure_timelapse.errors import WrongPhaseError
from openflexure_timelapse.frame import Outcome
from openflexure_timelapse.run_state import (
    TABLE,
    WAITING,
    Counts,
    EndReason,
    LastFrame,
    PauseReason,
    Phase,
    RunEvent,
    RunState,
    RunStatus,
    transition,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "run_states.md"
STATES = sorted({state for state, _ in TABLE}, key=repr)
BEGIN, PAUSE, RESUME = RunEvent.BEGIN, RunEvent.PAUSE, RunEvent.RESUME
FULL, SPACE = RunEvent.DISK_FULL, RunEvent.SPACE_RETURNED
ERROR, BACK = RunEvent.DISK_ERROR, RunEvent.DISK_RETURNED


def after(*events: RunEvent) -> RunState:
    """Return the state of a run to which these things happened."""
    state = WAITING
    for event in events:
        state = transition(state, event)
    return state


def short(state: RunState) -> str:
    """Return phase and reasons of a state in one line."""
    parts = [state.phase, state.pause_reason, state.end_reason]
    return " ".join(part.value for part in parts if part is not None)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "waiting"),
        ([BEGIN], "running"),
        ([BEGIN, PAUSE], "paused user"),
        ([BEGIN, PAUSE, RESUME], "running"),
        ([BEGIN, FULL], "paused disk_full"),
        ([BEGIN, FULL, SPACE], "running"),
        ([BEGIN, PAUSE, FULL], "paused user"),
        ([BEGIN, PAUSE, FULL, SPACE], "paused user"),
        ([BEGIN, PAUSE, FULL, SPACE, RESUME], "running"),
        ([BEGIN, PAUSE, FULL, RESUME], "paused disk_full"),
        ([BEGIN, PAUSE, FULL, RESUME, SPACE], "running"),
        ([BEGIN, FULL, PAUSE], "paused user"),
        ([BEGIN, FULL, PAUSE, SPACE], "paused user"),
        ([BEGIN, FULL, PAUSE, RESUME], "paused disk_full"),
        ([BEGIN, ERROR], "paused disk_error"),
        ([BEGIN, ERROR, SPACE], "paused disk_error"),
        ([BEGIN, ERROR, BACK], "running"),
        ([BEGIN, ERROR, FULL], "paused disk_full"),
        ([BEGIN, FULL, ERROR], "paused disk_error"),
        ([BEGIN, FULL, BACK], "paused disk_full"),
        ([BEGIN, ERROR, PAUSE], "paused user"),
        ([BEGIN, ERROR, PAUSE, RESUME], "running"),
        ([BEGIN, ERROR, RunEvent.COMPLETE], "finishing completed"),
        ([BEGIN, RunEvent.COMPLETE], "finishing completed"),
        ([BEGIN, PAUSE, RunEvent.COMPLETE], "finishing completed"),
        ([BEGIN, RunEvent.COMPLETE, RunEvent.CLOSE], "ended completed"),
        ([RunEvent.STOP, RunEvent.CLOSE], "ended stopped"),
        ([BEGIN, FULL, RunEvent.STOP], "finishing stopped"),
        ([BEGIN, RunEvent.FAIL, RunEvent.CLOSE], "ended failed"),
        ([BEGIN, RunEvent.COMPLETE, RunEvent.FAIL], "finishing failed"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_a_run_goes_through_its_phases(events: List[RunEvent], state: str) -> None:
    """A person's pause outweighs the disk's, and every end keeps its reason."""
    assert short(after(*events)) == state


@pytest.mark.parametrize(
    ("events", "event", "told"),
    [
        ([], PAUSE, "pause a run that is waiting; it has no slots yet; stop it"),
        ([], RESUME, "resume a run that is waiting; it begins by itself"),
        ([BEGIN], RESUME, "resume a run that is running; there is nothing to resume"),
        ([BEGIN, PAUSE], PAUSE, "pause a run that is paused by the user; resume it"),
        (
            [BEGIN, FULL],
            RESUME,
            "resume a run that is paused because the disk is full; free some space",
        ),
        (
            [BEGIN, ERROR],
            RESUME,
            "resume a run that is paused because the disk fails; mend the disk",
        ),
        (
            [BEGIN, RunEvent.STOP],
            RunEvent.STOP,
            "stop a run that is finishing; wait until it has ended",
        ),
        (
            [BEGIN, RunEvent.STOP, RunEvent.CLOSE],
            PAUSE,
            "pause a run that is ended; start a new one",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_refusals_say_what_to_do(
    events: List[RunEvent], event: RunEvent, told: str
) -> None:
    """A request that the phase does not allow is refused with a helpful sentence."""
    with pytest.raises(WrongPhaseError) as caught:
        transition(after(*events), event)
    assert str(caught.value).startswith(f"Cannot {told}")
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("state", STATES, ids=short)
def test_observations_are_never_refused(state: RunState) -> None:
    """That the disk is full, fails, or is back, is no request and never wrong."""
    for event in (FULL, SPACE, ERROR, BACK):
        assert transition(state, event) in STATES


@pytest.mark.parametrize("state", STATES, ids=short)
def test_every_state_can_be_reached_and_left(state: RunState) -> None:
    """No state is out of reach, and none but the end is a trap."""
    reached, fresh = {WAITING}, [WAITING]
    while fresh:
        here = fresh.pop()
        for event in RunEvent:
            there = TABLE.get((here, event))
            if there is not None and there not in reached:
                reached.add(there)
                fresh.append(there)
    assert state in reached
    leads_on = any(TABLE.get((state, event), state) != state for event in RunEvent)
    assert leads_on == (state.phase is not Phase.ENDED)


@pytest.mark.parametrize("state", STATES, ids=short)
def test_reasons_belong_to_their_phase(state: RunState) -> None:
    """A pause reason means paused, an end reason means finishing or ended."""
    assert (state.pause_reason is not None) == (state.phase is Phase.PAUSED)
    over = state.phase in (Phase.FINISHING, Phase.ENDED)
    assert (state.end_reason is not None) == over
    if state.disk_full:
        assert state.pause_reason is PauseReason.USER


def test_the_chart_in_the_docs_is_the_table() -> None:
    """The chart in the docs is the one that the table draws."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.split("```mermaid\n")[1].split("```")[0] == chart()


def test_the_chart_shows_every_change() -> None:
    """Every event that changes something is an arrow of the chart."""
    drawn = chart()
    assert {event for event in RunEvent if f": {event.value}\n" in drawn} == set(
        RunEvent
    )


# ---------------------------------------------------------------------------- status


def test_a_status_is_json() -> None:
    """A status becomes plain JSON, with None for what is not known."""
    status = RunStatus(
        run_id="r",
        name="pond",
        state=after(BEGIN, PAUSE),
        slot=3,
        slots=120,
        counts=Counts().plus(Outcome.CAPTURED, 3).plus(Outcome.LATE),
        last_frame=LastFrame(4, "frames/here/3.jpeg", 3, "here"),
        warnings=("The disk is nearly full.",),
    )
    data = json.loads(json.dumps(status.to_json()))
    assert (data["phase"], data["pause_reason"]) == ("paused", "user")
    assert data["end_reason"] is None
    assert data["counts"] == {"captured": 3, "late": 1, "skipped": 0, "failed": 0}
    assert data["last_frame"]["file"] == "frames/here/3.jpeg"
    assert data["next_due_in_s"] is None
    assert data["warnings"] == ["The disk is nearly full."]


def test_a_status_without_frames_is_json_too() -> None:
    """Before the first frame there is nothing to show, and no error."""
    status = RunStatus(run_id="r", name="pond", state=after(RunEvent.STOP))
    data = json.loads(json.dumps(status.to_json()))
    assert data["last_frame"] is None
    assert data["end_reason"] == EndReason.STOPPED.value
    assert set(data) >= {"lateness_p99_ms", "bytes_free", "disk_full_at", "movie_jobs"}


def test_counts_add_up() -> None:
    """Counts have one number for each outcome, and their sum."""
    counts = Counts()
    for slots, outcome in enumerate(Outcome, 1):
        counts = counts.plus(outcome, slots)
    assert counts.total == 10
