"""A simulated board of each firmware, with our stage on it."""

import contextlib
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence

from hardware_sim import Fault, SimMicroscope, VirtualClock, build
from hardware_sim.sangaboard_pty import SangaboardPty
from openflexure_timelapse.hosts.direct.board import Board
from openflexure_timelapse.hosts.direct.kept_place import KeptPlace
from openflexure_timelapse.hosts.direct.stage import DirectStage
from openflexure_timelapse.hosts.direct.stage_settings import StageSettings
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["DIALECTS", "Rig", "kinds", "rig"]

START_NS = 1_800_000_000_000_000_000
DIALECTS = ("v0.5", "v1.0")
REPLY_S = 1.0
TRAVEL = {"lowest": (-9000, -9000, -9000), "highest": (9000, 9000, 9000)}


class Rig:
    """The parts, by name.

    Attributes
    ----------
    clock, sim, wire
        Jumping clock, simulated instrument, and the board at its cable.
    board, stage
        Ours, over it.
    """

    def __init__(
        self,
        folder: Path,
        dialect: str = "v1.0",
        faults: Sequence[Fault] = (),
        *,
        reply_s: float = REPLY_S,
        boot_s: Optional[float] = None,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.clock = VirtualClock(START_NS)
        self.sim: SimMicroscope = build(1, "empty", self.clock, faults)
        self.wire = SangaboardPty(self.sim, self.clock, folder, dialect, boot_s=boot_s)
        self.port: Optional[str] = self.wire.port
        self.settings = StageSettings(**{**TRAVEL, **settings})
        self.reply_s = reply_s
        self.begin()

    def begin(self) -> None:
        """Start our side, as a program that begins does."""
        self.board = Board(self.port, self.reply_s)
        kept = KeptPlace(self.folder / "place.json", RealDisk())
        self.stage = DirectStage(self.board, self.clock, self.settings, kept)

    def true_steps(self) -> List[int]:
        """Return the steps that the motors really made, in the board's sense."""
        place = self.sim.stage.position()
        return [place.x, place.y, place.z]

    def close(self) -> None:
        """Let go of everything."""
        self.board.close()
        self.wire.close()


@contextlib.contextmanager
def rig(
    folder: Path, dialect: str = "v1.0", *args: Any, **kwargs: Any
) -> Iterator[Rig]:
    """Return a rig for a ``with`` block."""
    made = Rig(folder, dialect, *args, **kwargs)
    try:
        yield made
    finally:
        made.close()


def kinds(made: Rig) -> List[str]:
    """Return the kinds of the incidents so far."""
    return [str(incident["kind"]) for incident in made.stage.incidents()]
