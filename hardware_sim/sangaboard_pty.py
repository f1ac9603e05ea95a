"""A Sangaboard at the end of a cable: a pseudo-terminal for the real library.

The board's program is `hardware_sim.firmware`; this is its wire, and what goes wrong on
a wire. Everything happens in one thread of its own, which never waits on the injected
clock: it looks at it, often while motors turn, so a clock that jumps is no trouble.
"""

import collections
import contextlib
import os
import pty
import select
import threading
import time
import tty
from pathlib import Path
from typing import Callable, Deque, List, Optional, Tuple, Union

from typing_extensions import Self

from hardware_sim.faults import FaultKind, Faults
from hardware_sim.firmware import DIALECTS, Firmware
from hardware_sim.microscope import SimMicroscope
from openflexure_timelapse.ports import Clock

__all__ = ["NOISE", "SangaboardPty"]

NOISE = b"\xff\x00\xc3\x28\x80?\xfe"
"""What arrives where a plug has a loose contact; no text in any encoding of ours."""
PORT_NAME = "sangaboard"
LINE_END = b"\r\n"
MOVING_S = 0.001
LISTENING_S = 0.005
LARGEST_READ = 4096
ANSWER_S = 10.0
BYTE_S = 10 / 115_200
HOST_S = 0.01
"""What a board with USB of its own waits once a host has opened its port."""


class SangaboardPty:
    """A board that the unmodified library can open.

    Parameters
    ----------
    sim : SimMicroscope
        Whose stage and lamp it drives.
    clock : Clock
        The same as the instrument's.
    folder : str or Path
        Where the name of the port is kept: a link that outlives an unplugging.
    dialect : {"v1.0", "v0.5"}
        Which firmware it runs.
    faults : Faults or None
        Those of kinds ``board_…``; None for the instrument's own.
    boot_s : float or None
        Seconds of the machine's time for which a board is deaf whenever its port is
        opened, since that starts it anew: an Arduino Nano in its bootloader. None: it
        is not, as those with USB of their own. They greet who opens first.

    Attributes
    ----------
    port : str
        What the library opens.
    heard : list of str
        Every command so far, for tests.
    """

    def __init__(  # noqa: PLR0913 (what a board and its cable may be)
        self,
        sim: SimMicroscope,
        clock: Clock,
        folder: Union[str, Path],
        dialect: str = "v1.0",
        faults: Optional[Faults] = None,
        *,
        boot_s: Optional[float] = None,
    ) -> None:
        self._sim, self._clock = sim, clock
        self._faults = sim.faults if faults is None else faults
        self._firmware = Firmware(sim, clock, self._faults, DIALECTS[dialect])
        self._mutex = threading.RLock()
        self._link = Path(folder) / PORT_NAME
        self.port = str(self._link)
        self.heard: List[str] = []
        self._master: Optional[int] = None
        self._is_open = False
        self._boot_s = boot_s
        self._awaits_host = False
        self._boots_until_s = 0.0
        self._buffer = b""
        self._outbox: Deque[Tuple[float, bytes]] = collections.deque()
        self._orders: Deque[Tuple[Callable[[], None], threading.Event]] = (
            collections.deque()
        )
        self._reader, self._writer = os.pipe()
        self._ends = False
        self._polls_faults = self._schedule()
        sim.stage.follow = self._follow
        self._plug()
        self._thread = threading.Thread(
            target=self._work, name="sangaboard-pty", daemon=True
        )
        self._thread.start()

    # --------------------------------------------------------------------- direction

    def unplug(self) -> None:
        """Pull the cable, which also feeds the board: whoever talks gets EIO."""
        self._order(self._unplug)

    def plug(self) -> None:
        """Put the cable in again: another terminal behind the same name."""
        self._order(self._plug)

    def restart(self) -> None:
        """Let the board start anew, as after a dip of its supply."""
        self._order(self._restart)

    def close(self) -> None:
        """End the thread and take the port away."""
        if not self._ends:
            self._order(self._unplug)
            self._ends = True
            os.write(self._writer, b"!")
            self._thread.join()
            os.close(self._reader)
            os.close(self._writer)
            self._sim.stage.follow = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _order(self, function: Callable[[], None]) -> None:
        """Let the thread do something, and wait until it is done."""
        if threading.current_thread() is self._thread:
            function()
            return
        done = threading.Event()
        self._orders.append((function, done))
        os.write(self._writer, b"!")
        if not done.wait(ANSWER_S):
            raise RuntimeError("the simulated board's thread does not answer")

    def _schedule(self) -> bool:
        """Set the alarms for faults that begin by themselves; False if all are set.

        A clock that jumps calls them on the way; another one is looked at.
        """
        alarms: List[Tuple[int, Callable[[], None]]] = []
        for fault in self._faults.of("board_unplugged"):
            alarms.append((self._faults.begins_ns(fault), self.unplug))
            ends_ns = self._faults.ends_ns(fault)
            if ends_ns is not None:
                alarms.append((ends_ns, self.plug))
        alarms += [
            (self._faults.begins_ns(fault), self.restart)
            for fault in self._faults.of("board_reset")
            if not fault.nth
        ]
        call_at = getattr(self._clock, "call_at", None)
        self._alarms = sorted(alarms, key=lambda alarm: alarm[0])
        if call_at is None:
            return bool(alarms)
        for at_ns, function in self._alarms:
            call_at(at_ns, lambda function=function: self._ends or function())
        self._alarms = []
        return False

    # -------------------------------------------------------------- in the own thread

    def _work(self) -> None:
        """Serve the wire until the end."""
        while not self._ends:
            self._wait()
            while self._orders:
                function, done = self._orders.popleft()
                function()
                done.set()
            while self._alarms and self._alarms[0][0] <= self._clock.monotonic_ns():
                self._alarms.pop(0)[1]()
            if not self._awaits_host:
                with self._mutex:
                    self._say(self._firmware.advance(self._clock.monotonic_ns()))
            self._read()
            self._obey()
            self._send()

    def _wait(self) -> None:
        """Wait for bytes, an order, or the time to look again."""
        poller = select.poll()
        poller.register(self._reader, select.POLLIN)
        pause_s: Optional[float] = None
        if self._master is not None and self._is_open:
            poller.register(self._master, select.POLLIN)
        elif self._master is not None:  # a poll of a line that nobody has open returns
            pause_s = LISTENING_S
        if self._firmware.is_moving:
            pause_s = MOVING_S
        elif self._polls_faults:
            pause_s = LISTENING_S
        if time.monotonic() < self._boots_until_s:
            pause_s = LISTENING_S
        if self._outbox:
            left_s = max(0.0, self._outbox[0][0] - time.monotonic())
            pause_s = left_s if pause_s is None else min(left_s, pause_s)
        found = poller.poll(None if pause_s is None else pause_s * 1000)
        if any(where == self._reader for where, _ in found):
            os.read(self._reader, LARGEST_READ)
        was_open, self._is_open = self._is_open, self._somebody_listens()
        if self._is_open and not was_open:
            self._begin_to_hear()

    def _begin_to_hear(self) -> None:
        """Do what a board does when its port is opened."""
        now_s = time.monotonic()
        if self._boot_s is not None:
            self._restart()
            self._boots_until_s = now_s + self._boot_s
        elif self._awaits_host:
            self._boots_until_s = now_s + HOST_S
        else:
            return
        self._awaits_host = False
        with self._mutex:
            banner = self._firmware.advance(self._clock.monotonic_ns())
        self._post(self._boots_until_s, [line.encode("ascii") for line in banner])

    def _somebody_listens(self) -> bool:
        """Tell whether the other end of the line is open."""
        if self._master is None:
            return False
        poller = select.poll()
        poller.register(self._master, select.POLLIN)
        return not any(event & select.POLLHUP for _, event in poller.poll(0))

    def _read(self) -> None:
        """Take what has arrived."""
        if self._master is None or not self._is_open:
            self._buffer = b""
            return
        with contextlib.suppress(BlockingIOError, OSError):  # closed this moment
            self._buffer += os.read(self._master, LARGEST_READ)

    def _obey(self) -> None:
        """Let the board take each whole line, unless it is deaf or not yet up."""
        if time.monotonic() < self._boots_until_s:
            if self._boot_s is not None:
                self._buffer = self._buffer[-2:]  # the bootloader had the rest
            return
        while b"\n" in self._buffer and not self._firmware.is_deaf:
            line, self._buffer = self._buffer.split(b"\n", 1)
            command = line.decode("ascii", "replace").strip()
            number = len(self.heard)
            self.heard.append(command)
            with self._mutex:
                answer = self._firmware.take(command)
            if not self._has("board_silent", number):
                self._say(answer, number)

    def _say(self, lines: List[str], number: Optional[int] = None) -> None:
        """Put lines into the outbox, spoilt or held back as the faults say."""
        at_s = time.monotonic()
        late = None if number is None else self._faults.find("board_late", number)
        if late is not None:
            at_s += late.amount
        spoilt = number is not None and self._has("board_garbage", number)
        self._post(at_s, [NOISE if spoilt else line.encode("ascii") for line in lines])

    def _post(self, at_s: float, lines: List[bytes]) -> None:
        """Send lines from a time on, one after the other at the speed of the wire."""
        if self._outbox:
            at_s = max(at_s, self._outbox[-1][0])
        for line in lines:
            at_s += (len(line) + len(LINE_END)) * BYTE_S
            self._outbox.append((at_s, line + LINE_END))

    def _has(self, kind: FaultKind, number: int) -> bool:
        """Tell whether a fault meets this command."""
        return self._faults.find(kind, number) is not None

    def _send(self) -> None:
        """Send what is due; nobody at the other end means nobody hears it."""
        while self._outbox and self._outbox[0][0] <= time.monotonic():
            _, data = self._outbox.popleft()
            if self._master is not None and self._is_open:
                with contextlib.suppress(BlockingIOError, OSError):
                    os.write(self._master, data)

    def _follow(self, now_ns: int) -> None:
        """Bring the motors up to date for whoever looks at the sample."""
        if self._awaits_host:
            return
        with self._mutex:
            lines = self._firmware.advance(now_ns)
        if lines:
            self._orders.append((lambda: self._say(lines), threading.Event()))
            os.write(self._writer, b"!")

    def _plug(self) -> None:
        """Make a terminal and give it the name."""
        if self._master is not None:
            return
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        fresh = self._link.with_suffix(".new")
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self._link)
        os.close(slave)
        self._master, self._is_open = master, False
        self._awaits_host = True
        with self._mutex:
            self._firmware.restart()

    def _unplug(self) -> None:
        """Take the terminal and the name away."""
        if self._master is None:
            return
        master, self._master = self._master, None
        with contextlib.suppress(FileNotFoundError):
            self._link.unlink()
        os.close(master)
        self._outbox.clear()
        self._buffer = b""
        with self._mutex:
            self._firmware.power_off()

    def _restart(self) -> None:
        """Start the board anew, unless it has no power."""
        if self._master is not None:
            self._outbox.clear()
            with self._mutex:
                self._firmware.restart()
