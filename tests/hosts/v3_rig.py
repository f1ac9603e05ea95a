"""A simulated server v3 for tests, and what asks it as a script does."""

import functools
from typing import Any, Callable, Iterator, Mapping

import httpx2

from hardware_sim.v3_server import RunningServer

API = "/api/v3"
FAST = 2_000.0
"""Simulated seconds in a real one: waits of the server take no time worth telling."""
REAL = 1.0
"""So slow that no move of `FAR` steps ever ends by itself."""
FAR = 1_000_000
WAIT_S = 60.0

Make = Callable[..., RunningServer]


class Asked:
    """Asks a server as a script does, without a client's help."""

    def __init__(self, server: RunningServer) -> None:
        self._client = httpx2.Client(base_url=server.url + API, timeout=WAIT_S)

    def __enter__(self) -> "Asked":  # noqa: PYI034 (nothing derives from it)
        """Do nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str) -> Any:
        """Return an answer."""
        return self._client.get(path)

    def start(self, path: str, **arguments: Any) -> str:
        """Start an action, and return its address once it runs."""
        href = str(self._client.post(path, json=arguments).json()["href"])
        self.until(href, "pending")
        return href

    def cancel(self, href: str) -> None:
        """Ask an action to end."""
        assert self._client.delete(href).status_code == 200

    def until(self, href: str, *gone_by: str) -> Any:
        """Return an action when its status is none of these."""
        told = self.get(href).json()
        while told["status"] in gone_by:
            told = self.get(href).json()
        return told

    def done(self, path: str, **arguments: Any) -> Any:
        """Return an action that has ended."""
        return self.until(self.start(path, **arguments), "pending", "running")


def make_fast(make_simulated_microscope: Make) -> Make:
    """Return what starts servers over beads; they end with the test."""
    return functools.partial(make_simulated_microscope, speed=FAST)


def made(make: Make) -> RunningServer:
    """Start a server with everything."""
    return make()


def asking(server: RunningServer) -> Iterator[Asked]:
    """Return what asks the server."""
    with Asked(server) as asked:
        yield asked


def things(server: RunningServer) -> Mapping[str, Any]:
    """Return the Things, as another Thing in the server has them."""
    return server.simulated.things


def moving(server: RunningServer) -> None:
    """Return when the stage has moved a bit."""
    while not server.sim.stage.position().z:
        pass
