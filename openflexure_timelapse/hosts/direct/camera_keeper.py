"""Keeps a camera process alive: starts it, watches its frames, starts it again."""

import threading
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from openflexure_timelapse.errors import HardwareError, HardwareTimeoutError
from openflexure_timelapse.hosts.direct.camera_process import CameraProcess
from openflexure_timelapse.hosts.direct.frames import Frames, StreamFrame, TimeBridge
from openflexure_timelapse.hosts.direct.wire import Message
from openflexure_timelapse.ports import Clock, JsonDict

__all__ = ["CameraKeeper", "Patience"]

NS_PER_S = 1_000_000_000
NS_PER_US = 1000
LOOKS_PER_STALL = 4
LONGEST_PAUSE_S = 60.0
JOIN_S = 15.0
LAST_WORDS_BYTES = 300
MOST_INCIDENTS = 200
"""While nobody asks for them, as between two runs."""


class Patience(NamedTuple):
    """How long is too long, in seconds of the machine.

    Attributes
    ----------
    start_s : float
        Until the first frame.
    stall_s : float
        From one frame to the next.
    """

    start_s: float
    stall_s: float


class CameraKeeper:
    """One camera process after the other.

    The thread that starts a process must live as long as it: the kernel kills the
    process when that thread ends. So all this is done in one thread of this object.

    Parameters
    ----------
    machine : Clock
        The machine's own.
    bridge : TimeBridge
        To the engine's clock.
    settings : callable
        Returns what a process is opened with, as it is wanted now.
    environ : mapping or None
        Of the processes.
    patience : Patience
        When a process is given up.
    on_frame : callable
        Called with each frame, in a thread of a process.

    Attributes
    ----------
    frames : Frames
        Of the live view.
    facts : dict or None
        What the camera is; None until one has opened.
    restarts : int
        How often it was started again.
    told : dict
        The last of what a frame told beside its metadata.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (the parts that it needs)
        self,
        machine: Clock,
        bridge: TimeBridge,
        settings: Callable[[], Mapping[str, Any]],
        environ: Optional[Mapping[str, str]],
        patience: Patience,
        on_frame: Callable[[StreamFrame], None],
    ) -> None:
        self._machine = machine
        self._bridge = bridge
        self._settings = settings
        self._environ = environ
        self._patience = patience
        self._on_frame = on_frame
        self.frames = Frames(machine)
        self.facts: Optional[Dict[str, Any]] = None
        self.restarts = 0
        self.told: Dict[str, Any] = {}
        self._lock = threading.Lock()
        self._incidents: List[JsonDict] = []
        self._process: Optional[CameraProcess] = None
        self._failure = ""
        self._hopeless = False
        self._wanted = False
        self._ending = False
        self._wake = machine.signal()
        self._thread: Optional[threading.Thread] = None

    # ------------------------------------------------------------------------ the life

    def start(self) -> None:
        """Begin to keep a camera; returns at once."""
        if self._thread is None:
            self._ending = False
            self._thread = threading.Thread(
                target=self._keep, name="timelapse-camera", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """End the camera, and wait for that."""
        self._ending = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
            self._thread = None

    def restart(self) -> None:
        """Give up the process that there is; another one is started at once.

        One that has given no frame yet is only starting, and is left to it: who gave it
        up whenever somebody wants a picture would never have a camera again.
        """
        self._wanted = self.frames.newest() is not None
        self._wake.set()

    @property
    def pid(self) -> Optional[int]:
        """The process's number; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def age_s(self) -> Optional[float]:
        """Return the age of the newest frame; None while there is none."""
        frame = self.frames.newest()
        if frame is None:
            return None
        return (self._machine.monotonic_ns() - frame.arrived_ns) / NS_PER_S

    def note(self, kind: str, detail: str) -> None:
        """Remember an incident."""
        with self._lock:
            if len(self._incidents) < MOST_INCIDENTS:
                self._incidents.append({"kind": kind, "detail": detail})

    def incidents(self) -> List[JsonDict]:
        """Return what happened since the last time."""
        with self._lock:
            told, self._incidents = self._incidents, []
            return told

    # ------------------------------------------------------------------------ asking

    def ready(self, until_ns: int, *, patient: bool = True) -> CameraProcess:
        """Return the process once it gives frames.

        Parameters
        ----------
        until_ns : int
            The machine's time until which to wait.
        patient : bool
            Whether to wait for another one where one could not be started.

        Raises
        ------
        HardwareError
            When it cannot be started at all.
        HardwareTimeoutError
            When it is not ready at the machine's time `until_ns`.
        """
        while True:
            frame = self.frames.after(None, min(until_ns, self._soon_ns()))
            process = self._process
            if self._failure and (self._hopeless or not patient):
                raise HardwareError(f"The camera cannot be started: {self._failure}")
            if process is not None and process.facts is not None:
                self.facts = process.facts
                is_meant = not (process.is_over or self._wanted)
                if frame is not None and is_meant:
                    self._failure = ""
                    return process
            if frame is not None:
                self._machine.wait_until(self._soon_ns(), self._machine.signal())
            if self._machine.monotonic_ns() >= until_ns:
                told = self._failure or "it gives no frames"
                message = f"The camera is not ready: {told}; "
                raise HardwareTimeoutError(message + "it is being started again.")

    def ask(self, question: Mapping[str, Any], until_ns: int) -> Message:
        """Ask the process that is or will be there; see `CameraProcess.ask`."""
        return self.ready(until_ns).ask(question, until_ns)

    def _soon_ns(self) -> int:
        """Return the next time to look whether starting was given up."""
        return self._machine.monotonic_ns() + NS_PER_S // 10

    # ---------------------------------------------------------------- in the own thread

    def _keep(self) -> None:
        """Start processes until the end."""
        failures = 0
        while not self._ending:
            if self._one_life():
                failures = 0
            if self._ending or self._hopeless:
                break
            failures += 1
            self.restarts += 1
            pause_s = (
                0.0 if failures == 1 else min(2.0 ** (failures - 2), LONGEST_PAUSE_S)
            )
            self._wake.clear()
            if not (self._ending or self._wanted):
                until_ns = self._machine.monotonic_ns() + int(pause_s * NS_PER_S)
                self._machine.wait_until(until_ns, self._wake)

    def _one_life(self) -> bool:
        """Start a process and watch it to its end; tell whether it gave frames."""
        self.frames.forget()
        self._wanted = False
        self._wake.clear()
        try:
            process = CameraProcess(
                self._machine,
                self._settings(),
                self._environ,
                self._heard,
                self._wake.set,
            )
        except OSError as exc:
            self._failure = f"the camera's process cannot be started: {exc}"
            self.note("camera_restarted", self._failure)
            return False
        self._process = process
        begun_ns = self._machine.monotonic_ns()
        trouble = self._watch(process, begun_ns)
        ended_itself = process.is_over
        gave_frames = self.frames.newest() is not None
        if self._ending and not trouble:
            process.close()
        else:
            process.kill()
        if process.failure:
            self._failure = process.failure
            # What has worked once may work again, as when its library is just upgraded.
            self._hopeless = process.hopeless and self.facts is None
        elif ended_itself and not gave_frames:
            self._failure = trouble
        if trouble:
            self.note("camera_restarted", trouble)
        self.frames.forget()
        return gave_frames

    def _watch(self, process: CameraProcess, begun_ns: int) -> str:
        """Look at the frames' age until it is too high; return what happened."""
        patience = self._patience
        while True:
            if process.is_over:
                return self._end_of(process)
            if self._ending:
                return ""
            if self._wanted:
                return "it was asked for"
            age_s = self.age_s()
            started_s = (self._machine.monotonic_ns() - begun_ns) / NS_PER_S
            if age_s is None and started_s > patience.start_s:
                return f"no frame came within {patience.start_s:g} s after the start"
            if age_s is not None and age_s > patience.stall_s:
                return f"no frame came for {age_s:.1f} s: the camera has stalled"
            self._wake.clear()
            if self._ending or self._wanted or process.is_over:
                continue
            step_ns = int(patience.stall_s * NS_PER_S / LOOKS_PER_STALL)
            until_ns = self._machine.monotonic_ns() + step_ns
            self._machine.wait_until(until_ns, self._wake)

    def _end_of(self, process: CameraProcess) -> str:
        """Return how a process ended by itself."""
        if process.failure:
            return process.failure
        words = process.last_words()[-LAST_WORDS_BYTES:]
        said = f" after {words!r}" if words else ""
        return f"the camera's process ended{said}"

    def _readout_ns(self) -> int:
        """Return the time in which the sensor reads its rows; 0 while not known."""
        process = self._process
        facts = None if process is None else process.facts
        return 0 if facts is None else int(facts["readout_us"]) * NS_PER_US

    def _heard(self, message: Message) -> None:
        """Take a frame; in the process's reading thread."""
        header = message.header
        metadata = header["metadata"]
        arrived_ns = self._machine.monotonic_ns()
        stamp_ns = int(metadata.get("SensorTimestamp", arrived_ns))
        exposed_ns = int(float(metadata.get("ExposureTime", 0)) * NS_PER_US)
        middle_ns = stamp_ns + (self._readout_ns() - exposed_ns) // 2
        frame = StreamFrame(
            bytes(message.body),
            self._bridge.to_clock(stamp_ns - exposed_ns),
            self._bridge.to_clock(middle_ns),
            metadata,
            arrived_ns,
        )
        more = header["more"]
        if more.get("trouble"):
            self.note("camera_frame_lost", more["trouble"])
        self.told = more
        self.frames.put(frame)
        self._on_frame(frame)
