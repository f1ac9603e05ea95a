"""The rules of the camera that need no camera."""

import socket
from pathlib import Path
from typing import Any, Dict, List, Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hardware_sim import ScaledClock, VirtualClock
from hardware_sim.fake_libcamera.sensor import FrameSetting, Sensor
from openflexure_timelapse.errors import HardwareError, InvalidRequestError
from openflexure_timelapse.hosts.direct import vitals
from openflexure_timelapse.hosts.direct.camera_memory import (
    ContiguousMemory,
    Demand,
    choose_memory,
)
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.direct.exposure_lock import (
    AUTOMATIC,
    ExposureLock,
    is_settled,
)
from openflexure_timelapse.hosts.direct.frames import Frames, StreamFrame, TimeBridge
from openflexure_timelapse.hosts.direct.glide import Course
from openflexure_timelapse.hosts.direct.wire import receive, send
from openflexure_timelapse.ports import StagePosition

NS_PER_S = 1_000_000_000
START_NS = 1_800_000_000 * NS_PER_S

# ---------------------------------------------------------------------------- exposure


def told_by(setting: FrameSetting) -> Dict[str, Any]:
    """Return the metadata of a frame."""
    return {
        "ExposureTime": setting.exposure_us,
        "AnalogueGain": setting.gain,
        "ColourGains": list(setting.colour_gains),
    }


def exposed(controls: Mapping[str, Any], line_us: float) -> Dict[str, Any]:
    """Return what a sensor makes of controls, as picamera2 hands them over."""
    sensor = Sensor(line_us, 47_000)
    modes = {"ExposureTimeMode": 1, "AnalogueGainMode": 1}
    limits = {"FrameDurationLimits": (66_666, 66_666)}
    sensor.start({**controls, **modes, **limits})
    return told_by(sensor.next_frame())


@given(
    line_us=st.floats(8.0, 60.0),
    wanted_us=st.integers(100, 60_000),
    gain=st.floats(1.0, 10.0),
)
def test_a_lock_never_walks_down(line_us: float, wanted_us: int, gain: float) -> None:
    """Locked as it was read, and read again, time and gain stay for ever."""
    controls = {"ExposureTime": wanted_us, "AnalogueGain": gain}
    first = exposed({**controls, "ColourGains": (1.5, 1.6)}, line_us)
    told = first
    for _ in range(4):
        lock = ExposureLock.of_metadata(told)
        told = exposed(lock.controls(), line_us)
        assert lock.objection(told) == ""
    assert told == first


@given(line_us=st.floats(8.0, 60.0), wanted_us=st.floats(200.0, 60_000.0))
def test_any_time_is_locked_to_the_line_below(line_us: float, wanted_us: float) -> None:
    """One that is no whole line is taken over, and stays the line that it became."""
    values = {"exposure_us": wanted_us, "analogue_gain": 2, "colour_gains": [1, 2]}
    lock = ExposureLock.of(values)
    told = exposed(lock.controls(), line_us)
    assert lock.objection(told) == ""
    later = lock.after(told)
    assert later.objection(told) == ""
    other = {**told, "ExposureTime": told["ExposureTime"] - 1}
    assert "is locked" in later.objection(other)


@example(gain=1.06)
@given(gain=st.floats(1.0, 60.0))
def test_any_gain_is_locked_to_the_sixteenth_below(gain: float) -> None:
    """The camera v1 (OV5647) knows no others."""
    lock = ExposureLock.of({**LOCKED.to_json(), "analogue_gain": gain})
    coded = int(lock.controls()["AnalogueGain"] * 16.0) / 16.0
    assert lock.objection({**AS_LOCKED, "AnalogueGain": coded}) == ""


LOCKED = ExposureLock(9000.0, 2.0, (1.5, 1.6), (8996, 2.0))
AS_LOCKED = {"ExposureTime": 8996, "AnalogueGain": 2.0, "ColourGains": [1.5, 1.6]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ExposureTime": 8977}, "exposed for 8977 µs, 9000 µs is locked"),
        ({"AnalogueGain": 2.016}, "taken at gain 2.016, 2 is locked"),
        ({"ColourGains": [1.5, 1.61]}, "balanced with 1.61, 1.6 is locked"),
    ],
)
def test_whatever_differs_is_told(change: Dict[str, Any], words: str) -> None:
    """One line, one code or a shade is enough."""
    assert LOCKED.objection(AS_LOCKED) == ""
    assert LOCKED.objection({**AS_LOCKED, **change}) == words


@pytest.mark.parametrize("name", sorted(AS_LOCKED))
def test_a_frame_that_does_not_tell_is_objected_to(name: str) -> None:
    """Nobody knows how it was exposed."""
    told = {key: value for key, value in AS_LOCKED.items() if key != name}
    assert "did not tell" in LOCKED.objection(told)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"exposure_us": 0, "analogue_gain": 1, "colour_gains": [1, 1]},
        {"exposure_us": 100, "analogue_gain": 0.5, "colour_gains": [1, 1]},
        {"exposure_us": 100, "analogue_gain": 1, "colour_gains": [0, 1]},
        {"exposure_us": "long", "analogue_gain": 1, "colour_gains": [1, 1]},
        {"exposure_us": float("nan"), "analogue_gain": 1, "colour_gains": [1, 1]},
    ],
)
def test_no_lock_of_impossible_values(values: Dict[str, Any]) -> None:
    """They would give the automatic control its freedom, or be no numbers."""
    with pytest.raises(HardwareError, match="cannot be locked"):
        ExposureLock.of(values)


def test_automatic_gives_all_back() -> None:
    """After the lock all three are the library's own again."""
    sensor = Sensor(18.9, 47_000)
    locked = {**LOCKED.controls(), "ExposureTimeMode": 1, "AnalogueGainMode": 1}
    sensor.start(locked)
    before = told_by(sensor.next_frame())
    free = {**AUTOMATIC, "ExposureTimeMode": 0, "AnalogueGainMode": 0}
    sensor.accept(free)
    for _ in range(60):
        after = told_by(sensor.next_frame())
        sensor.saw(0.5)
    assert all(after[name] != before[name] for name in after)


def test_settled_is_said_only_after_frames_that_agree() -> None:
    """Six in a row, within 2 %, and none that searches."""
    same = [dict(AS_LOCKED) for _ in range(6)]
    assert is_settled(same)
    assert not is_settled(same[:5])
    assert not is_settled([{**AS_LOCKED, "ExposureTime": 9300}, *same[:5]])
    assert not is_settled([{**AS_LOCKED, "ColourGains": [1.6, 1.6]}, *same[:5]])
    assert not is_settled([*same[:5], {**AS_LOCKED, "AeState": 1}])
    assert not is_settled([*same[:5], {"ExposureTime": 8996}])


# ------------------------------------------------------------------------------ memory

V2, HQ = (3280, 2464), (4056, 3040)
SMALL = (820, 616)
MB = 1_000_000


@pytest.mark.parametrize(
    ("size", "free_mb", "main_format", "buffers"),
    [
        (V2, None, None, 4),  # a Pi 5
        (V2, 480, None, 4),  # a Pi 4
        (V2, 480, "BGR888", 4),
        (V2, 200, None, 4),  # a Zero 2 W
        (HQ, 200, None, 4),
        (HQ, 180, None, 3),
        (V2, 150, "BGR888", 2),
        (V2, 5, None, 2),  # the kernel has lent the rest to its cache of files
    ],
)
def test_buffers_are_chosen_by_memory(
    size: Any, free_mb: Any, main_format: Any, buffers: int
) -> None:
    """Four where they surely fit, and never fewer than two."""
    memory = None if free_mb is None else ContiguousMemory(free_mb * MB, 500 * MB)
    choice = choose_memory(Demand(size, SMALL), memory, main_format)
    assert choice.buffers == buffers
    if buffers > 2 and memory is not None:
        assert choice.total_bytes <= memory.free_bytes


@pytest.mark.parametrize(
    ("raw", "buffers", "megabytes"), [(False, 4, 113), (False, 2, 87), (True, 4, 137)]
)
def test_what_the_library_takes_for_itself_is_counted(
    raw: bool,  # noqa: FBT001 (of a table)
    buffers: int,
    megabytes: int,
) -> None:
    """A set of its own, and four of the sensor's own data, or two beside four of ours.

    As libcamera's pipeline for a Pi before the fifth allocates them.
    """
    choice = choose_memory(Demand(V2, SMALL, raw), None, None, buffers)
    assert choice.total_bytes // MB + 1 == pytest.approx(megabytes, abs=1)


@pytest.mark.parametrize(
    ("main_format", "buffers", "cure"),
    [(None, None, "a smaller size"), ("BGR888", None, "YUV420"), (None, 6, "smaller")],
)
def test_too_little_memory_is_refused(
    main_format: Any, buffers: Any, cure: str
) -> None:
    """With what is needed, what there is, and what to do."""
    memory = ContiguousMemory(60 * MB, 64 * MB)
    with pytest.raises(HardwareError, match=f"contiguous memory.*{cure}.*cma-256"):
        choose_memory(Demand(V2, SMALL), memory, main_format, buffers)


def test_the_computer_tells_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model, contiguous memory and temperature as Raspberry Pi OS writes them."""
    for name, text in (
        ("MODEL", "Raspberry Pi Zero 2 W Rev 1.0\0"),
        ("MEMORY", "MemTotal: 1 kB\nCmaTotal: 262144 kB\nCmaFree:  230000 kB\n"),
        ("TEMPERATURE", "48312\n"),
    ):
        (tmp_path / name).write_text(text, encoding="ascii")
        monkeypatch.setattr(vitals, name, tmp_path / name)
    assert vitals.pi_model() == "Raspberry Pi Zero 2 W Rev 1.0"
    assert vitals.cma_free_bytes() == 230_000 * 1024
    assert vitals.cma_total_bytes() == 262_144 * 1024
    assert vitals.temperature_c() == pytest.approx(48.312)
    assert vitals.needs_contiguous_memory()
    (tmp_path / "MODEL").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    assert not vitals.needs_contiguous_memory()


def test_another_computer_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not there is None, or empty, and no error."""
    for name in ("MODEL", "MEMORY", "TEMPERATURE"):
        monkeypatch.setattr(vitals, name, tmp_path / "none")
    assert vitals.pi_model() == ""
    assert vitals.cma_free_bytes() is None
    assert vitals.temperature_c() is None
    assert not vitals.needs_contiguous_memory()


@pytest.mark.parametrize(
    "wrong",
    [
        {"default_mode": "panorama"},
        {"main_format": "PNG"},
        {"size": (3281, 2464)},
        {"stream_size": (0, 0)},
        {"stream_fps": 0.0},
        {"stall_s": float("nan")},
        {"quality": 101},
        {"exposure_us": 2_500_000.0},
        {"exposure_us": 0.0},
        {"buffers": 1},
    ],
)
def test_settings_that_no_camera_can_have(wrong: Dict[str, Any]) -> None:
    """They are refused with their name and value."""
    ((name, value),) = wrong.items()
    with pytest.raises(InvalidRequestError) as caught:
        CameraSettings(**wrong)
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)


# ----------------------------------------------------------------------- time and place


def frame(begun_ns: int, arrived_ns: int = 0) -> StreamFrame:
    """Return a frame."""
    return StreamFrame(b"", begun_ns, begun_ns, {}, arrived_ns)


def test_a_frame_is_waited_for_until_it_is_new_enough() -> None:
    """One whose exposure began before is not taken; none in time is None."""
    machine = VirtualClock(START_NS)
    frames = Frames(machine)
    frames.put(frame(100))
    assert frames.after(None, 10) == frame(100)
    machine.call_at(5, lambda: frames.put(frame(200)))
    assert frames.after(150, 10) == frame(200)
    assert machine.monotonic_ns() == 5
    assert frames.after(300, 10) is None
    assert machine.monotonic_ns() == 10


def test_watchers_get_every_frame_of_their_time() -> None:
    """And none of before or after."""
    frames = Frames(VirtualClock(START_NS))
    frames.put(frame(1))
    with frames.watched() as seen:
        frames.put(frame(2))
        frames.put(frame(3))
    frames.put(frame(4))
    assert [each.exposure_start_ns for each in seen] == [2, 3]


def test_the_rate_is_that_of_the_last_frames() -> None:
    """Nothing is said of too few."""
    frames = Frames(VirtualClock(START_NS))
    for number in range(14):
        frames.put(frame(0, number * NS_PER_S // 10))
    assert frames.per_second() is None
    for number in range(14, 40):
        frames.put(frame(0, number * NS_PER_S // 10))
    assert frames.per_second() == pytest.approx(10.0)


def test_a_fast_clock_s_time_is_found_from_the_machine_s() -> None:
    """A frame of a tenth of a second ago is of a whole second ago in fast time."""
    machine = VirtualClock(START_NS)
    clock = ScaledClock(10.0, machine)
    bridge = TimeBridge(clock, machine)
    machine.advance(3 * NS_PER_S)
    then_ns = machine.monotonic_ns() - NS_PER_S // 10
    assert clock.monotonic_ns() - bridge.to_clock(then_ns) == NS_PER_S


@given(
    ramp_s=st.floats(0.0, 0.4),
    low=st.integers(-5000, 5000),
    way=st.integers(-3000, 3000),
    share=st.floats(-0.2, 1.2),
)
def test_a_glide_is_steady_and_ends_where_it_should(
    ramp_s: float, low: int, way: int, share: float
) -> None:
    """Between its ends, at half of its time in the middle, never going back."""
    ends = (StagePosition(0, 0, low), StagePosition(0, 0, low + way))
    ramp_us = int(min(ramp_s, abs(way) / 1000.0) * 1_000_000)
    glide = Course(*ends, NS_PER_S, 1000, ramp_us)
    length_ns = glide.end_ns - glide.begun_ns
    now_ns = glide.begun_ns + int(share * length_ns)
    here, next_ = glide.z_at(now_ns), glide.z_at(now_ns + length_ns // 50)
    side = 1 if way >= 0 else -1
    assert side * next_ >= side * here - 1e-6
    assert min(low, low + way) - 1e-6 <= here <= max(low, low + way) + 1e-6
    assert glide.z_at(glide.end_ns) == pytest.approx(low + way, abs=0.01)
    middle_ns = glide.begun_ns + length_ns // 2
    assert glide.z_at(middle_ns) == pytest.approx(low + way / 2, abs=0.01)


# ---------------------------------------------------------------------------- the wire


def test_messages_go_over_whole() -> None:
    """Headers and bytes, also of several pieces and of none."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, {"told": "é"}, [b"ab", bytearray(b"cd")])
        send(ours, {"told": 2})
        first, second = receive(theirs), receive(theirs)
        assert first is not None
        assert second is not None
        assert (first.header, bytes(first.body)) == ({"told": "é"}, b"abcd")
        assert (second.header, bytes(second.body)) == ({"told": 2}, b"")


CUT: List[bytes] = [
    b"",
    b"\0\0",
    b"\0\0\0\x02\0\0\0\x05{}abc",
    b"\0\0\0\x02\0\0\0\0[]",
    b"\0\0\0\x03\0\0\0\0{x}",
    b"\xff\xff\xff\xff\0\0\0\0",
    b"\0\0\0\x02\xff\xff\xff\xff{}",
    b"\0\0\0\x02\0\0\0\0\xff\xff",
]


@pytest.mark.parametrize("data", CUT)
def test_what_is_cut_short_or_no_message_ends_the_talk(data: bytes) -> None:
    """No guess, no hang, no memory for a length that cannot be."""
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(data)
        assert receive(theirs) is None
