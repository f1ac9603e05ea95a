"""Whether the camera gives stills while its live view goes on, and how soon."""

import statistics
from dataclasses import replace
from typing import Any, Dict, Iterator, List

from openflexure_timelapse.errors import HardwareError, TimelapseError
from openflexure_timelapse.hosts.direct.camera import DirectCamera
from openflexure_timelapse.hosts.direct.camera_settings import CameraSettings
from openflexure_timelapse.hosts.finding import Finding
from openflexure_timelapse.ports import Clock, Image

__all__ = ["check_camera"]

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
FRAME_WAIT_S = 5.0
RATE_WITHIN = 0.05
SLOW_STILL_MS = 2_000.0
SOI, EOI = b"\xff\xd8", b"\xff\xd9"
STAGES = ("wait_ms", "copy_ms", "encode_ms")
READ_BACK = ("ExposureTime", "AnalogueGain")


def check_camera(
    settings: CameraSettings, clock: Clock, stills: int
) -> Iterator[Finding]:
    """Yield what is found, one thing after the other.

    Parameters
    ----------
    settings : CameraSettings
        As a run would have them; raw data are tried besides.
    clock : Clock
        Measures.
    stills : int
        How many to take.
    """
    camera = DirectCamera(clock, replace(settings, raw=True))
    began_ns = clock.monotonic_ns()
    failure = ""
    try:
        camera.start()
        camera.frame(FRAME_WAIT_S)
        took_s = (clock.monotonic_ns() - began_ns) / NS_PER_S
        yield _facts(camera, took_s)
        yield from _pictures(camera, clock, stills)
        yield _raw(camera)
    except TimelapseError as exc:
        failure = str(exc)
        yield Finding("Camera", "bad", failure)
    finally:
        told = "; ".join(
            f"{each['kind']}: {each['detail']}"
            for each in camera.incidents()
            if each["detail"] not in failure
        )
        camera.close()
    if told:
        told += "; check the camera's cable and the supply"
        yield Finding("Camera's troubles", "warning", told)


def _facts(camera: DirectCamera, took_s: float) -> Finding:
    """Tell what the camera is and how it was configured."""
    info, status = camera.describe(), camera.status()
    state = camera.state()
    modes = ", ".join(f"{name} {w} x {h}" for name, (w, h) in info.modes.items())
    told = f"{info.model}{' (simulated)' if info.simulated else ''}, first frame after "
    told += f"{took_s:.1f} s; {modes}; {status['buffers']} buffers of "
    told += (
        f"{status['main_format']}, {status['buffer_bytes'] / 1e6:.0f} MB; libcamera "
    )
    told += f"{state['libcamera']}"
    return Finding("Camera", "good", told)


def _pictures(camera: DirectCamera, clock: Clock, stills: int) -> Iterator[Finding]:
    """Take stills with a locked exposure, and watch the live view meanwhile."""
    before = camera.exposure()
    try:
        locked = camera.lock_exposure()
        images, took_ms = [], []
        began_ns = clock.monotonic_ns()
        with camera.watched() as frames:
            for _ in range(stills):
                asked_ns = clock.monotonic_ns()
                images.append(camera.capture(None))
                took_ms.append((clock.monotonic_ns() - asked_ns) / NS_PER_MS)
        last_ns = clock.monotonic_ns()
        seen = len(frames)
    finally:
        _restore(camera, before)
    yield _stills(images, took_ms)
    yield _exposure(images, locked)
    yield _rate(seen, (last_ns - began_ns) / NS_PER_S, camera.state()["stream_fps"])


def _restore(camera: DirectCamera, before: Dict[str, Any]) -> None:
    """Put the exposure back; a camera that is lost has none."""
    try:
        camera.restore_exposure(before)
    except HardwareError:  # told by what failed before, or by the next still
        return


def _stills(images: List[Image], took_ms: List[float]) -> Finding:
    """Tell how long stills took, by stage."""
    cut = sum(
        not (image.jpeg[:2] == SOI and image.jpeg[-2:] == EOI) for image in images
    )
    if cut:
        told = f"{cut} of {len(images)} are cut short; check the camera's cable"
        return Finding("Stills", "bad", told)
    spent = [image.metadata.get("spent", {}) for image in images]
    stages = [
        f"{name[:-3]} {statistics.median(each.get(name, 0.0) for each in spent):.0f}"
        for name in STAGES
    ]
    size = statistics.median(len(image.jpeg) for image in images)
    told = f"{len(images)} taken, {statistics.median(took_ms):.0f} ms each "
    told += (
        f"({', '.join(stages)} ms), at worst {max(took_ms):.0f} ms, {size / 1e6:.2f} MB"
    )
    if max(took_ms) > SLOW_STILL_MS:
        return Finding(
            "Stills", "warning", f"{told}; take smaller ones, or wait longer"
        )
    return Finding("Stills", "good", told)


def _exposure(images: List[Image], locked: Dict[str, Any]) -> Finding:
    """Tell whether every still was exposed as it was locked."""
    rows = [image.metadata.get("libcamera", {}) for image in images]
    found = {
        name: sorted({row.get(name) for row in rows}, key=str) for name in READ_BACK
    }
    shown = ", ".join(
        f"{name} {' / '.join(map(_short, values))}" for name, values in found.items()
    )
    told = f"asked {locked.get('exposure_us')} µs; each still says {shown}"
    if any(len(values) > 1 for values in found.values()):
        told = f"{shown}: it changes although it is locked; tell us in an issue"
        return Finding("Exposure", "bad", told)
    return Finding("Exposure", "good", told)


def _short(value: Any) -> str:
    """Return a number without digits that mean nothing."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _rate(seen: int, during_s: float, wanted: float) -> Finding:
    """Tell whether the live view kept its rate while stills were taken."""
    rate = seen / during_s if during_s > 0 else 0.0
    told = f"{rate:.1f} frames a second while stills were taken, {wanted:g} wanted"
    # One frame more or less is no fault of a short time.
    if abs(seen - wanted * during_s) > max(2.0, RATE_WITHIN * wanted * during_s):
        told += "; a slower live view (stream_fps) leaves more time for stills"
        return Finding("Live view", "warning", told)
    return Finding("Live view", "good", told)


def _raw(camera: DirectCamera) -> Finding:
    """Tell whether raw data could be had."""
    reason = camera.status()["raw"]
    if reason:
        return Finding("Raw data", "warning", f"not to be had: {reason}")
    return Finding("Raw data", "good", "can be written as DNG")
