"""Whom this computer tells, and a trial of it: one message, sent here and now."""

import socket
from argparse import Namespace
from typing import Any, Dict, List

from openflexure_timelapse.console.printing import Printer
from openflexure_timelapse.errors import HardwareError, NotFoundError
from openflexure_timelapse.hosts.channels import Channel, DeliveryError, channels_of
from openflexure_timelapse.hosts.news import News, test_news
from openflexure_timelapse.hosts.notify_file import NotifyFile
from openflexure_timelapse.hosts.outbox import SEND_NS
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.status import local_time

__all__ = ["show_or_test"]


def show_or_test(options: Namespace, printer: Printer) -> bool:
    """Show the kinds of ways by which people are told; send a message if asked to.

    Parameters
    ----------
    options : Namespace
        Of the command ``notify``.
    printer : Printer
        Told what is set up, and what became of the message.

    Returns
    -------
    bool
        Whether every way took the message.

    Raises
    ------
    NotFoundError
        When there is no file.
    StorageError
        When it cannot be used.
    """
    file = NotifyFile(options.file)
    if file.path is None:
        told = "No file of this computer says whom to tell; write one as "
        raise NotFoundError(told + "docs/unattended.md shows, or name it with --file.")
    targets = file.read()
    channels = channels_of(targets)
    for warning in file.warnings():
        printer.say(warning, style="yellow")
    labels = ", ".join(channel.label for channel in channels) or "nobody"
    printer.say(labels, label="Tells:")
    printer.say(", ".join(targets.on) or "nothing", label="Of:")
    results: List[Dict[str, Any]] = []
    if options.test:
        clock = RealClock()
        time = local_time(clock, clock.wall_ns()) or "unknown"
        news = test_news(targets.name or socket.gethostname(), time)
        results = [_tried(channel, news, printer) for channel in channels]
    facts = {"file": str(file.path), "tells": [each.label for each in channels]}
    printer.result({**facts, "on": list(targets.on), "sent": results})
    return all(result["error"] is None for result in results)


def _tried(channel: Channel, news: News, printer: Printer) -> Dict[str, Any]:
    """Send one message and say what became of it."""
    clock, error = RealClock(), None
    lane = clock.lane("timelapse-notify")
    try:
        deadline_ns = clock.monotonic_ns() + SEND_NS
        lane.call("send a message", lambda: channel.send(news), deadline_ns)
    except (DeliveryError, HardwareError) as exc:
        is_late = isinstance(exc, HardwareError)
        error = "it did not answer in time" if is_late else str(exc)
    finally:
        lane.close()
    told = "sent" if error is None else f"not sent: {error}"
    printer.say(told, label=f"{channel.label}:", style="" if error is None else "red")
    return {"channel": channel.label, "error": error}
