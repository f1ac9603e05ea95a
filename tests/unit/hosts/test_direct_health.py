"""What is told of the camera's computer."""

from typing import Any, Dict

import pytest

from openflexure_timelapse.hosts.direct.health import remarks

WELL: Dict[str, Any] = {
    "frame_age_s": 0.1,
    "temperature_c": 55.0,
    "cma_free_bytes": 3_000_000,  # lent to the cache of files
}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"frame_age_s": 12.4}, "12 s old"),
        ({"frame_age_s": None}, "no frames"),
        ({"temperature_c": 81.2}, "81 °C"),
    ],
)
def test_what_is_wrong_is_told(wrong: Dict[str, Any], told: str) -> None:
    """One sentence for it, with the value."""
    (sentence,) = remarks({**WELL, **wrong})
    assert told in sentence


@pytest.mark.parametrize(
    "status", [WELL, {}, {**dict.fromkeys(WELL), "frame_age_s": 0.1}]
)
def test_what_is_well_or_unknown_is_not(status: Dict[str, Any]) -> None:
    """A computer that cannot tell is no reason to worry anybody."""
    assert remarks(status) == []
