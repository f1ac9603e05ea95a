"""E-mail by apprise, to a real SMTP server on this computer."""

import contextlib
import email
import json
import logging
import socket
from email.message import Message
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from openflexure_timelapse.cli import main
from openflexure_timelapse.hosts.channels import AppriseChannel, DeliveryError
from openflexure_timelapse.hosts.news import News

pytest.importorskip("apprise", reason="the extra notify is not installed")

from aiosmtpd.controller import Controller

# What apprise and the server import is not for us to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NEWS = News(
    kind="failed",
    title="pond äöü on lab has failed",
    text="The time-lapse pond äöü on lab has failed.\nThe camera <b>burns</b>.",
    time="2026-11-26T09:00:00+01:00",
    host="lab",
)


class MailServer:
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        self.mails: List[Message] = []
        self.refuses = False
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port = trial.getsockname()[1]
        self.controller = Controller(self, hostname="127.0.0.1", port=port)
        people = "from=scope@example.org&to=me@example.org&mode=insecure"
        self.address = f"mailto://127.0.0.1:{port}/?{people}"
        """How apprise calls it."""

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        """Take a mail."""
        if self.refuses:
            return "550 no"
        self.mails.append(email.message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture(name="server")
def _server() -> Iterator[MailServer]:
    server = MailServer()
    server.controller.start()
    yield server
    server.controller.stop()


@pytest.fixture(scope="module", autouse=True)
def _apprise_is_loaded() -> None:
    """Have apprise begin the threads that it keeps for as long as the process lives."""
    with contextlib.suppress(DeliveryError):
        AppriseChannel("json://127.0.0.1:9").send(NEWS)


def texts_of(mail: Message, kind: str) -> List[str]:
    """Return the texts of a mail, the plain ones or those for who reads HTML."""
    parts = [part for part in mail.walk() if part.get_content_type() == kind]
    contents: List[Any] = [part.get_payload(decode=True) for part in parts]
    return [content.decode("utf-8") for content in contents]


def test_news_arrives_as_a_mail(server: MailServer) -> None:
    """With the title as its subject, the text as it is, and no markup made of it."""
    AppriseChannel(server.address).send(NEWS)
    (mail,) = server.mails
    subject = str(email.header.make_header(email.header.decode_header(mail["Subject"])))
    assert subject == NEWS.title
    (plain,) = texts_of(mail, "text/plain")
    assert "The camera <b>burns</b>." in plain
    assert not any("<b>" in text for text in texts_of(mail, "text/html"))
    assert "me@example.org" in mail["To"]


def test_a_mail_that_is_refused_is_told_without_addresses(
    server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the error nor in the log."""
    server.refuses = True
    with caplog.at_level(logging.DEBUG), pytest.raises(DeliveryError) as raised:
        AppriseChannel(server.address).send(NEWS)
    assert str(raised.value) == "its service did not take the message"
    ours = [record for record in caplog.records if record.name != "mail.log"]
    assert not any("example.org" in record.getMessage() for record in ours)


def test_an_address_that_apprise_does_not_know_is_told() -> None:
    """Without the address."""
    with pytest.raises(DeliveryError, match="does not understand its address"):
        AppriseChannel("nosuch://s3cret").send(NEWS)


def test_the_command_sends_a_trial(
    server: MailServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says by which ways it went, and fails when one did not take it."""
    file = tmp_path / "notify.json"
    file.write_text(json.dumps({"apprise": [server.address], "name": "lab"}), "utf-8")
    file.chmod(0o600)
    command = ["notify", "--test", "--file", str(file), "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sent"] == [{"channel": "e-mail", "error": None}]
    assert "A test from lab" in str(server.mails[0]["Subject"])
    server.refuses = True
    assert main(command) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["sent"][0]["error"] == "its service did not take the message"
