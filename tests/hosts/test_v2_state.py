"""What every frame is told of server v2: small, plain, nothing of other people's."""

import json
import uuid
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, Dict, Optional

import numpy as np
import pytest

from hardware_sim import VirtualClock
from openflexure_timelapse.hosts.plain import plain
from openflexure_timelapse.hosts.v2_state import InstrumentState
from openflexure_timelapse.ports import StagePosition

START_NS = 1_800_000_000_000_000_000
LIMIT = 16_000
CONFIGURATION = {"application": {"version": "2.10.1"}, "camera": {"type": "Pi"}}


class Server:
    """A server's microscope that tells what a test wants, and counts the questions."""

    def __init__(
        self,
        settings: Optional[Dict[str, Any]] = None,
        configuration: Any = CONFIGURATION,
    ) -> None:
        self.id = "openflexure:microscope:1"
        self.name = "bench"
        self.answers = settings or {}
        self.asked = 0
        self._configuration = configuration

    def read_settings(self, *, full: bool) -> Dict[str, Any]:
        """Return the settings."""
        assert not full
        self.asked += 1
        if "fail" in self.answers:
            raise OSError(self.answers["fail"])
        return self.answers

    @property
    def configuration(self) -> Any:
        """Return the configuration."""
        if isinstance(self._configuration, Exception):
            raise self._configuration
        return self._configuration


def told(**settings: Any) -> Dict[str, Any]:
    """Return the state of a server with these settings."""
    state = InstrumentState(Server(settings), VirtualClock(START_NS))
    state.refresh()
    return dict(json.loads(json.dumps(state.told(), allow_nan=False)))


def test_the_state_has_the_shape_of_the_server() -> None:
    """Where the stage was is at the place at which OpenFlexure's software looks."""
    state = InstrumentState(Server(), VirtualClock(START_NS))
    assert state.told()["stage"] == {}
    state.place = StagePosition(1, -2, 3)
    assert state.told()["stage"] == {"position": {"x": 1, "y": -2, "z": 3}}
    assert state.told()["camera"] == {}
    assert state.told()["name"] == "bench"
    assert state.told()["configuration"] == CONFIGURATION


@pytest.mark.parametrize(
    "table",
    [
        {"@type": "ndarray", "base64": "A" * 130_000, "shape": [4, 52, 64]},
        np.zeros((4, 52, 64)),
        [[1] * 64] * 208,
        "A" * 130_000,
    ],
)
def test_a_lens_shading_table_is_left_out(table: Any) -> None:
    """However the server writes it, the settings around it stay."""
    camera = {"picamera": {"lens_shading_table": table, "awb_mode": "off"}}
    state = told(camera=camera)
    assert len(json.dumps(state)) < LIMIT
    assert state["settings"]["camera"]["picamera"]["awb_mode"] == "off"


def test_numbers_of_all_kinds_become_plain() -> None:
    """The server's settings have fractions, numpy's numbers, UUIDs and tuples."""
    number = uuid.uuid4()
    state = told(
        gain=Fraction(3, 2),
        steps=np.int64(5),
        array=np.array([1, 2]),
        scalar=np.float32(0.5),
        on=np.bool_(True),  # noqa: FBT003 (numpy's)
        endless=float("inf"),
        size=(832, 624),
        id=number,
        board=len,
        raw=b"abc",
    )
    assert state["settings"] == {
        "gain": 1.5,
        "steps": 5,
        "array": [1, 2],
        "scalar": 0.5,
        "on": True,
        "endless": None,
        "size": [832, 624],
        "id": str(number),
        "board": "left out: builtin_function_or_method",
        "raw": "left out: bytes",
    }


def test_only_the_servers_own_extensions_are_told() -> None:
    """Nobody knows what another extension keeps; folders are of this machine."""
    state = told(
        captures={"paths": {"default": "/home/somebody"}},
        extensions={
            "org.openflexure.small": {"matrix": [1, 2]},
            "org.openflexure.large": {str(n): n for n in range(500)},
            "com.cloud.upload": {"token": "secret"},
        },
    )
    assert state["settings"] == {
        "extensions": {
            "org.openflexure.small": {"matrix": [1, 2]},
            "org.openflexure.large": "left out: too large",
        }
    }


def test_settings_that_are_large_everywhere_are_left_out_whole() -> None:
    """The state stays below its limit whatever the server holds."""
    state = told(**{f"key {n}": "x" * 100 for n in range(1000)})
    assert len(json.dumps(state)) < LIMIT
    assert state["settings"] == "left out: too large"
    assert state["name"] == "bench"


def test_what_contains_itself_ends() -> None:
    """Settings that are nested without end are cut, and still JSON."""
    endless: Dict[str, Any] = {}
    endless["self"] = endless
    assert len(json.dumps(told(endless=endless))) < LIMIT


def test_settings_are_read_when_they_are_old() -> None:
    """Not for every frame, but after a change at once."""
    server, clock = Server({"a": 1}), VirtualClock(START_NS)
    state = InstrumentState(server, clock)
    state.refresh()
    state.refresh()
    assert server.asked == 1
    state.refresh(changed=True)
    clock.advance(11 * 10**9)
    state.refresh()
    assert server.asked == 3
    state.told()
    assert server.asked == 3


def test_settings_that_cannot_be_read_are_no_error() -> None:
    """What was known before is told on."""
    server, clock = Server({"a": 1}), VirtualClock(START_NS)
    state = InstrumentState(server, clock)
    state.refresh()
    server.answers = {"fail": "the file is locked"}
    state.refresh(changed=True)
    assert state.told()["settings"] == {"a": 1}


@pytest.mark.parametrize("configuration", [OSError("no file"), None, []])
def test_a_configuration_that_is_none_is_asked_for_again(configuration: Any) -> None:
    """A server without its distribution's metadata has no configuration to tell."""
    server = Server(configuration=configuration)
    state = InstrumentState(server, VirtualClock(START_NS))
    assert state.part("application", "version") is None
    server._configuration = CONFIGURATION
    assert state.part("application", "version") == "2.10.1"
    assert state.part("application", "version", "major") is None


def test_a_name_without_end_is_cut() -> None:
    """Names are the user's, and can be of any length."""
    server = SimpleNamespace(id=1, name="x" * 50_000, configuration={})
    state = InstrumentState(server, VirtualClock(START_NS))
    assert len(json.dumps(state.told())) < LIMIT


def test_plain_keeps_what_is_plain() -> None:
    """JSON goes through unchanged."""
    data = {"a": [1, 2.5, None, True, "text", {"b": []}]}
    assert plain(data) == data
