"""Whole pictures are known from broken ones, and good ones from bad ones."""

import io
import warnings
from typing import Any, Dict, List, Tuple

import cv2
import numpy as np
import piexif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as PillowImage

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import build
from hardware_sim.world import Drift
from openflexure_timelapse.frame import Flag
from openflexure_timelapse.ports import StagePosition
from openflexure_timelapse.quality import (
    ImageFacts,
    Neighbours,
    decode_grey,
    inspect,
    is_whole,
    judge,
    laplacian_variance,
)

EOI = b"\xff\xd9"
GREY = 128
CODINGS: Dict[str, Dict[str, Any]] = {
    "usual": {"quality": 85},
    "coarse": {"quality": 50},
    "fine": {"quality": 95, "subsampling": 0},
    "restarts": {"quality": 85, "restart_marker_blocks": 8},
}
# Blocks of one picture line up to this many bytes: a loss within the last block
# cannot be seen, as the module says.
LAST_BLOCK_BYTES = 120


def pixels(seed: int, width: int = 400, height: int = 300) -> NDArray[np.uint8]:
    """Return a soft scene with sensor noise, shape (height, width, 3)."""
    draw = np.random.default_rng(seed)
    small = draw.uniform(60, 220, (height // 20, width // 20, 3)).astype(np.uint8)
    soft = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = soft.astype(float) + draw.normal(0, 2, (height, width, 3))
    return np.asarray(np.clip(noisy, 0, 255), dtype=np.uint8)


def encode(picture: NDArray[np.uint8], **coding: Any) -> bytes:
    """Return the picture as a JPEG."""
    stream = io.BytesIO()
    PillowImage.fromarray(picture).save(stream, "JPEG", **coding)
    return stream.getvalue()


def uniform(level: int) -> NDArray[np.uint8]:
    """Return a picture of a single grey."""
    return np.full((300, 400, 3), level, dtype=np.uint8)


def with_thumbnail(seed: int) -> bytes:
    """Return a JPEG whose EXIF holds another whole JPEG."""
    thumbnail = encode(pixels(seed + 1, 160, 120))
    exif = {"0th": {}, "1st": {}, "thumbnail": thumbnail}
    return encode(pixels(seed), exif=piexif.dump(exif))


def facts(**changed: Any) -> ImageFacts:
    """Return the facts of a good frame, with changes."""
    good: Dict[str, Any] = {
        "complete": True,
        "width": 400,
        "height": 300,
        "mean_grey": 120.0,
        "sharpness": 100.0,
        "fingerprint": "a",
        "problem": "",
        "highlight": 200.0,
    }
    return ImageFacts(**{**good, **changed})


# ------------------------------------------------------------------- whole pictures

WHOLE: List[Tuple[str, bytes, Tuple[int, int]]] = [
    *((name, encode(pixels(1), **how), (400, 300)) for name, how in CODINGS.items()),
    ("optimised tables", encode(pixels(1), optimize=True), (400, 300)),
    ("odd size", encode(pixels(2, 417, 233)), (417, 233)),
    ("tiny", encode(pixels(2, 40, 20)[:3, :5]), (5, 3)),
    ("large", encode(pixels(3, 1640, 1232)), (1640, 1232)),
    ("grey", encode(pixels(3)[:, :, 0]), (400, 300)),
    ("with a thumbnail", with_thumbnail(4), (400, 300)),
    ("bytes after the end", encode(pixels(5)) + bytes(1000), (400, 300)),
    ("black", encode(uniform(0)), (400, 300)),
    ("black, optimised", encode(uniform(0), optimize=True), (400, 300)),
    ("white", encode(uniform(255)), (400, 300)),
    ("all in libjpeg's fill", encode(uniform(GREY)), (400, 300)),
    ("fill, optimised", encode(uniform(GREY), optimize=True), (400, 300)),
    ("fill, restarts", encode(uniform(GREY), restart_marker_blocks=4), (400, 300)),
]


@pytest.mark.parametrize(
    ("jpeg", "size"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE]
)
def test_a_whole_picture_is_complete(jpeg: bytes, size: Tuple[int, int]) -> None:
    """A picture that a camera may really deliver is never called incomplete."""
    found = inspect(jpeg)
    assert (found.problem, found.complete) == ("", True)
    assert (found.width, found.height) == size
    assert is_whole(jpeg)


def test_a_picture_that_ends_in_fill_grey_is_complete() -> None:
    """Mid grey in the last corner alone does not condemn a picture."""
    picture = pixels(6)
    picture[-64:, -64:] = GREY
    found = inspect(encode(picture))
    assert found.complete


# ------------------------------------------------------------------ broken pictures


@pytest.mark.parametrize("coding", sorted(CODINGS))
@pytest.mark.parametrize("per_cent", [*range(1, 10), *range(10, 99, 8), 97, 98, 99])
def test_a_cut_is_found(coding: str, per_cent: int) -> None:
    """A JPEG cut short at 1 % to 99 % is incomplete, also when an EOI is put after it.

    The second kind decodes without any error or warning in OpenCV and Pillow.
    """
    jpeg = encode(pixels(7), **CODINGS[coding])
    cut = jpeg[: min(len(jpeg) * per_cent // 100, len(jpeg) - LAST_BLOCK_BYTES)]
    for broken in (cut, cut + EOI, cut + bytes(len(jpeg) - len(cut))):
        found = inspect(broken)
        assert not found.complete
        assert found.problem
        assert (found.fingerprint, found.sharpness) == ("", 0.0)


@given(lost=st.integers(min_value=1, max_value=2000))
@settings(max_examples=60, deadline=None)
def test_any_loss_at_the_end_is_found(lost: int) -> None:
    """Without its last bytes, few or many, a picture has no end marker."""
    jpeg = encode(pixels(8))
    assert not inspect(jpeg[:-lost]).complete
    assert not is_whole(jpeg[:-lost])


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_cut_of_a_flat_picture_is_found(level: int) -> None:
    """Black and white pictures, of which every block looks alike, are counted too."""
    jpeg = encode(uniform(level))
    assert not inspect(jpeg[: len(jpeg) * 9 // 10] + EOI).complete


def test_zeros_in_place_of_the_tail_are_found() -> None:
    """A tail of zeros before a sound EOI is found, though zeros decode as blocks.

    With the tables of the second picture they even decode as too many blocks.
    """
    noise = np.random.default_rng(9).normal(128, 4, (480, 640, 3)).astype(np.uint8)
    for picture in (pixels(9, 1640, 1232), noise):
        jpeg = encode(picture, optimize=True)
        keep = len(jpeg) // 2
        broken = jpeg[:keep] + bytes(len(jpeg) - keep - 2) + EOI
        assert not inspect(broken).complete


def test_the_end_of_a_thumbnail_is_not_the_end() -> None:
    """A cut right after the EOI of the thumbnail inside EXIF is a cut."""
    jpeg = with_thumbnail(10)
    first_end = jpeg.index(EOI) + 2
    assert first_end < len(jpeg)
    assert not inspect(jpeg[:first_end]).complete


GARBAGE = {
    "nothing": b"",
    "one byte": b"\xff",
    "text": b"HTTP/1.1 503 Service Unavailable",
    "a start only": b"\xff\xd8",
    "start and end": b"\xff\xd8\xff\xd9",
    "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "zeros": bytes(5000),
    "noise": np.random.default_rng(1).bytes(10_000),
    "noise in a frame": b"\xff\xd8"
    + np.random.default_rng(2).bytes(10_000)
    + b"\xff\xd9",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_refused(data: bytes) -> None:
    """What is no JPEG is incomplete, with a sentence, and no error."""
    found = inspect(data)
    assert not found.complete
    assert found.problem


@pytest.mark.parametrize("size", [0, 301, 0xFFFF])
def test_a_size_that_the_data_do_not_fill_is_found(size: int) -> None:
    """A header that promises more rows than there are is a broken picture."""
    jpeg = encode(pixels(11))
    at = jpeg.index(b"\xff\xc0\x00\x11\x08") + 5
    assert jpeg[at : at + 2] == (300).to_bytes(2, "big")
    more = (size + 15 if size == 301 else size).to_bytes(2, "big")
    assert not inspect(jpeg[:at] + more + jpeg[at + 2 :]).complete


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_never_raise(data: st.DataObject) -> None:
    """Whatever is wrong with the bytes, the answer is facts, not an exception."""
    jpeg = bytearray(with_thumbnail(11))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(jpeg) - 1))
        jpeg[at] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = inspect(bytes(jpeg))
    assert found.complete is (found.problem == "")


# ------------------------------------------------------------------------ the facts


def test_a_repeat_is_known_by_its_pixels() -> None:
    """Equal pixels give one fingerprint whatever the EXIF; a new exposure another."""
    first = inspect(encode(pixels(12)))
    exif = piexif.dump({"0th": {piexif.ImageIFD.Make: b"other"}})
    again = inspect(encode(pixels(12), exif=exif))
    other = inspect(encode(pixels(13)))
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint


def test_two_black_frames_are_no_repetition() -> None:
    """A picture of a single grey has no fingerprint: darkness looks like darkness."""
    assert inspect(encode(uniform(0))).fingerprint == ""


@pytest.mark.parametrize("size", [(400, 300), (1640, 1232), (3280, 2464)])
def test_blur_lowers_the_sharpness(size: Tuple[int, int]) -> None:
    """The sharpness of a blurred picture is clearly below that of the sharp one."""
    draw = np.random.default_rng(14)
    rows, columns = np.indices((size[1], size[0])) // 16
    scene = np.where(
        draw.uniform(size=(size[1], size[0]))[rows, columns] > 0.5, 90, 160
    )
    sharp = PillowImage.fromarray(scene.astype(np.uint8))
    blurred = sharp.resize((size[0] // 16, size[1] // 16)).resize(size)
    values = [inspect(encode(np.asarray(each))).sharpness for each in (sharp, blurred)]
    assert values[1] < values[0] / 3


def test_mean_grey_and_highlight_describe_the_light() -> None:
    """A dark field with a bright specimen has a low mean and a high highlight."""
    picture = uniform(0)
    picture[100:140, 100:150] = 250
    found = inspect(encode(picture))
    assert found.mean_grey == pytest.approx(250 * 2000 / 120_000, abs=0.5)
    assert found.highlight > 100


def test_a_preview_decodes_to_grey() -> None:
    """A whole preview becomes its grey picture, a broken one None."""
    jpeg = encode(pixels(15))
    grey = decode_grey(jpeg)
    assert grey is not None
    assert grey.shape == (300, 400)
    assert laplacian_variance(grey) > 0
    assert decode_grey(jpeg[:-100]) is None


# ----------------------------------------------------------------------- the verdict

STEADY = (100.0, 104.0, 98.0, 101.0, 97.0, 103.0)
LIVELY = (100.0, 30.0, 180.0, 60.0, 140.0, 90.0)
SEEN = Neighbours("b", STEADY, (400, 300))
VERDICTS: Dict[str, Tuple[ImageFacts, Neighbours, Tuple[Flag, ...]]] = {
    "good": (facts(), SEEN, ()),
    "first frame": (facts(sharpness=0.1), Neighbours("", (), None), ()),
    "dark": (facts(mean_grey=2.0, highlight=4.0), SEEN, (Flag.DARK,)),
    "dark field with a specimen": (facts(mean_grey=4.0, highlight=90.0), SEEN, ()),
    "saturated": (facts(mean_grey=254.0), SEEN, (Flag.BRIGHT,)),
    "bright field": (facts(mean_grey=232.0), SEEN, ()),
    "repeated": (facts(fingerprint="b"), SEEN, (Flag.REPEATED,)),
    "no fingerprint": (facts(fingerprint=""), Neighbours("", STEADY, None), ()),
    "blurred": (facts(sharpness=40.0), SEEN, (Flag.BLURRED,)),
    "slightly softer": (facts(sharpness=70.0), SEEN, ()),
    "sharper": (facts(sharpness=400.0), SEEN, ()),
    "lively scene": (facts(sharpness=40.0), Neighbours("b", LIVELY, None), ()),
    "too few neighbours": (facts(sharpness=9.0), Neighbours("b", STEADY[:4]), ()),
    "one blurred neighbour": (
        facts(sharpness=40.0),
        Neighbours("b", (*STEADY, 5.0)),
        (Flag.BLURRED,),
    ),
    "black and therefore not blurred": (
        facts(mean_grey=0.0, highlight=0.0, sharpness=0.0, fingerprint=""),
        SEEN,
        (Flag.DARK,),
    ),
    "another size": (facts(width=410), SEEN, (Flag.WRONG_SIZE,)),
    "another size and blurred": (
        facts(width=410, sharpness=9.0),
        SEEN,
        (Flag.BLURRED, Flag.WRONG_SIZE),
    ),
}


@pytest.mark.parametrize(
    ("seen", "neighbours", "flags"), VERDICTS.values(), ids=VERDICTS.keys()
)
def test_a_frame_is_judged(
    seen: ImageFacts, neighbours: Neighbours, flags: Tuple[Flag, ...]
) -> None:
    """Each fault has its flag, and a good frame has none."""
    assert judge(seen, neighbours) == flags


@pytest.mark.parametrize("scene", ["algae_growth", "diatoms", "beads"])
def test_a_frame_out_of_focus_is_flagged_and_a_living_scene_is_not(scene: str) -> None:
    """On simulated samples 6 um of defocus is blur, and life and growth are none."""
    clock = VirtualClock(1_700_000_000_000_000_000)
    microscope = build(3, scene, clock, drift=Drift(enabled=False), age_s=7200.0)
    focus_um = microscope.world.focus_um(7200.0, 0.0, 0.0)
    # The stage counts from the middle of its play, of which half is taken up.
    z = int(focus_um / 0.05 + microscope.stage.mechanics.backlash_steps[2] / 2)
    microscope.stage.move_to(StagePosition(0, 0, z))
    microscope.camera.lock_exposure()
    neighbours = Neighbours()
    for _ in range(8):
        clock.advance(300 * 1_000_000_000)
        found = inspect(microscope.camera.capture(None).jpeg)
        assert judge(found, neighbours) == ()
        recent = (*neighbours.recent_sharpness, found.sharpness)
        size = (found.width, found.height)
        neighbours = Neighbours(found.fingerprint, recent, size)
    microscope.stage.move_to(StagePosition(0, 0, z + 120))
    blurred = inspect(microscope.camera.capture(None).jpeg)
    assert judge(blurred, neighbours) == (Flag.BLURRED,)
