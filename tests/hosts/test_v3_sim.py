"""The simulated server v3: what a client and a Thing meet, and their traps."""

import io
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import httpx2
import labthings_fastapi as lt
import pytest
from labthings_fastapi.exceptions import GlobalLockBusyError, InvocationCancelledError
from v3_rig import API, FAR, REAL, Asked, Make, asking, made, make_fast, moving, things

from hardware_sim import Fault
from hardware_sim.v3_server import RunningServer, SimulatedServer, create
from openflexure_timelapse.errors import HardwareError
from openflexure_timelapse.hosts.things.stage import BacklashCompensation

# As in the other file about this server, which has them from the same place.
_make = pytest.fixture(name="make")(make_fast)
_server = pytest.fixture(name="server")(made)
_asked = pytest.fixture(name="asked")(asking)


# ------------------------------------------------------------------------------ stage


def test_moves_take_steps_by_the_names_of_axes(server: RunningServer) -> None:
    """Relative and absolute moves leave out what is not named."""
    stage = server.thing("stage")
    stage.move_relative(x=-10, z=7)
    stage.move_absolute(y=5)
    assert stage.position == {"x": -10, "y": 5, "z": 7}
    assert stage.get_xyz_position() == [-10, 5, 7]
    assert stage.moving is False
    stage.move_to_origin()
    assert stage.position == {"x": 0, "y": 0, "z": 0}


def test_zero_counts_from_here(server: RunningServer) -> None:
    """Zeroing changes the numbers and moves nothing."""
    stage = server.thing("stage")
    stage.move_relative(z=30)
    stage.set_zero_position()
    assert stage.position == {"x": 0, "y": 0, "z": 0}
    assert server.sim.stage.position().z == 30


def test_an_inverted_axis_counts_the_other_way(server: RunningServer) -> None:
    """The motors go down where the numbers go up."""
    stage = server.thing("stage")
    stage.invert_axis_direction(axis="x")
    stage.move_relative(x=10)
    assert (stage.position["x"], server.sim.stage.position().x) == (10, -10)


@pytest.mark.parametrize(
    ("compensation", "lows"),
    [
        (None, [0, -100]),
        (BacklashCompensation.MOVEMENT_AXES, [0, -300]),
        (BacklashCompensation.ALL_AXES, [-200, -300]),
        (BacklashCompensation.XY_ONLY, [-200, -100]),
        (BacklashCompensation.Z_ONLY, [0, -300]),
    ],
)
def test_play_is_made_up_for_only_when_asked(
    server: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
    compensation: Any,
    lows: List[int],
) -> None:
    """A move goes 200 steps below its target on the axes that were chosen."""
    stage, motors = things(server)["stage"], server.sim.stage
    places: List[Any] = []
    monkeypatch.setattr(motors, "_spend", lambda _: places.append(motors.position()))
    stage.move_relative(z=-100, backlash_compensation=compensation)
    assert [min(each.x for each in places), min(each.z for each in places)] == lows
    assert stage.position == {"x": 0, "y": 0, "z": -100}


def test_a_compensated_move_upwards_is_one_move(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the play was taken up by the move itself nothing is added."""
    stage, motors = things(server)["stage"], server.sim.stage
    places: List[int] = []
    monkeypatch.setattr(motors, "_spend", lambda _: places.append(motors.position().z))
    stage.move_relative(z=300, backlash_compensation=BacklashCompensation.Z_ONLY)
    assert min(places) > 0


def test_compensation_is_a_number_over_http_only(
    server: RunningServer, asked: Asked
) -> None:
    """A Thing must give the enum; a script gives 1 to 4, and anything else is a 422."""
    assert (
        asked.done("/stage/move_relative", backlash_compensation=4, z=1)["error"]
        is None
    )
    with pytest.raises(ValueError, match="no backlash compensation"):
        things(server)["stage"].move_relative(z=1, backlash_compensation=4)
    url = f"{server.url}{API}/stage/move_relative"
    assert httpx2.post(url, json={"backlash_compensation": 5}).status_code == 422


def test_a_cancelled_move_stops_on_the_way(make: Make) -> None:
    """The stage stays in between, and knows where."""
    server = make(speed=REAL)
    with Asked(server) as asked:
        href = asked.start("/stage/move_relative", z=FAR)
        moving(server)
        asked.cancel(href)
        assert asked.until(href, "running")["status"] == "cancelled"
        place = asked.get("/stage/position").json()["z"]
    assert 0 < place < FAR
    assert place == server.sim.stage.position().z


def test_the_place_is_old_during_a_move(make: Make) -> None:
    """While the stage moves it says so, and tells the place where it began."""
    server = make(speed=REAL)
    with Asked(server) as asked:
        href = asked.start("/stage/move_relative", z=FAR)
        moving(server)
        assert asked.get("/stage/moving").json() is True
        assert asked.get("/stage/position").json()["z"] == 0
        asked.cancel(href)
        asked.until(href, "running")


def test_a_move_may_refuse_to_be_cancelled(make: Make) -> None:
    """With `block_cancellation` it ends where it was to end, and as completed."""
    server = make(speed=10.0)
    with Asked(server) as asked:
        href = asked.start("/stage/move_relative", z=5_000, block_cancellation=True)
        asked.cancel(href)
        assert asked.until(href, "running")["status"] == "completed"
        assert asked.get("/stage/position").json()["z"] == 5_000


# ----------------------------------------------------------------------------- locks


def test_whoever_comes_second_is_refused(make: Make) -> None:
    """During an action others end in an error after 50 ms; reading is free."""
    server = make(speed=REAL)
    camera, light = server.thing("camera"), server.thing("illumination")
    with Asked(server) as asked:
        href = asked.start("/stage/move_relative", z=FAR)
        with pytest.raises(GlobalLockBusyError):
            light.set_led(led_on=False)
        with pytest.raises(GlobalLockBusyError):
            things(server)["camera"].capture_to_memory()
        told = asked.done("/illumination/set_led", led_on=False)
        assert (told["status"], told["error"]["title"]) == (
            "error",
            "GlobalLockBusyError",
        )
        url = f"{server.url}{API}/camera/settling_time"
        assert httpx2.put(url, json=0.5).status_code == 409
        assert camera.settling_time == 0.2
        asked.cancel(href)
        asked.until(href, "running")


def test_a_jog_ends_at_once_and_holds_the_lock(make: Make) -> None:
    """The action returns while its thread moves, until a jog says stop."""
    server = make(speed=REAL)
    stage = server.thing("stage")
    stage.jog(z=FAR)
    moving(server)
    with pytest.raises(GlobalLockBusyError):
        stage.move_relative(z=1)
    stage.jog(stop=True)
    things(server)["stage"]._jogger.join()
    assert 0 < stage.position["z"] == server.sim.stage.position().z < FAR
    assert stage.moving is False
    stage.move_relative(z=1)


def test_a_jog_takes_over_from_the_last(make: Make) -> None:
    """The second begins where the first was stopped."""
    server = make(speed=REAL)
    stage = server.thing("stage")
    stage.jog(z=FAR)
    moving(server)
    stage.jog(x=5)
    things(server)["stage"]._jogger.join()
    assert stage.position["x"] == 5
    assert 0 < stage.position["z"] < FAR


def test_somebody_else_may_hold_the_microscope(make: Make) -> None:
    """The fault `in_use` holds the global lock in its window."""
    server = make(faults=[Fault("in_use")])
    lock = server.simulated.server.global_lock
    while lock.acquire(timeout=0):
        lock.release()
    with pytest.raises(GlobalLockBusyError):
        server.thing("illumination").set_led()


def test_without_a_lock_all_may_act(make: Make) -> None:
    """The lock can be left out, as labthings-fastapi does by default."""
    server = make(enable_global_lock=False)
    assert server.simulated.server.global_lock is None
    server.thing("stage").jog(z=10)
    things(server)["stage"]._jogger.join()
    assert server.thing("stage").position["z"] == 10


# ---------------------------------------------------------------------------- server


class _Ours(lt.Thing):
    """A Thing that asks for others by name, as one that is independent of hosts."""

    camera: lt.Thing = lt.thing_slot("camera")
    focus: Any = None

    @lt.action
    def shoot(self) -> int:
        """Take a picture in the thread of this action."""
        return int(self.camera.capture_to_memory("quick"))


def test_a_thing_finds_camera_and_clock(make: Make) -> None:
    """A further Thing is served beside the others and shares their clock."""
    server = make(things={"ours": _Ours})
    assert server.thing("ours").shoot() == 1
    assert things(server)["ours"].camera.clock is server.simulated.clock
    assert server.simulated.clock.wall_is_trusted()


@pytest.mark.parametrize(
    ("without", "left"),
    [
        (["autofocus", "illumination"], ["camera", "stage"]),
        (["stage"], ["camera", "illumination"]),
        (["camera"], ["stage", "illumination"]),
    ],
)
def test_things_may_be_missing(make: Make, without: List[str], left: List[str]) -> None:
    """What needs a missing Thing is missing too."""
    server = make(without=without)
    with Asked(server) as asked:
        assert list(asked.get("/things/").json()) == left


def test_only_what_there_is_can_be_left_out(tmp_path: Path) -> None:
    """A misspelt name is an error that tells the right ones."""
    with pytest.raises(ValueError, match="illumination, autofocus"):
        create(tmp_path, without=["led"])


def test_a_thing_that_does_not_start_is_told(make: Make) -> None:
    """Whoever starts the server gets the error that kept it from starting."""

    class Broken(lt.Thing):
        """A Thing without its device."""

        def __enter__(self) -> None:
            raise ConnectionError("no device")

        def __exit__(self, *_: object) -> None:
            pass

    with pytest.raises(HardwareError, match=r"broken.*no device") as caught:
        make(things={"broken": Broken})
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_port_that_is_taken_is_an_error(server: RunningServer, make: Make) -> None:
    """Nothing is started beside what listens there."""
    with pytest.raises(OSError, match="Address already in use"):
        make().simulated.run(port=server.port)


def test_a_server_ends_with_what_goes_on(make: Make) -> None:
    """Neither a stream nor a jog keeps it."""
    server = make(speed=REAL)
    url = f"{server.url}{API}/camera/mjpeg_stream"
    with httpx2.stream("GET", url, timeout=60) as stream:
        next(stream.iter_bytes())
        server.thing("stage").jog(z=FAR)
        moving(server)
        server.close()
        assert not server._thread.is_alive()


def test_a_camera_that_hangs_does_not_keep_the_server(make: Make) -> None:
    """What waits for a picture for ever is let go at the end."""
    server = make(faults=[Fault("camera_hung", nth=(0,))])
    with Asked(server) as asked:
        asked.start("/camera/capture_to_memory", max_attempts=1)
        server.close()
    assert not server._thread.is_alive()
    assert not things(server)["camera"].stream_active


def test_the_fixture_is_there_for_others(simulated_microscope: RunningServer) -> None:
    """The plugin gives a server that runs, clients of its Things, and the truth."""
    simulated_microscope.thing("stage").move_relative(x=5)
    assert simulated_microscope.sim.stage.position().x == 5


def test_the_fixture_takes_what_create_takes(
    make_simulated_microscope: Make,
) -> None:
    """Another scene, a missing Thing, a fault."""
    server = make_simulated_microscope(scene="empty", without=["illumination"])
    assert "illumination" not in things(server)
    assert isinstance(server.simulated, SimulatedServer)


@pytest.mark.parametrize("options", [[], ["--api", "v3", "--fault", "in_use@0-1"]])
def test_the_command_serves_until_it_is_told_to_end(
    tmp_path: Path, options: List[str]
) -> None:
    """`simulate` serves v3, tells its URL, and ends with code 0 on SIGTERM."""
    command = [sys.executable, "-m", "openflexure_timelapse", "simulate", *options]
    common = ["--scene", "empty", "--port", "0", "--json", "--folder", str(tmp_path)]
    with subprocess.Popen([*command, *common], stdout=subprocess.PIPE) as process:
        output = process.stdout or io.BytesIO()
        lines = itertools.takewhile(lambda line: line != b"}\n", output)
        told = json.loads(b"".join(lines) + b"}")
        answer = httpx2.get(f"{told['url']}{API}/things/", timeout=60)
        assert {"camera", "stage", "illumination", "autofocus"} <= set(answer.json())
        process.terminate()
        assert process.wait() == 0
    assert (tmp_path / "openflexure" / "settings" / "camera").is_dir()


def test_the_clock_sleeps_in_actions_only_as_long_as_it_must(
    server: RunningServer,
) -> None:
    """A settling time of an hour passes at the speed of the server."""
    camera = server.thing("camera")
    camera.settling_time = 3_600
    before_ns = server.simulated.clock.monotonic_ns()
    camera.settle()
    passed_ns = server.simulated.clock.monotonic_ns() - before_ns
    assert passed_ns >= 3_600 * 10**9


def test_a_cancel_reaches_an_action_through_another_thing(make: Make) -> None:
    """Whoever moves from an action of its own is cancelled within the move."""
    ended: List[str] = []

    class Mover(lt.Thing):
        """Moves."""

        stage: lt.Thing = lt.thing_slot("stage")

        @lt.action
        def go(self) -> None:
            """Move far."""
            try:
                self.stage.move_relative(z=FAR)
            except InvocationCancelledError:
                ended.append("cancelled")
                raise

    server = make(speed=REAL, things={"mover": Mover})
    with Asked(server) as asked:
        href = asked.start("/mover/go")
        moving(server)
        asked.cancel(href)
        assert asked.until(href, "running")["status"] == "cancelled"
    assert ended == ["cancelled"]
