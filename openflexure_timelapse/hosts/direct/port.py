"""The ports at which a Sangaboard may be, and opening one.

A cable that is pulled and put in again, and a board with USB of its own that starts
anew, may come back under the next number: the kernel gives the old one to nobody while
the old line is still open.
"""

import errno
from pathlib import Path
from typing import TYPE_CHECKING, List, Sequence, Type

from openflexure_timelapse.errors import HardwareBusyError, HardwareError
from openflexure_timelapse.hosts.direct.claims import told_users, users_of

if TYPE_CHECKING:
    from openflexure_timelapse.hosts.direct.link import Link

__all__ = ["check_library", "find_ports", "open_first", "ports_after"]

# In the order in which a Sangaboard is likely: on USB, then on the pins of the Pi.
DEVICES = Path("/dev")
ON_USB = ("ttyUSB", "ttyACM")
ON_PINS = ("serial0", "ttyAMA0", "ttyS0")
TAKEN = (errno.EAGAIN, errno.EBUSY)
ADVICE = {
    errno.ENOENT: "is not there; check the cable, or name another port",
    errno.EACCES: "may not be opened by this user; type: "
    "sudo usermod -aG dialout $USER, then log in again",
}


def find_ports() -> List[str]:
    """Return the serial ports at which a board may be, the likely ones first."""
    names = [*(f"{kind}*" for kind in ON_USB), *ON_PINS]
    return [str(port) for name in names for port in sorted(DEVICES.glob(name))]


def ports_after(port: str) -> List[str]:
    """Return where a board may be that was at a port: there, or at its like on USB.

    Parameters
    ----------
    port : str
        Where it was, found by itself.
    """
    kind = Path(port).name.rstrip("0123456789")
    likes = sorted(DEVICES.glob(f"{kind}*")) if kind in ON_USB else []
    return [port, *(str(like) for like in likes if str(like) != port)]


def open_first(ports: Sequence[str], reply_s: float) -> "Link":
    """Open the first of some ports that has a board.

    Parameters
    ----------
    ports : sequence of str
        Tried one after the other.
    reply_s : float
        Longest time for an answer, in real seconds.

    Raises
    ------
    HardwareBusyError
        When somebody else has one of them, and none of the others has a board.
    HardwareError
        When there is no board, or one with a firmware that is not known.
    """
    errors: List[HardwareError] = []
    for port in ports:
        try:
            return _open(port, reply_s)
        except HardwareError as exc:  # noqa: PERF203 (a few ports)
            errors.append(exc)
    if len(errors) == 1:
        raise errors[0]
    tried = f"tried {', '.join(ports)}" if ports else "there is no serial port"
    message = f"No Sangaboard was found ({tried}); connect it, or name its port."
    is_taken = any(isinstance(error, HardwareBusyError) for error in errors)
    kind = HardwareBusyError if is_taken else HardwareError
    raise kind(" ".join([message, *map(str, errors)]))


def check_library() -> None:
    """Refuse where the library is missing, with the command that installs it.

    Raises
    ------
    HardwareError
        When it cannot be loaded.
    """
    try:
        _link_class()
    except ImportError as exc:
        message = f"The library for the Sangaboard cannot be loaded ({exc}); install "
        message += "it with: pip install 'openflexure-timelapse[direct]'"
        raise HardwareError(message) from exc


def _link_class() -> "Type[Link]":
    """Import the library when it is needed: it is an extra."""
    from openflexure_timelapse.hosts.direct.link import Link  # noqa: PLC0415 (see above)

    return Link


def _open(port: str, reply_s: float) -> "Link":
    """Open a port that nobody has, and tell in our words why it cannot be."""
    _refuse_if_used(port)  # most programs open a port without locking it
    try:
        return _link_class()(port, reply_s)
    except HardwareError:
        raise
    except Exception as exc:  # pyserial and the library raise what they like
        raise _not_opened(port, exc) from exc


def _refuse_if_used(port: str) -> None:
    """Refuse a port that another program has open."""
    users = users_of(port)
    if users:
        message = f"{port} is in use by {told_users(users)}; end it, then try again."
        raise HardwareBusyError(message)


def _not_opened(port: str, error: Exception) -> HardwareError:
    """Return why a port cannot be used, and what to do."""
    number = getattr(error, "errno", None)
    if number in TAKEN:
        by = "by another part of this program, or by another user"
        return HardwareBusyError(f"{port} is in use {by}; end it, then try again.")
    if number in ADVICE:
        return HardwareError(f"The board's port {port} {ADVICE[number]}.")
    message = f"No Sangaboard answers at {port} ({error}); "
    return HardwareError(message + "check its cable, its power and the port.")
