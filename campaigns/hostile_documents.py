"""Documents and pictures that anybody may have written, given to what reads them."""

import json
import re
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, List, Mapping, Tuple

from hypothesis import given
from hypothesis import strategies as st

from campaigns.drawn import so_many
from campaigns.hostile_folder import HEADER, RUN_ID, draft, jpeg
from campaigns.hostile_requests import json_values
from campaigns.hostile_tally import Tally
from openflexure_timelapse.document import parse
from openflexure_timelapse.errors import InvalidRequestError, TimelapseError
from openflexure_timelapse.hosts.forms import plan_of_form, tidied
from openflexure_timelapse.hosts.preferences import Preferences
from openflexure_timelapse.json_text import read_object
from openflexure_timelapse.movie.stills import decoded
from openflexure_timelapse.plan import Plan, parse_plan
from openflexure_timelapse.quality import decode_grey, inspect, size_of
from openflexure_timelapse.recipe import parse_recipe
from openflexure_timelapse.record import Record
from openflexure_timelapse.schedule import grid_of
from openflexure_timelapse.share.order import ShareOrder, parse_order
from openflexure_timelapse.share.taxa import Taxa
from openflexure_timelapse.store.exif import read_frame_record, with_exif
from openflexure_timelapse.store.header import (
    frame_record,
    header_of_record,
    parse_header,
)
from openflexure_timelapse.useq_plan import from_useq

__all__ = ["READERS", "attack_documents"]

FULL_HEADER = {
    "dataset_id": "6d7a8f0e-93a4-4c2b-9a53-5d0e6f1b2c3d",
    **HEADER,
    "id": RUN_ID,
}
SOUND_FRAME = with_exif(jpeg(1), frame_record(FULL_HEADER, 1, draft(1)), {})


def _plan(data: bytes) -> None:
    plan = parse_plan(tidied(Plan, read_object(_text(data), "x", InvalidRequestError)))
    grid_of(plan)
    parse_plan(plan.to_json())


def _form(data: bytes) -> None:
    parse_plan(plan_of_form(read_object(_text(data), "x", InvalidRequestError)))


def _recipe(data: bytes) -> None:
    parse_recipe(read_object(_text(data), "x", InvalidRequestError))


def _sample(data: bytes) -> None:
    read = read_object(_text(data), "x", InvalidRequestError)
    parse(Record, read, InvalidRequestError, "x")


def _order(data: bytes) -> None:
    read = read_object(_text(data), "x", InvalidRequestError)
    parse_order(tidied(ShareOrder, read))


def _names(data: bytes) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "taxa.txt").write_bytes(HEADINGS + data)
        with closing(Taxa(folder)) as taxa:
            taxa.find(data.decode("utf-8", "replace"), 5)
            taxa.matches(data.decode("utf-8", "replace"))


def _preferences(data: bytes) -> None:
    read = read_object(_text(data), "x", InvalidRequestError)
    parse(Preferences, read, InvalidRequestError, "x")


def _useq(data: bytes) -> None:
    from_useq(read_object(_text(data), "x", InvalidRequestError), (0.1, 0.1, 0.1))


def _header(data: bytes) -> None:
    try:
        parse_header(read_object(_text(data), "x", InvalidRequestError))
    except ValueError:
        return


def _frame(data: bytes) -> None:
    record = read_frame_record(data)
    if record is not None:
        header_of_record(record)
        with_exif(jpeg(1), record, {})


def _rewritten(data: bytes) -> None:
    with_exif(data, frame_record(FULL_HEADER, 1, draft(1)), {})


def _picture(data: bytes) -> None:
    inspect(data)
    decode_grey(data, 300)
    size = size_of(data)
    if size is not None and size[0] * size[1] <= MOST_DECODED_PIXELS:
        decoded(data, 8)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


HEADINGS = b"scientificName\ttaxonID\tscientificNameAuthorship\n"
MOST_DECODED_PIXELS = 4_000_000
Reader = Callable[[bytes], None]
DOCUMENTS: Mapping[str, Reader] = {
    "plan": _plan,
    "short form": _form,
    "movie recipe": _recipe,
    "record of a sample": _sample,
    "order of a bundle": _order,
    "list of names": _names,
    "preferences": _preferences,
    "useq-schema plan": _useq,
    "run.json": _header,
}
PICTURES: Mapping[str, Reader] = {
    "EXIF of a frame, read": _frame,
    "EXIF of a camera, kept": _rewritten,
    "JPEG": _picture,
}
READERS: Mapping[str, Reader] = {**DOCUMENTS, **PICTURES}
EXPECTED = (TimelapseError, UnicodeDecodeError)
"""What a reader may raise; the second is told by whoever decodes the bytes."""

SOUND: Mapping[str, Dict[str, Any]] = {
    "plan": {"name": "x", "interval_s": 5, "frames": 2},
    "short form": {"name": "x", "interval_s": "5", "frames": "2"},
    "movie recipe": {"format": "gif"},
    "record of a sample": {"title": "x"},
    "order of a bundle": {"destination": "gbif"},
    "list of names": {},
    "preferences": {"um_per_pixel": 0.5},
    "useq-schema plan": {"time_plan": {"interval": 5, "loops": 2}},
    "run.json": FULL_HEADER,
}
FIELDS: Mapping[str, Tuple[str, ...]] = {
    "useq-schema plan": ("time_plan", "stage_positions", "z_plan", "channels"),
    "preferences": ("plan", "um_per_pixel"),
    "record of a sample": tuple(Record.model_fields),
    "order of a bundle": tuple(ShareOrder.model_fields),
    "run.json": tuple(FULL_HEADER),
}


@st.composite
def documents(draw: Callable[..., Any], name: str) -> bytes:
    """Draw a sound document with something odd in it, or any text."""
    if draw(st.integers(0, 9)) == 0:
        return bytes(draw(st.binary(max_size=60)))
    names = FIELDS.get(name, tuple(Plan.model_fields))
    odd = draw(st.dictionaries(st.sampled_from(names), json_values, max_size=4))
    return json.dumps({**SOUND[name], **odd}).encode("utf-8", "surrogatepass")


@st.composite
def pictures(draw: Callable[..., Any]) -> bytes:
    """Draw a frame with changed bytes, most of them where it says what it is."""
    content = bytearray(
        draw(st.sampled_from((SOUND_FRAME, jpeg(1), jpeg(2, (64, 48)))))
    )
    for _ in range(draw(st.integers(1, 8))):
        near = min(len(content), 2000)
        place = draw(st.integers(0, draw(st.sampled_from((near, len(content)))) - 1))
        content[place] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        text = json.dumps(draw(json_values)).encode()
        found = re.search(rb'"timelapse":\{', bytes(content))
        if found is not None:
            content[found.end() : found.end() + len(text)] = text
    return bytes(content[: draw(st.sampled_from((len(content), len(content) // 2)))])


def attack_documents(trials: int, first: int) -> List[Tally]:
    """Return what so many documents and pictures did to their readers."""
    tallies = []
    for name, reader in READERS.items():
        tally = Tally(name, "hypothesis")
        drawn = documents(name) if name in DOCUMENTS else pictures()
        _read(tally, reader, drawn, max(1, trials // len(READERS)), first)
        tallies.append(tally)
    return tallies


def _read(tally: Tally, reader: Reader, drawn: Any, trials: int, first: int) -> None:
    """Give so many of them to one reader."""

    @so_many(trials, first)
    @given(data=drawn)
    def once(data: bytes) -> None:
        tally.tried += 1
        try:
            reader(data)
        except EXPECTED:
            return
        except Exception as exc:  # noqa: BLE001 - that is what is looked for
            tally.fell("traceback", f"{exc!r:.120} for {data[:120]!r}")

    once()
