"""A simulated microscope for the tests of other projects, as fixtures of pytest.

pytest loads this in every test run of an environment, so it imports no server and
nothing else of ours before a fixture is asked for.
"""

from typing import Any, Callable, Iterator, List

import pytest

__all__ = ["make_simulated_microscope", "simulated_microscope"]

SCENE = "beads"
SPEED = 100.0


@pytest.fixture
def make_simulated_microscope(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Any]]:
    """Return a function that starts servers v3; they end with the test.

    It takes the arguments of `hardware_sim.v3_server.create` by name, of which the
    folder may be left out too, and returns a `RunningServer`. Skips the test where
    labthings-fastapi is not installed.
    """
    pytest.importorskip("labthings_fastapi", reason="needs the extra server-v3")
    from hardware_sim.v3_server import create  # noqa: PLC0415 (an extra brings its library)

    running: List[Any] = []

    def make(**options: Any) -> Any:
        chosen = {"scene": SCENE, "speed": SPEED, **options}
        folder = chosen.pop("folder", None) or tmp_path_factory.mktemp("microscope")
        running.append(create(folder, **chosen).run())
        return running[-1]

    yield make
    for server in running:
        server.close()


@pytest.fixture
def simulated_microscope(make_simulated_microscope: Callable[..., Any]) -> Any:
    """Return a running server v3 over beads, a hundred times faster than time.

    ``url`` is its address, ``thing("stage")`` a client of a Thing, ``sim`` the
    instrument, which knows the truth.
    """
    return make_simulated_microscope()
