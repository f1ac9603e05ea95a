"""Stills: requests whose exposure began after the question, copied and given back.

A request that nobody waits for any more must still be given back when it comes, or the
camera has one less for ever. So each one passes through here, late or not.
"""

import io
import queue
import threading
import time
from functools import partial
from typing import Any, Callable, Dict, Mapping, Tuple

from openflexure_timelapse.hosts.direct.camera_pictures import copy_of, encode
from openflexure_timelapse.hosts.direct.eye_stream import plain_metadata

__all__ = ["Stills", "dng_of"]

STREAMS = {"full": "main", "half": "main", "stream": "lores"}


def dng_of(request: Any) -> Callable[[], bytes]:
    """Copy a request's raw data; the request can be given back then.

    Parameters
    ----------
    request : picamera2.CompletedRequest
        Held.

    Returns
    -------
    callable
        Makes a DNG of them, which takes much longer than the copy.
    """
    pixels = request.make_buffer("raw")
    metadata, config = request.get_metadata(), request.config["raw"]

    def write() -> bytes:
        file = io.BytesIO()
        request.picam2.helpers.save_dng(pixels, metadata, config, file)
        return file.getvalue()

    return write


class _Order:
    """A still that was asked for, until it is there or given up."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.asked = asked
        self.begun_s = time.monotonic()
        self._lock = threading.Lock()
        self._over = False

    def close(self) -> bool:
        """End the order; tell whether it was open until now."""
        with self._lock:
            was_open, self._over = not self._over, True
            return was_open


class Stills:
    """Takes stills of a running camera.

    Parameters
    ----------
    camera : picamera2.Picamera2
        Started later.
    outbox : camera_child.Outbox
        Takes the answers.
    quality : int
        Of the JPEGs.
    """

    def __init__(self, camera: Any, outbox: Any, quality: int) -> None:
        self._camera = camera
        self._outbox = outbox
        self._quality = quality
        self._held = 0
        self._counting = threading.Lock()
        self._come: "queue.SimpleQueue[Tuple[_Order, Any]]" = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="stills", daemon=True).start()

    def take(self, asked: Mapping[str, Any]) -> None:
        """Ask for a still.

        Parameters
        ----------
        asked : mapping
            ``id``; ``do``: ``still`` with a ``mode``, or ``raw``; ``give_up_s``.
        """
        order = _Order(asked)
        timer = threading.Timer(asked["give_up_s"], self._give_up, [order])
        timer.daemon = True

        def came(job: Any) -> None:
            timer.cancel()
            self._came(order, job)

        timer.start()
        flush_ns = time.monotonic_ns()
        self._camera.capture_request(wait=False, signal_function=came, flush=flush_ns)

    # --------------------------------------------------------- in the library's thread

    def _came(self, order: _Order, job: Any) -> None:
        """Take what a job brought, whether or not somebody still waits for it."""
        try:
            request = job.get_result(timeout=0)
        except Exception as exc:  # noqa: BLE001 - see below
            # The library looks for the exposure of each frame; one that lacks it, or a
            # job that was cancelled, ends here.
            if order.close():
                error = f"the camera's frame cannot be used: {exc!r}"
                self._refuse(order, "error", error)
            return
        if not order.close():
            request.release()
            return
        with self._counting:
            self._held += 1
        self._come.put((order, request))

    def _give_up(self, order: _Order) -> None:
        """Tell that there is no still; the request is given back when it comes."""
        if order.close():
            waited_s = time.monotonic() - order.begun_s
            self._refuse(order, "timeout", f"no frame came within {waited_s:.1f} s")

    def _refuse(self, order: _Order, kind: str, error: str) -> None:
        """Answer that there is none."""
        self._outbox.tell("refused", id=order.asked["id"], kind=kind, error=error)

    # --------------------------------------------------------------- in the own thread

    def _serve(self) -> None:
        """Copy, give back, encode and send, one still after the other."""
        while True:
            order, request = self._come.get()
            spent = {"wait_ms": 1000.0 * (time.monotonic() - order.begun_s)}
            clock = _Stopwatch()
            try:
                metadata, data = self._develop(order, request, spent, clock)
            except Exception as exc:  # noqa: BLE001 - a library's; told to who waits
                self._refuse(order, "error", f"the still failed: {exc!r}")
                continue
            with self._counting:
                held = self._held
            self._outbox.tell(
                "done",
                [data],
                id=order.asked["id"],
                metadata=metadata,
                spent={name: round(value, 3) for name, value in spent.items()},
                held=held,
            )

    def _develop(
        self, order: _Order, request: Any, spent: Dict[str, float], clock: "_Stopwatch"
    ) -> Tuple[Dict[str, Any], bytes]:
        """Return a request's metadata and its picture."""
        mode = order.asked.get("mode", "full")
        finish: Callable[[], bytes]
        try:
            metadata = plain_metadata(request.get_metadata())
            if order.asked["do"] == "raw":
                finish = dng_of(request)
            else:
                copied = copy_of(request, STREAMS[mode])
                finish = partial(encode, copied, self._quality, halved=mode == "half")
        finally:
            request.release()
            with self._counting:
                self._held -= 1
        clock.lap("copy", spent)
        data = finish()
        clock.lap("encode", spent)
        return metadata, data


class _Stopwatch:
    """Time and processor time of this thread, step by step."""

    def __init__(self) -> None:
        self._wall_s, self._own_s = time.monotonic(), time.thread_time()

    def lap(self, step: str, spent: Dict[str, float]) -> None:
        """Note what passed since the last lap, in milliseconds."""
        wall_s, own_s = time.monotonic(), time.thread_time()
        spent[f"{step}_ms"] = 1000.0 * (wall_s - self._wall_s)
        spent[f"{step}_cpu_ms"] = 1000.0 * (own_s - self._own_s)
        self._wall_s, self._own_s = wall_s, own_s
