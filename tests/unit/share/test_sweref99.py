"""SWEREF 99 TM: the map of Sweden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.errors import InvalidShareError
from openflexure_timelapse.share.sweref99 import in_sweden, sweref99_of


def test_gothenburg_lies_where_others_say() -> None:
    """The point that was worked out with another program."""
    point = sweref99_of(57.700, 11.967)
    assert (round(point.east_m), round(point.north_m)) == (319261, 6399356)


@given(st.floats(55, 69), st.floats(0, 4.9))
def test_the_map_is_the_same_on_both_sides_of_its_middle(
    latitude: float, offset: float
) -> None:
    """East and west of 15 degrees mirror each other; on it, east is 500 km."""
    east, west = sweref99_of(latitude, 15 + offset), sweref99_of(latitude, 15 - offset)
    middle = sweref99_of(latitude, 15)
    assert middle.east_m == 500_000
    assert abs(east.east_m + west.east_m - 1_000_000) < 1e-6
    assert abs(east.north_m - west.north_m) < 1e-6
    assert east.north_m >= middle.north_m


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(90, 0), (-90, 180), (0, 0), (16.5, -180), (59.3, -18.1), (18.1, 59.3)],
)
def test_what_is_not_in_sweden_is_refused(latitude: float, longitude: float) -> None:
    """Poles, the date line, and latitude and longitude that were swapped."""
    assert not in_sweden(latitude, longitude)
    with pytest.raises(InvalidShareError, match="not in Sweden"):
        sweref99_of(latitude, longitude)
