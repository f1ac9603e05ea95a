"""A microscope without a server, opened for one command."""

import contextlib
import importlib
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional

from openflexure_timelapse.errors import TimelapseError
from openflexure_timelapse.hosts.direct.claims import refuse_if_taken
from openflexure_timelapse.hosts.direct.config import (
    DirectSettings,
    config_path,
    read_config,
)
from openflexure_timelapse.hosts.direct.microscope import DirectMicroscope
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.ports import Clock

__all__ = ["Opened", "module_of", "opened", "refuse_beside_others"]

ROOM = "openflexure_timelapse.hosts.direct"
NEEDS = {
    "opening": ("A microscope without a server", "sangaboard and picamera2", "direct"),
    "server": ("serve", "labthings-fastapi and Python 3.11 or later", "server-v3"),
}
"""By module: what it is for, what it needs, and the extra that brings that."""


class Opened(NamedTuple):
    """What a command has for its time."""

    microscope: DirectMicroscope
    clock: Clock
    settings: DirectSettings


@contextlib.contextmanager
def opened(data_folder: Path, config: Optional[Path]) -> Iterator[Opened]:
    """Open camera and board, and close them at the end of a ``with`` block.

    Parameters
    ----------
    data_folder : Path
        Where the runs are kept; settings and the stage's kept place are beside it.
    config : Path or None
        The configuration file that was chosen.

    Raises
    ------
    TimelapseError
        When the settings are wrong, or camera or board are not to be had.
    """
    settings, clock = read_config(data_folder, config), RealClock()
    beside = config_path(data_folder) if config is None else config
    microscope = module_of("opening").open_direct(
        settings, clock, beside.absolute().parent
    )
    try:
        yield Opened(microscope, clock, settings)
    finally:
        microscope.close()


def refuse_beside_others(data_folder: Path, config: Optional[Path]) -> None:
    """Refuse to open anything while another program has it.

    Parameters
    ----------
    data_folder, config
        As for `opened`; they name the port.

    Raises
    ------
    HardwareBusyError
        Names the program, such as an OpenFlexure server, and what to type.
    """
    refuse_if_taken(read_config(data_folder, config).port)


def module_of(name: str) -> Any:
    """Return a module of the direct microscope that an extra makes whole.

    Parameters
    ----------
    name : str
        A key of `NEEDS`.

    Raises
    ------
    TimelapseError
        When what it needs is not installed.
    """
    try:
        return importlib.import_module(f"{ROOM}.{name}")
    except (ImportError, SyntaxError) as exc:
        what, needed, extra = NEEDS[name]
        told = f"{what} needs {needed} ({exc}); "
        told += f"type: pip install 'openflexure-timelapse[{extra}]'"
        raise TimelapseError(told) from exc
