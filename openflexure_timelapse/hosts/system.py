"""The real clock, and the thread on which real hardware is called."""

import ctypes
import os
import queue
import select
import threading
import time
import uuid
import weakref
from pathlib import Path
from typing import Any, Callable, List, Optional, TypeVar

from openflexure_timelapse.errors import HardwareBusyError, HardwareTimeoutError
from openflexure_timelapse.ports import Clock, Signal

__all__ = ["PipeSignal", "RealClock", "ThreadLane"]

Result = TypeVar("Result")

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
POLL_GRAIN_NS = 2 * NS_PER_MS
LONGEST_POLL_MS = 86_400_000
MOST_STUCK = 4
JOIN_S = 2.0

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TIMESYNC_MARK = Path("/run/systemd/timesync/synchronized")
HARDWARE_CLOCK = Path("/sys/class/rtc/rtc0/since_epoch")
TIME_ERROR = 5
TIMEX_BYTES = 512
YEAR_2024_S = 1_704_067_200
HARDWARE_CLOCK_AGREES_S = 5


class PipeSignal:
    """A flag with a pipe behind it, so that ``poll`` can wait for it.

    ``threading.Event`` follows the wall clock in CPython 3.7 (its waits use
    ``sem_timedwait`` on CLOCK_REALTIME): a clock set back by an hour makes a wait an
    hour longer. The timeout of ``poll`` is relative and knows no time of day.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._up = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        weakref.finalize(self, _close_both, self._reader, self._writer)

    def set(self) -> None:
        """Raise the flag."""
        with self._lock:
            if not self._up:
                self._up = True
                os.write(self._writer, b"!")

    def clear(self) -> None:
        """Lower the flag."""
        with self._lock:
            if self._up:
                self._up = False
                os.read(self._reader, 1)

    def is_set(self) -> bool:
        """Tell whether the flag is up."""
        return self._up

    def fileno(self) -> int:
        """Return the descriptor that is readable while the flag is up."""
        return self._reader


def _close_both(reader: int, writer: int) -> None:
    """Close the pipe of a signal that nobody holds any more."""
    os.close(reader)
    os.close(writer)


class RealClock:
    """The machine's clocks."""

    def monotonic_ns(self) -> int:
        """Return CLOCK_MONOTONIC, which no time service steps."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """Return the time of day."""
        return time.time_ns()

    def wall_is_trusted(self) -> bool:
        """Tell whether a time service or a battery clock vouches for the time of day.

        The kernel's word comes first (``adjtimex(2)`` answers TIME_ERROR while
        nothing disciplines the clock), then systemd's mark, then a hardware clock that
        agrees. A Pi 5 has a hardware clock even without its battery; it then starts in
        1970 and does not agree.
        """
        buffer = ctypes.create_string_buffer(TIMEX_BYTES)
        adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
        if adjtimex is not None and adjtimex(buffer) not in (-1, TIME_ERROR):
            return True
        return TIMESYNC_MARK.exists() or _hardware_clock_agrees(self.wall_ns())

    def utc_offset_s(self, wall_ns: int) -> int:
        """Return the offset of this machine's zone, summer time included.

        The C library keeps the zone that it has read first; a person may set another
        one while a run goes on for weeks.
        """
        time.tzset()
        return int(time.localtime(wall_ns // NS_PER_S).tm_gmtoff)

    def boot_id(self) -> str:
        """Return the kernel's id of this boot, or of this process without one."""
        return _boot_id()

    def signal(self) -> PipeSignal:
        """Make a signal."""
        return PipeSignal()

    def wait_until(self, due_ns: Optional[int], signal: Signal) -> bool:
        """Wait; within 0.1 ms of `due_ns` on an idle machine.

        ``poll`` counts in milliseconds, so the last two are slept: too short to matter
        to somebody who raises the signal meanwhile.
        """
        if not isinstance(signal, PipeSignal):
            message = f"a {type(signal).__name__} belongs to another clock"
            raise TypeError(message)
        poller = select.poll()
        poller.register(signal.fileno(), select.POLLIN)
        while not signal.is_set():
            if due_ns is None:
                poller.poll()
                continue
            left_ns = due_ns - time.monotonic_ns()
            if left_ns <= 0:
                return False
            if left_ns <= POLL_GRAIN_NS:
                time.sleep(left_ns / NS_PER_S)  # below the grain of poll, see above
            else:
                left_ms = (left_ns - POLL_GRAIN_NS) // NS_PER_MS + 1
                poller.poll(min(left_ms, LONGEST_POLL_MS))
        return True

    def lane(self, name: str) -> "ThreadLane":
        """Make a lane with a thread of its own."""
        return ThreadLane(self, name)


_PROCESS_ID = uuid.uuid4().hex


def _boot_id() -> str:
    """Read the kernel's boot id; a process id where there is none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return _PROCESS_ID


def _hardware_clock_agrees(wall_ns: int) -> bool:
    """Tell whether a battery clock exists and shows the same time of day."""
    try:
        hardware_s = int(HARDWARE_CLOCK.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    off_s = abs(hardware_s - wall_ns // NS_PER_S)
    return hardware_s > YEAR_2024_S and off_s <= HARDWARE_CLOCK_AGREES_S


class _Worker:
    """One thread that runs one job at a time."""

    def __init__(self, clock: Clock, name: str) -> None:
        self._jobs: "queue.SimpleQueue[Optional[Callable[[], Any]]]" = (
            queue.SimpleQueue()
        )
        self._clock = clock
        self._done = clock.signal()
        self._result: Any = None
        self._error: Optional[BaseException] = None
        self.abandoned = False
        self.thread = threading.Thread(target=self._work, name=name, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        """Take jobs until told to end, or until the lane gave up on this thread."""
        while not self.abandoned:
            job = self._jobs.get()
            if job is None:
                return
            result: Any = None
            error: Optional[BaseException] = None
            try:
                result = job()
            except BaseException as exc:  # noqa: BLE001 - handed to the caller whole
                error = exc
            if self.abandoned:
                # Nobody waits for it. An error refers to this frame by its traceback;
                # kept here, it would keep the signal's pipe open, too.
                result, error = None, None
                return
            self._result, self._error = result, error
            self._done.set()

    def run(self, job: Callable[[], Result], deadline_ns: int) -> Optional[Result]:
        """Run `job`; sets `abandoned` when it did not return in time."""
        self._done.clear()
        self._jobs.put(job)
        if not self._clock.wait_until(deadline_ns, self._done):
            self.abandoned = True
            return None
        result, error = self._result, self._error
        self._result, self._error = None, None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def end(self) -> None:
        """Let the thread end after its present job."""
        self._jobs.put(None)


class ThreadLane:
    """Calls hardware on one thread, and takes a new one when a call hangs.

    One thread, because the locks of OpenFlexure server v2 belong to the thread that
    took them.
    """

    def __init__(self, clock: Clock, name: str) -> None:
        self._clock = clock
        self._name = name
        self._worker: Optional[_Worker] = None
        self._stuck: List[_Worker] = []

    def call(
        self, what: str, function: Callable[[], Result], deadline_ns: int
    ) -> Result:
        """Run `function` on the lane's thread; see `ports.Lane`."""
        self._stuck = [worker for worker in self._stuck if worker.thread.is_alive()]
        if len(self._stuck) >= MOST_STUCK:
            message = f"Could not {what}: {len(self._stuck)} earlier calls still hang; "
            raise HardwareBusyError(message + "restart the microscope's server.")
        if self._worker is None:
            self._worker = _Worker(self._clock, self._name)
        worker = self._worker
        started_ns = self._clock.monotonic_ns()
        result = worker.run(function, deadline_ns)
        if worker.abandoned:
            worker.end()
            self._stuck.append(worker)
            self._worker = None
            waited_s = (self._clock.monotonic_ns() - started_ns) / NS_PER_S
            message = f"Could not {what}: no answer within {waited_s:.1f} s; "
            raise HardwareTimeoutError(message + "check the cable and the power.")
        return result  # type: ignore[return-value]

    def close(self) -> None:
        """Let the thread end; calls that still hang are left behind."""
        if self._worker is not None:
            self._worker.end()
            self._worker.thread.join(JOIN_S)
            self._worker = None
