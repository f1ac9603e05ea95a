"""Opening a port as it is: greetings, boards that start anew by it, other names."""

import contextlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator, List, Sequence

import pytest
from board_rig import DIALECTS, Rig, kinds, rig

from openflexure_timelapse.errors import HardwareBusyError, HardwareError
from openflexure_timelapse.hosts.direct import board, port
from openflexure_timelapse.hosts.direct.board import Board
from openflexure_timelapse.hosts.direct.second_try import SecondTryStage
from openflexure_timelapse.ports import StagePosition

FAR = StagePosition(600, -400, 300)
BACK = StagePosition(0, 0, 0)
BACK_AGAIN_S = 0.3
"""What a board with USB of its own is away for when it starts anew, in small."""
LONG_S = 20.0
HOLD = """
import sys
held = open(sys.argv[1], "rb+", buffering=0)
print("held", flush=True)
sys.stdin.read()
"""


def call(made: Rig, name: str) -> None:
    """Put the cable in again under another name."""
    made.wire._link = made.folder / name
    made.wire.plug()


@pytest.fixture(name="found")
def _found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Return a board on USB that was found by itself."""
    monkeypatch.setattr(port, "DEVICES", tmp_path)
    with rig(tmp_path) as made:
        made.board.close()
        made.wire.unplug()
        call(made, "ttyACM0")
        made.port = None
        made.begin()
        yield made


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_greeting_of_a_board_is_no_answer(tmp_path: Path, dialect: str) -> None:
    """A board with USB of its own greets who opens it first; answers come after it."""
    with rig(tmp_path, dialect) as made:
        for _ in range(5):
            made.board.close()
            made.wire.unplug()
            made.wire.plug()
            made.begin()
            made.stage.move_to(FAR)
            made.stage.move_to(BACK)
            assert kinds(made) == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("boot_s", [0.3, 0.7])
def test_a_board_that_starts_anew_when_its_port_is_opened_is_waited_for(
    tmp_path: Path, dialect: str, boot_s: float
) -> None:
    """An Arduino Nano: what is said to its bootloader is lost."""
    with rig(tmp_path, dialect, reply_s=0.5, boot_s=boot_s) as made:
        made.stage.move_to(FAR)
        made.board.close()
        made.begin()
        assert made.stage.position() == FAR
        made.stage.move_to(BACK)
        assert made.true_steps() == [0, 0, 0]
        assert "place_unsure" not in kinds(made)


def test_a_move_that_nobody_follows_any_more_ends_before_the_port_is_opened_anew(
    tmp_path: Path,
) -> None:
    """That would start an old board anew in the middle of its way, uncounted."""
    with rig(tmp_path, "v0.5", boot_s=0.3) as made:
        made.stage.move_to(FAR)
        glide = made.stage.glide(StagePosition(2500, 0, 300))
        glide._mover.look(glide, 0.05)  # the board has taken the command by then
        made.clock.advance(500_000_000)
        made.stage.break_off(glide)
        assert made.stage.position() == StagePosition(2500, 0, 300)
        assert made.true_steps() == [2500, 0, 300]
        assert made.stage.state()["unsure_steps"] == {"x": 0, "y": 0, "z": 0}
        assert kinds(made) == []


def test_a_board_is_found_again_under_the_next_number(found: Rig) -> None:
    """Its old number is ours until we notice; the kernel gives it to nobody else."""
    found.stage.move_to(FAR)
    found.wire.unplug()
    call(found, "ttyACM1")
    assert found.stage.position() == FAR
    assert found.board.facts.port.endswith("ttyACM1")
    assert kinds(found) == ["unplugged", "reconnected", "place_restored"]
    found.stage.move_to(BACK)
    assert found.true_steps() == [0, 0, 0]


def test_another_port_is_not_tried_when_one_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else may be there that must not be spoken to."""
    monkeypatch.setattr(port, "DEVICES", tmp_path)
    with rig(tmp_path) as made:
        made.wire.unplug()
        call(made, "ttyACM1")
        with pytest.raises(HardwareError, match="is not there"):
            made.stage.position()


def test_a_board_that_takes_its_port_along_when_it_starts_anew_is_waited_for(
    found: Rig,
) -> None:
    """In a move: the visit's second try finds it, though it is away for a while."""
    found.stage.move_to(FAR)

    def restart() -> None:
        found.wire.unplug()
        threading.Timer(BACK_AGAIN_S, lambda: call(found, "ttyACM1")).start()

    found.clock.call_at(found.clock.monotonic_ns() + 400_000_000, restart)
    SecondTryStage(found.stage).move_to(StagePosition(900, 0, 600))
    told = kinds(found)
    assert told[0] == "unplugged"
    assert "place_unsure" in told


def test_a_board_that_stays_away_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visits after that fail at once: after two looks, as each question has."""
    looks: List[str] = []

    def look(ports: Sequence[str], reply_s: float) -> Any:
        looks.extend(ports)
        return port.open_first(ports, reply_s)

    with rig(tmp_path) as made:
        made.wire.unplug()
        with pytest.raises(HardwareError):
            made.stage.position()
        monkeypatch.setattr(board, "open_first", look)
        for _ in range(10):
            with pytest.raises(HardwareError, match="is not there"):
                made.stage.position()
        assert len(looks) == 20


def test_whoever_closes_waits_for_no_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that ends is not kept by a board that is away."""
    is_looking = threading.Event()

    def look(ports: Sequence[str], reply_s: float) -> Any:
        is_looking.set()
        return port.open_first(ports, reply_s)

    with rig(tmp_path, reply_s=LONG_S) as made:
        monkeypatch.setattr(board, "open_first", look)
        made.wire.unplug()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(made.board.count)
            is_looking.wait()
            made.board.close()
            assert "was closed" in str(asked.exception())


def test_a_port_that_another_program_has_open_is_not_shared(found: Rig) -> None:
    """Most programs do not lock it: each would get a part of the answers."""
    found.board.close()
    words = [sys.executable, "-c", HOLD, str(found.wire._link)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program, contextlib.ExitStack() as ending:
        ending.callback(program.communicate)
        assert program.stdout is not None
        assert program.stdout.readline()
        asked = len(found.wire.heard)
        for named in (None, str(found.wire._link)):
            with pytest.raises(HardwareBusyError, match=f"process {program.pid}"):
                Board(named)
        assert len(found.wire.heard) == asked


def test_every_port_that_was_tried_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its reason: the last one may not be the one that matters."""
    monkeypatch.setattr(port, "DEVICES", tmp_path)
    for name in ("ttyUSB0", "ttyACM0"):
        (tmp_path / name).symlink_to(tmp_path / "nothing")
    with pytest.raises(HardwareError, match=r"(?s)ttyUSB0 is not .*ttyACM0 is not "):
        Board(None)
