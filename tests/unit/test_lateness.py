"""Lateness is shown of the newest slots."""

from openflexure_timelapse.lateness import LatenessMeter


def test_lateness_is_measured_over_the_newest_slots() -> None:
    """The meter shows the newest value and the p99 of its window, and forgets."""
    meter = LatenessMeter(window=100)
    assert (meter.last_ms, meter.p99_ms) == (None, None)
    for ms in range(1, 101):
        meter.add(ms * 1_000_000)
    assert (meter.last_ms, meter.p99_ms) == (100.0, 99.0)
    for _ in range(100):
        meter.add(5_000_000)
    assert (meter.last_ms, meter.p99_ms) == (5.0, 5.0)
