"""Other Things of server v3: which may be missing, renamed or moody."""

from pathlib import Path
from typing import Any

import labthings_fastapi as lt
import pytest
from steady_run import PLAN, captured
from thing_rig import NAME, started

from openflexure_timelapse.hosts.v3 import TimelapseThing


def test_optional_things_may_be_missing(tmp_path: Path) -> None:
    """Without autofocus and light the rest works."""
    # The sweep's deadline is of the server's time: it must do on a busy machine.
    rig = started(tmp_path, speed=5.0, without=("autofocus", "illumination"))
    told = rig.visitor.get("microscope")
    assert (told["light"], told["focuser"]) == (False, False)
    plan = {**PLAN, "frames": 1, "autofocus": {"every": 1}}
    rig.visitor.post("start", plan)
    assert captured(rig.visitor.wait_for("ended")) == 1
    rig.close()


@pytest.mark.parametrize("missing", ["camera", "stage"])
def test_a_missing_thing_is_told_and_stops_no_server(
    tmp_path: Path, missing: str
) -> None:
    """The status names it and where to give its name."""
    rig = started(tmp_path, without=(missing,))
    told = rig.visitor.get("status")
    assert told["phase"] == "unavailable"
    assert missing in told["detail"]
    assert rig.visitor.ask("POST", "start", PLAN).code == 503
    assert rig.visitor.ask("GET", "page/").code == 200
    rig.close()


def test_other_names_can_be_configured(tmp_path: Path) -> None:
    """By a slot, or by an argument; a misspelt name is told."""
    rig = started(
        tmp_path,
        config={"class": TimelapseThing, "kwargs": {"illumination": "nothing"}},
    )
    assert rig.visitor.get("microscope")["light"] is False
    rig.close()
    slots = {"class": TimelapseThing, "thing_slots": {"autofocus": "illumination"}}
    rig = started(tmp_path, config=slots)
    assert rig.visitor.get("microscope")["focuser"] is False
    rig.close()


class MoodyThing(lt.Thing):
    """A Thing whose state raises: every capture of the server fails then."""

    @property
    def thing_state(self) -> dict[str, Any]:
        """Raise."""
        raise RuntimeError("moody")


def test_a_neighbour_whose_state_raises_is_told(tmp_path: Path) -> None:
    """The visits fail with the reason, and the run goes on."""
    things = {"moody": {"class": MoodyThing}, NAME: {"class": TimelapseThing}}
    rig = started(tmp_path, things=things)
    run = rig.visitor.post("start", {**PLAN, "frames": 2})["run"]
    status = rig.visitor.wait_for("ended")
    assert status["end_reason"] == "completed"
    for slot in rig.visitor.get(f"runs/{run}/slots")["slots"]:
        assert (slot["outcome"], slot["reason"]) == ("failed", "hardware")
        assert "moody" in slot["detail"]
    rig.close()
