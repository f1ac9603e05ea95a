"""Whether the board at its cable does what a time-lapse needs."""

import statistics
from pathlib import Path
from typing import Iterator, List, Optional

from openflexure_timelapse.errors import HardwareError, TimelapseError
from openflexure_timelapse.hosts.approach import told_place
from openflexure_timelapse.hosts.direct.board import Board
from openflexure_timelapse.hosts.direct.config import DirectSettings
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.light import DirectLight
from openflexure_timelapse.hosts.direct.stage import DirectStage
from openflexure_timelapse.hosts.finding import Finding
from openflexure_timelapse.ports import Clock, JsonDict, StagePosition
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["check_board"]

QUESTIONS = 20
SLOW_ANSWER_MS = 50.0
TRIAL_STEPS = 200
SLOW_MOVE = 1.2
NS_PER_MS = 1_000_000


def check_board(
    settings: DirectSettings, clock: Clock, place_file: Path, *, moves: bool
) -> Iterator[Finding]:
    """Yield what is found, one thing after the other.

    Parameters
    ----------
    settings : DirectSettings
        Port, light and stage.
    clock : Clock
        Measures.
    place_file : Path
        Where the stage's place is kept; kept up to date when it moves.
    moves : bool
        Whether the stage may move, by 200 steps and back.
    """
    try:
        board = Board(settings.port)
    except HardwareError as exc:
        yield Finding("Board", "bad", str(exc))
        return
    try:
        yield from _answers(board, clock)
        yield from _stage(board, settings, clock, place_file, moves=moves)
        yield _light(board, settings)
    except TimelapseError as exc:
        yield Finding("Board", "bad", str(exc))
    finally:
        told = _told(board.incidents())
        board.close()
    if told:
        yield Finding("Board's line", "warning", f"{told}; check cable and supply")


def _told(incidents: List[JsonDict]) -> str:
    """Return what happened on the line meanwhile."""
    return "; ".join(f"{each['kind']}: {each['detail']}" for each in incidents)


def _answers(board: Board, clock: Clock) -> Iterator[Finding]:
    """Tell what the board is, and how soon it answers."""
    facts = board.facts
    modules = ", ".join(facts.modules) or "no modules"
    yield Finding("Board", "good", f"{facts.board}, {facts.firmware}, {modules}")
    took_ms = []
    for _ in range(QUESTIONS):
        asked_ns = clock.monotonic_ns()
        board.count()
        took_ms.append((clock.monotonic_ns() - asked_ns) / NS_PER_MS)
    told = f"{statistics.median(took_ms):.1f} ms, at worst {max(took_ms):.1f} ms"
    if max(took_ms) > SLOW_ANSWER_MS:
        told += "; use a short cable, and no hub"
        yield Finding("Board's answers", "warning", told)
    else:
        yield Finding("Board's answers", "good", told)


def _stage(
    board: Board,
    settings: DirectSettings,
    clock: Clock,
    place_file: Path,
    *,
    moves: bool,
) -> Iterator[Finding]:
    """Tell where the stage is, and try it if that is allowed."""
    stage = DirectStage(board, clock, settings.stage, KeptPlace(place_file, RealDisk()))
    here = stage.position()
    unsure = stage.state()["unsure_steps"]
    told = f"at {told_place(here)} by its own count"
    if any(unsure.values()):
        told += (
            f", by {tuple(unsure.values())} steps unsure since a move was broken off"
        )
        yield Finding("Stage", "warning", f"{told}; set its zero when you can")
    else:
        yield Finding("Stage", "good", told)
    if not moves:
        told = f"not tried; add --move to go {TRIAL_STEPS} steps and back on each axis"
        yield Finding("Moves", "untried", told)
        return
    for axis in range(3):
        yield _trial(stage, clock, here, axis)


def _trial(stage: DirectStage, clock: Clock, here: StagePosition, axis: int) -> Finding:
    """Go a little way on one axis and back; each end is verified by the stage."""
    topic = f"Moves of {'xyz'[axis]}"
    steps = [here.x, here.y, here.z]
    steps[axis] += TRIAL_STEPS
    try:
        stage.move_to(here)  # from below, so that the next way has a known length
        began_ns = clock.monotonic_ns()
        stage.move_to(StagePosition(*steps))
        took_ms = (clock.monotonic_ns() - began_ns) / NS_PER_MS
        stage.move_to(here)
    except TimelapseError as exc:
        return Finding(topic, "bad", str(exc))
    usual_ms = TRIAL_STEPS * 1000.0 / stage.describe().steps_per_s
    told = f"{TRIAL_STEPS} steps up in {took_ms:.0f} ms ({usual_ms:.0f} by its speed), "
    told += "and back; the board counted both. Whether the sample moved, only you see"
    level = "good" if took_ms < SLOW_MOVE * usual_ms + SLOW_ANSWER_MS else "warning"
    return Finding(topic, level, told)


def _light(board: Board, settings: DirectSettings) -> Finding:
    """Read the light, and set it to what it is."""
    if not board.facts.has_light:
        told = "this board switches none; leave it on while a run goes on"
        return Finding("Light", "good", told)
    light: Optional[DirectLight] = None
    try:
        light = DirectLight(board, settings.light_output, first_level=None)
        level = light.level()
    except HardwareError as exc:
        return Finding("Light", "bad", str(exc))
    told = f"output {settings.light_output} is at {level:.2f}"
    return Finding("Light", "good", f"{told} (off)" if level == 0.0 else told)
