"""Those who are told: a real HTTP server, and a mouth that remembers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Dict, List, Optional, Type

from typing_extensions import Self

from openflexure_timelapse.hosts.channels import DeliveryError
from openflexure_timelapse.hosts.news import News

SECRET = "s3cret"  # noqa: S105 (what must not be seen anywhere)


class WebReceiver:
    """Keeps what is POSTed to it, for the length of a ``with`` block.

    Attributes
    ----------
    answer : int
        The status of the next answers; 0 to answer nothing until the end.
    got : list of dict
        The bodies of those that were answered with 200.
    tries : int
        How many requests came.
    """

    def __init__(self) -> None:
        self.answer = 200
        self.got: List[Dict[str, Any]] = []
        self.tries = 0
        self.came = threading.Semaphore(0)
        self._end = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            def do_GET(self) -> None:
                raise AssertionError("nobody GETs a webhook")

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.tries += 1
        body = request.rfile.read(int(request.headers["Content-Length"]))
        status = self.answer
        if not status:
            self._end.wait()
            return
        if status == 200:
            self.got.append(json.loads(body.decode("utf-8")))
        request.send_response(status)
        request.send_header("Content-Length", "0")
        if status == 302:
            request.send_header("Location", "/elsewhere")
        request.end_headers()
        self.came.release()

    @property
    def url(self) -> str:
        """Where it listens, with a secret in the path."""
        return f"http://127.0.0.1:{self._server.server_port}/hook/s3cret"

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: Optional[Type[BaseException]],
        _error: Optional[BaseException],
        _trace: Optional[TracebackType],
    ) -> None:
        """Listen no more."""
        self._end.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def news(number: int = 0, kind: str = "failed") -> News:
    """Return some news."""
    return News(
        kind, f"title {number}", f"text {number}", f"time {number}", "lab", "run"
    )


class Mouth:
    """A channel that remembers, and fails while it is told to."""

    label = "mouth"
    key = SECRET

    def __init__(self) -> None:
        self.said: List[News] = []
        self.fails = False

    def send(self, told: News) -> None:
        """Remember, or fail."""
        if self.fails:
            raise DeliveryError("its server answered 500")
        self.said.append(told)
