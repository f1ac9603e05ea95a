"""Telling people: by which way, to whom, from the run to its end."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from cases.receivers import SECRET, WebReceiver, news

from openflexure_timelapse.errors import InvalidRequestError, StorageError
from openflexure_timelapse.hosts import channels, notify_file, outbox
from openflexure_timelapse.hosts.channels import DeliveryError, Webhook
from openflexure_timelapse.hosts.news import News
from openflexure_timelapse.hosts.notifier import Notifier
from openflexure_timelapse.hosts.notify_file import (
    ENVIRONMENT,
    NotifyFile,
    find_notify_file,
)
from openflexure_timelapse.hosts.system import RealClock

NS_PER_S = 1_000_000_000
PATIENCE_S = 60


def test_a_webhook_is_sent_json() -> None:
    """All that a script needs to know is in fields of its own."""
    told = News("ended", "pond äöü", "text", "now", "lab", "r", "pond", {"captured": 3})
    with WebReceiver() as receiver:
        Webhook(receiver.url).send(told)
        (got,) = receiver.got
    assert got == told.to_json()
    assert got["counts"] == {"captured": 3}


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_an_answer_that_is_no_success_is_told(status: int) -> None:
    """A redirect as well: what follows it would be a GET that delivers nothing."""
    with WebReceiver() as receiver:
        receiver.answer = status
        with pytest.raises(DeliveryError, match=f"its server answered {status}"):
            Webhook(receiver.url).send(news())
        assert receiver.tries == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:9/s3cret", "was not reached"),
        ("http://no.such.host.invalid/s3cret", "the name of its server is not known"),
        ("http://[::bad/s3cret", "not understood"),
        ("http://127.0.0.1:99999999/s3cret", "not understood|not reached"),
    ],
)
def test_a_server_that_is_not_there_is_told_without_its_address(
    url: str, told: str
) -> None:
    """The address is a secret."""
    with pytest.raises(DeliveryError, match=told) as raised:
        Webhook(url).send(news())
    for part in (SECRET, "127.0.0.1", "no.such.host", "bad"):
        assert part not in str(raised.value)


def test_a_server_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket has a deadline."""
    monkeypatch.setattr(channels, "SOCKET_S", 0.2)
    with WebReceiver() as receiver:
        receiver.answer = 0
        with pytest.raises(DeliveryError, match="did not answer in time"):
            Webhook(receiver.url).send(news())


def written(path: Path, content: Any, mode: int = 0o600) -> Path:
    """Write a file that says whom to tell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_file_is_found_where_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's first, then the user's, then the computer's."""
    environ: Dict[str, str] = {"XDG_CONFIG_HOME": str(tmp_path)}
    monkeypatch.setattr(notify_file, "ETC", tmp_path / "etc")
    assert find_notify_file(environ) is None
    etc = written(tmp_path / "etc" / "openflexure-timelapse" / "notify.json", {})
    assert find_notify_file(environ) == etc
    own = written(tmp_path / "openflexure-timelapse" / "notify.json", {})
    assert find_notify_file(environ) == own
    assert find_notify_file({**environ, ENVIRONMENT: ""}) is None
    environ[ENVIRONMENT] = str(tmp_path / "other.json")
    assert find_notify_file(environ) == tmp_path / "other.json"
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "other.json"))
    with pytest.raises(StorageError, match=r"other.json: it does not exist"):
        NotifyFile().read()


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """Nobody has to restart a server in the middle of a run."""
    path = written(tmp_path / "n.json", {"webhooks": ["http://a/"]})
    file = NotifyFile(path)
    assert file.read().webhooks == ("http://a/",)
    written(path, {"webhooks": ["http://a/", "https://b/"], "on": ["failed"]})
    assert file.read().webhooks == ("http://a/", "https://b/")
    assert file.read().on == ("failed",)


BAD_FILES: Dict[str, Any] = {
    "no JSON": '{"webhooks": [',
    "no object": f'["{SECRET}"]',
    "a number": {"webhooks": [5]},
    "text for a list": {"webhooks": SECRET},
    "an unknown field": {"webhook": SECRET},
    "an unknown event": {"on": [SECRET]},
    "a file's address": {"webhooks": [f"file:///etc/{SECRET}"]},
    "twice": f'{{"apprise": ["{SECRET}"], "apprise": []}}',
}


@pytest.mark.parametrize("case", sorted(BAD_FILES))
def test_a_bad_file_is_told_without_its_values(tmp_path: Path, case: str) -> None:
    """What is wrong with which field, but never a secret."""
    path = written(tmp_path / "n.json", BAD_FILES[case])
    (told,) = NotifyFile(path).warnings()
    assert str(path) in told
    assert SECRET not in told
    with pytest.raises(StorageError):
        NotifyFile(path).read()


def test_a_file_that_others_may_change_is_refused(tmp_path: Path) -> None:
    """Somebody else would choose whom to tell."""
    path = written(tmp_path / "n.json", {"webhooks": ["http://a/"]}, 0o666)
    with pytest.raises(StorageError, match="chmod 600"):
        NotifyFile(path).read()


def test_a_file_that_all_may_read_is_warned_of(tmp_path: Path) -> None:
    """It works: silence would cost more than a secret among users of one computer."""
    path = written(tmp_path / "n.json", {"webhooks": ["http://a/"]}, 0o644)
    file = NotifyFile(path)
    assert file.read().webhooks == ("http://a/",)
    (told,) = file.warnings()
    assert "chmod 640" in told
    path.chmod(0o640)
    assert NotifyFile(path).warnings() == []


def notifier(path: Path) -> "tuple[Notifier, List[str]]":
    """Return a notifier on the real clock, and the list of what is put on record."""
    noted: List[str] = []
    return Notifier(
        NotifyFile(path), RealClock(), lambda kind, _: noted.append(kind)
    ), noted


def test_news_goes_to_everybody_who_wants_it(tmp_path: Path) -> None:
    """By a thread of its own; the file chooses of what, and `close` sends the rest."""
    with WebReceiver() as receiver:
        targets = {"webhooks": [receiver.url], "on": ["failed"]}
        teller, noted = notifier(written(tmp_path / "n.json", targets))
        assert teller.tells() == ["webhook"]
        teller.post(news(1))
        assert receiver.came.acquire(timeout=PATIENCE_S)
        teller.post(news(2, "ended"))
        teller.post(news(3))
        teller.close()
        assert [got["title"] for got in receiver.got] == ["title 1", "title 3"]
    assert (noted, teller.warnings()) == ([], [])


def test_what_is_not_delivered_is_a_warning_and_an_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never swallowed, and never with an address."""
    monkeypatch.setattr(outbox, "BACK_OFF_S", (0, 3600))
    with WebReceiver() as receiver:
        receiver.answer = 500
        path = written(tmp_path / "n.json", {"webhooks": [receiver.url]})
        teller, noted = notifier(path)
        teller.post(news(1))
        for _ in range(2):
            assert receiver.came.acquire(timeout=PATIENCE_S)
        teller.close()
        (told,) = teller.warnings()
    assert told.startswith("Messages by webhook are not delivered: its server answered")
    assert SECRET not in told
    assert noted == ["notification_failed"]


def test_news_waits_for_a_file_that_is_being_mended(tmp_path: Path) -> None:
    """A comma too many in the file costs no message."""
    with WebReceiver() as receiver:
        path = written(tmp_path / "n.json", {"webhook": 1})
        teller, _ = notifier(path)
        teller.post(news(1))
        written(path, {"webhooks": [receiver.url]})
        teller.post(news(2))
        teller.close()
        told = "".join(got["title"] + got["text"] for got in receiver.got)
    assert "title 1" in told
    assert "title 2" in told


def test_without_a_file_nothing_is_begun() -> None:
    """No thread, no warning; a test says what is missing."""
    teller = Notifier(NotifyFile(), RealClock(), lambda *_: None)
    teller.post(news(1))
    assert (teller._thread, teller.tells(), teller.warnings()) == (None, [], [])
    with pytest.raises(InvalidRequestError, match="Nobody is told"):
        teller.test()
    teller.close()


def test_a_test_is_sent(tmp_path: Path) -> None:
    """Whatever the file wants to hear of otherwise."""
    with WebReceiver() as receiver:
        targets = {"webhooks": [receiver.url], "on": [], "name": "lab 3"}
        teller, _ = notifier(written(tmp_path / "n.json", targets))
        assert teller.test() == {"tells": ["webhook"]}
        teller.close()
        (got,) = receiver.got
    assert got["title"] == "A test from lab 3"


def test_apprise_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its addresses are in the file, and the way to install it in the warning."""
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    targets = {"apprise": [f"mailto://user:{SECRET}@localhost"]}
    teller, _ = notifier(written(tmp_path / "n.json", targets))
    monkeypatch.setattr(outbox, "FAILURES_TOLD", 1)
    assert teller.tells() == ["e-mail"]
    teller.post(news(1))
    teller.close()
    (told,) = teller.warnings()
    assert "pip install 'openflexure-timelapse[notify]'" in told
    assert SECRET not in told
