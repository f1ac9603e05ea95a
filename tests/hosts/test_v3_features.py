"""What server v3's Things offer, and what is said where something is missing."""

from types import SimpleNamespace
from typing import Any

import pytest
from v3_things import FileCamera, NotedIllumination, NotedStage, ours

from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.v3_features import accepts, missing_features, offers
from openflexure_timelapse.hosts.v3_microscope import HOST, V3Microscope


def test_a_missing_thing_is_told_in_a_sentence() -> None:
    """It says which one, and where to name it."""
    with pytest.raises(HardwareError, match=r"no camera.*thing_slots\..*no stage"):
        V3Microscope(None, None, SimpleNamespace())  # type: ignore[arg-type]


def test_a_missing_feature_is_told_in_a_sentence() -> None:
    """It names the Thing, its class and what it lacks."""

    class OldCamera:
        name = "cam"

        def capture_to_memory(self) -> None:
            """Do nothing."""

    (told,) = missing_features(camera=OldCamera(), stage=NotedStage())
    assert told.startswith(
        "The camera 'cam' (OldCamera) lacks capture_and_save_to_path"
    )
    assert "; or save_from_memory; or grab_jpeg;" in told
    with pytest.raises(HardwareError, match="OldCamera"):
        ours(OldCamera())


def test_a_stage_that_cannot_be_sent_anywhere_is_told() -> None:
    """Where it is alone does not help."""
    stage = SimpleNamespace(position={})
    with pytest.raises(HardwareError, match=r"stage 'stage'.*lacks move_absolute;"):
        ours(None, stage)


@pytest.mark.parametrize("absent", [None, SimpleNamespace(flash=1)])
def test_what_is_optional_may_be_absent(absent: Any) -> None:
    """No Thing, or one that cannot what we need, is no light and no focuser."""
    microscope = ours(autofocus=absent, illumination=absent)
    assert microscope.light is None
    assert microscope.focuser is None
    assert "illumination" not in microscope.describe()


def test_asking_touches_no_hardware() -> None:
    """A property of a camera may wait for a frame, or fail before the server runs."""

    class Shy:
        @property
        def exposure_time(self) -> int:
            raise RuntimeError("asked")

    assert offers(Shy(), "exposure_time")
    assert not offers(Shy(), "exposure_time", "analogue_gain")


def test_parameters_are_found_behind_an_action() -> None:
    """Also where the action wraps its function."""
    assert accepts(NotedStage(), "move_absolute", "backlash_compensation")
    assert not accepts(NotedStage(), "move_absolute", "speed")
    assert not accepts(NotedStage(), "jog", "x")


def test_the_microscope_describes_itself() -> None:
    """Host and classes for ``run.json``; what is simulated says so."""

    class DummyStage(NotedStage):
        """The server's, by its name."""

    told = ours(FileCamera(), illumination=NotedIllumination()).describe()
    assert told == {
        "host": HOST,
        "camera": "FileCamera",
        "stage": "NotedStage",
        "illumination": "NotedIllumination",
        "simulated": False,
    }
    assert ours(None, DummyStage()).describe()["simulated"] is True
    camera = FileCamera()
    camera.simulated = True  # type: ignore[attr-defined]
    assert ours(camera).describe()["simulated"] is True
