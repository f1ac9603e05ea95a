"""A server of a simulated microscope's parts that listens, in a thread."""

import socket
import threading
from pathlib import Path
from typing import Any, List

import httpx2
import labthings_fastapi as lt
from script import Visitor
from simulated_parts import simulated

from openflexure_timelapse.hosts.direct.config import DirectSettings
from openflexure_timelapse.hosts.direct.server import PREFIX, Serving, create

__all__ = ["Rig"]


class _Asked(Visitor):
    """Asks the server's own addresses, where a start is a 201."""

    def post(self, path: str, body: Any = None, code: int = 200) -> Any:
        """Return the JSON that an action answers."""
        answer = self.ask("POST", path, {} if body is None else body)
        assert answer.code == code, (path, answer)
        return answer.json


class Rig:
    """A server, what is behind it, and clients of it."""

    def __init__(self, folder: Path, **how: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        world = simulated(folder, **how)
        self.microscope, self.sim, self.board, self.clock = world
        self.runs = folder / "runs"
        self.folder = folder / "server"
        self.server = create(
            self.microscope,
            self.clock,
            self.runs,
            self.folder,
            DirectSettings(),
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._clients: List[Any] = []
        self._failures: List[BaseException] = []
        ready = threading.Event()
        self._serving = Serving(self.server, self._socket, ready.set)
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        if self._failures:
            raise self._failures[0]
        self.visitor = Visitor(f"{self.url}{PREFIX}/timelapse")
        self.visit = _Asked(f"{self.url}{PREFIX}")

    def _serve(self, ready: threading.Event) -> None:
        """Serve; the work of a thread."""
        try:
            self._serving.run()
        except BaseException as exc:  # noqa: BLE001 - raised by who waits
            self._failures.append(exc)
        finally:
            ready.set()

    @property
    def lock(self) -> Any:
        """The server's one lock."""
        return self.server.global_lock

    @property
    def things(self) -> Any:
        """The Things, as another Thing in the server has them."""
        return self.server.things

    def thing(self, name: str) -> Any:
        """Return a client of a Thing, as a script has it."""
        client = httpx2.Client(base_url=self.url, timeout=60)
        self._clients.append(client)
        return lt.ThingClient.from_url(f"{self.url}{PREFIX}/{name}/", client)

    def until(self, href: str) -> Any:
        """Return an action when it has ended."""
        told = httpx2.get(href).json()
        while told["status"] in ("pending", "running"):
            told = httpx2.get(href).json()
        return told

    def close(self) -> None:
        """End it as a signal does."""
        self._serving.end()
        self._thread.join()
        self._socket.close()
        for client in self._clients:
            client.close()
        self.microscope.close()
