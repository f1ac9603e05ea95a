"""How often people are told, and what becomes of what cannot be sent."""

import threading
from typing import Optional

import pytest
from cases.receivers import Mouth, news

from hardware_sim import VirtualClock
from openflexure_timelapse.hosts import outbox
from openflexure_timelapse.hosts.news import News
from openflexure_timelapse.hosts.outbox import MOST_WAITING, Outbox
from openflexure_timelapse.hosts.system import RealClock

NS_PER_S = 1_000_000_000
PATIENCE_S = 60


def made(mouth: Optional[Mouth] = None) -> "tuple[Outbox, Mouth, VirtualClock]":
    """Return an outbox on a clock that jumps."""
    mouth, clock = mouth or Mouth(), VirtualClock(0)
    return Outbox(mouth, clock), mouth, clock


def pass_s(clock: VirtualClock, seconds: float) -> None:
    """Let time pass."""
    clock.advance(int(seconds * NS_PER_S))


def test_the_first_message_is_sent_at_once() -> None:
    """Nobody waits for the first bad news."""
    box, mouth, _ = made()
    box.post(news(1))
    assert box.step() is None
    assert mouth.said == [news(1)]


def test_a_storm_is_one_message_and_a_few_summaries() -> None:
    """A flapping disk for a day: each message is counted, and few are sent."""
    box, mouth, clock = made()
    for number in range(24 * 60 * 6):
        box.post(news(number))
        box.step()
        pass_s(clock, 10)
    pass_s(clock, 3600)
    box.step()
    assert len(mouth.said) < 40
    assert mouth.said[0] == news(0)
    summary = mouth.said[1]
    assert summary.kind == "several"
    assert summary.title.startswith("6 messages, the last: title 6")
    assert "title 5" in summary.text
    counted = [int(told.title.split()[0]) for told in mouth.said[1:]]
    assert 1 + sum(counted) == 24 * 60 * 6


def test_after_calm_days_news_is_sent_at_once_again() -> None:
    """Two stormy hours do not slow what comes a day later."""
    box, mouth, clock = made()
    for number in range(200):
        box.post(news(number))
        box.step()
        pass_s(clock, 60)
    pass_s(clock, 86_400)
    box.step()
    before = len(mouth.said)
    pass_s(clock, 86_400)
    box.post(news(999))
    box.step()
    assert mouth.said[before:] == [news(999)]


def test_news_outlives_a_lost_network() -> None:
    """It is tried again, seldom, and told whole with its own time."""
    box, mouth, clock = made()
    mouth.fails = True
    box.post(news(1))
    dues = []
    for _ in range(8):
        due_ns = box.step()
        assert due_ns is not None
        dues.append((due_ns - clock.monotonic_ns()) / NS_PER_S)
        clock.advance(due_ns - clock.monotonic_ns())
    assert dues == [5, 20, 60, 300, 900, 1800, 1800, 1800]
    assert box.trouble.startswith("Messages by mouth are not delivered: its server")
    mouth.fails = False
    box.post(news(2))
    assert box.step() is None
    assert (box.trouble, box.is_empty) == ("", True)
    assert "time 1: title 1" in mouth.said[0].text


def test_one_failure_is_no_trouble_yet() -> None:
    """A network that is away for a moment is no warning."""
    box, mouth, _ = made()
    mouth.fails = True
    box.post(news(1))
    box.step()
    assert box.trouble == ""


def test_too_many_are_counted_not_kept() -> None:
    """A month without a network does not fill the memory."""
    box, mouth, clock = made()
    mouth.fails = True
    for number in range(1000):
        box.post(news(number))
        box.step()
        pass_s(clock, 3600)
    assert len(box._waiting) == MOST_WAITING
    mouth.fails = False
    box.step()
    assert mouth.said[0].title == "1000 messages, the last: title 999"
    assert "994 earlier messages are left out." in mouth.said[0].text
    assert box.is_empty


def test_news_that_comes_while_it_is_sent_is_not_lost() -> None:
    """Also when it pushes out what is being sent."""

    class Slow(Mouth):
        def send(self, told: News) -> None:
            super().send(told)
            for number in range(50, 50 + extra):
                box.post(news(number))

    for total in (1, MOST_WAITING, MOST_WAITING + 30):
        extra = total
        box, mouth, clock = made(Slow())
        for number in range(3):
            box.post(news(number))
        box.step()
        pass_s(clock, 3600)
        extra = 0
        box.step()
        assert mouth.said[0].title == "3 messages, the last: title 2"
        wanted = f"{total} messages, the last" if total > 1 else "title 50"
        assert mouth.said[1].title.startswith(wanted)
        assert box.is_empty


def test_a_way_out_that_hangs_has_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that hangs is left behind; the message is tried again."""
    monkeypatch.setattr(outbox, "SEND_NS", NS_PER_S // 5)
    let_go = threading.Event()

    class Stuck(Mouth):
        def send(self, told: News) -> None:
            if not let_go.wait(0 if self.said else PATIENCE_S):
                self.said.append(told)

    mouth = Stuck()
    box = Outbox(mouth, RealClock())
    box.post(news(1))
    assert box.step() is not None
    assert box._failures == 1
    let_go.set()
    box.close()
