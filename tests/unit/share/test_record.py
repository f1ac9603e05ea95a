"""The record of a sample: what a person may say, and what comes back."""

import re
from datetime import datetime, timedelta
from typing import Any, Dict, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.document import parse
from openflexure_timelapse.errors import InvalidRecordError
from openflexure_timelapse.record import Moment, Record, moment_of

OFFSETS = st.none() | st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: timedelta(minutes=minutes)
)


@st.composite
def moments(draw: Any) -> Moment:
    """Draw a day, perhaps with a time of it, perhaps with an offset."""
    day = draw(st.dates())
    clock = draw(st.none() | st.times().map(lambda t: t.replace(microsecond=0)))
    return Moment(day, clock, None if clock is None else draw(OFFSETS))


@given(moments())
def test_a_moment_comes_back_as_precise_as_it_was(moment: Moment) -> None:
    """Its text is ISO 8601, and no zone, time or second is made up."""
    assert moment_of(str(moment)) == moment
    if moment.offset is not None and moment.clock is not None:
        told = datetime.fromisoformat(str(moment))
        assert told.utcoffset() == moment.offset


def record(**fields: Any) -> Record:
    """Return a record as it comes over the API."""
    return parse(Record, fields, InvalidRecordError, "record")


WRONG: Dict[str, Tuple[Dict[str, Any], str]] = {
    "latitude": ({"latitude": 90.01, "longitude": 0}, "latitude should be at most 90"),
    "longitude": ({"latitude": 0, "longitude": -181}, "longitude should be at least"),
    "half a place": ({"latitude": 57.0}, "both, or none"),
    "no number": ({"latitude": "57", "longitude": 1}, "latitude should be a number"),
    "a place of nowhere": ({"latitude": 1e400, "longitude": 1}, "ordinary number"),
    "no day": ({"sampled_at": "2026-02-30"}, "a day of the calendar"),
    "a range": ({"sampled_at": "2026-02-01/2026-02-03"}, "should be a date such as"),
    "words": ({"sampled_at": "last summer"}, "should be a date such as"),
    "no zone": ({"sampled_at": "2026-02-01T10:00+15:00"}, "14 hours at most"),
    "licence": ({"licence": "all mine"}, "should be an SPDX id"),
    "country": ({"country": "se"}, "two capital letters"),
    "depths": ({"depth_min_m": 5, "depth_max_m": 2}, "should be at most depth_max_m"),
    "accuracy": ({"accuracy_m": 0}, "should be more than 0"),
    "a nameless taxon": ({"taxon": {"name": ""}}, "taxon.name should not be empty"),
    "misspelt": ({"photografer": "x"}, "perhaps 'photographer' is meant"),
    "no id": ({"uuid": "mine"}, "uuid"),
    "too long": ({"title": "x" * 201}, "at most 200 characters (it has 201)"),
}


@pytest.mark.parametrize(("fields", "told"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused(fields: Dict[str, Any], told: str) -> None:
    """In a sentence that names the field."""
    with pytest.raises(InvalidRecordError, match=re.escape(told)):
        record(**fields)


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_every_place_of_the_globe_is_kept(latitude: float, longitude: float) -> None:
    """The poles, both sides of the date line, to the last digit."""
    told = record(latitude=latitude, longitude=longitude).to_json()
    assert (told["latitude"], told["longitude"]) == (latitude, longitude)
    assert record(**told).to_json() == told
