"""Opening a port as it is: greetings, boards that start anew by it, other names."""

from pathlib import Path

import pytest
from board_rig import DIALECTS, kinds, rig

from openflexure_timelapse.ports import StagePosition

FAR = StagePosition(600, -400, 300)
BACK = StagePosition(0, 0, 0)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_greeting_of_a_board_is_no_answer(tmp_path: Path, dialect: str) -> None:
    """A board with USB of its own greets who opens it first; answers come after it."""
    with rig(tmp_path, dialect) as made:
        for _ in range(30):
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
