"""The ways out: a webhook by the standard library, everything else by apprise.

A channel sends one message and raises `DeliveryError` when it could not, in words that
hold no address: those are secrets.
"""

import http.client
import json
import logging
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any, List

from typing_extensions import Protocol

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.hosts.news import News
from openflexure_timelapse.hosts.notify_file import Targets

__all__ = ["AppriseChannel", "Channel", "DeliveryError", "Webhook", "channels_of"]

SOCKET_S = 10.0
MOST_ANSWERED = 4096
WORDS = {"mailto": "e-mail", "mailtos": "e-mail", "tgram": "telegram"}
HOW_TO_INSTALL = "type: pip install 'openflexure-timelapse[notify]'"


class DeliveryError(TimelapseError):
    """A message could not be delivered."""


class Channel(Protocol):
    """One way out.

    Attributes
    ----------
    label : str
        What kind of way it is, without its address.
    key : str
        Tells it from others; a secret.
    """

    label: str
    key: str

    def send(self, news: News) -> None:
        """Send one message; may take seconds.

        Raises
        ------
        DeliveryError
            When it was not taken.
        """
        ...


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect to be an error: a POST that becomes a GET delivers nothing."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        """Follow none."""


class Webhook:
    """POSTs each message as a JSON object.

    Parameters
    ----------
    address : str
        http or https.
    """

    label = "webhook"

    def __init__(self, address: str) -> None:
        self.key = address
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, news: News) -> None:
        """Send one message; see `Channel`."""
        try:
            request = urllib.request.Request(  # noqa: S310 (the file allows http only)
                self.key,
                json.dumps(news.to_json(), ensure_ascii=False).encode("utf-8"),
                {
                    "Content-Type": "application/json; charset=utf-8",
                    "User-Agent": f"openflexure-timelapse/{__version__}",
                },
            )
            with self._opener.open(request, timeout=SOCKET_S) as answer:
                answer.read(MOST_ANSWERED)
        except urllib.error.HTTPError as exc:
            with exc:
                raise DeliveryError(f"its server answered {exc.code}") from None
        except (OSError, OverflowError, ValueError, http.client.HTTPException) as exc:
            raise DeliveryError(_reason(exc)) from None


def _reason(error: Exception) -> str:
    """Return why a server was not reached, without its name."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, socket.gaierror):
        return "the name of its server is not known"
    if isinstance(cause, socket.timeout):
        return "its server did not answer in time"
    if isinstance(cause, ssl.SSLError):
        return "its server's certificate is not trusted"
    if isinstance(cause, OSError) and cause.strerror:
        return f"its server was not reached ({cause.strerror})"
    return f"its server was not understood ({type(cause).__name__})"


class AppriseChannel:
    """Sends by apprise: e-mail, Telegram, ntfy, Matrix and a hundred others.

    Parameters
    ----------
    address : str
        As apprise writes it.
    """

    def __init__(self, address: str) -> None:
        self.key = address
        kind = address.partition("://")[0].lower()
        self.label = WORDS.get(kind, kind if kind.isalnum() else "apprise")

    def send(self, news: News) -> None:
        """Send one message; see `Channel`."""
        try:
            import apprise  # noqa: PLC0415 (an extra, and slow to load)
        except ImportError:
            told = f"apprise is not installed ({HOW_TO_INSTALL})"
            raise DeliveryError(told) from None
        # It would name servers and people in the log.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        out = apprise.Apprise()
        try:
            known = out.add(self.key)
            # Names are anybody's: as HTML, which is its default, they would be markup.
            plain = apprise.NotifyFormat.TEXT
            done = out.notify(news.text, title=news.title, body_format=plain)
        except Exception as exc:  # noqa: BLE001 - a hundred services, each its own
            raise DeliveryError(f"apprise failed ({type(exc).__name__})") from None
        if not known:
            raise DeliveryError("apprise does not understand its address")
        if not done:
            raise DeliveryError("its service did not take the message")


def channels_of(targets: Targets) -> List[Channel]:
    """Return a channel for each address."""
    found: List[Channel] = [Webhook(address) for address in targets.webhooks]
    found += [AppriseChannel(address) for address in targets.apprise]
    return found
