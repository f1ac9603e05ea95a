"""Take one picture of a scene: ``python -m hardware_sim SCENE --out FILE``."""

import argparse
import sys
from pathlib import Path
from typing import Optional, Sequence

from hardware_sim.clock import VirtualClock
from hardware_sim.microscope import build
from hardware_sim.scenes import SCENES
from openflexure_timelapse.ports import StagePosition

NS_PER_S = 1_000_000_000
S_PER_HOUR = 3600.0
SETTLE_S = 2


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Take the picture and say where it is.

    Parameters
    ----------
    arguments : sequence of str, optional
        As on the command line; None for ``sys.argv``.
    """
    parser = argparse.ArgumentParser(prog="python -m hardware_sim", description=__doc__)
    parser.add_argument("scene", help=f"{', '.join(SCENES)}; may be joined with +")
    parser.add_argument("--out", type=Path, default=Path("picture.jpeg"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=0.0, help="age of the world")
    parser.add_argument("--defocus-um", type=float, default=0.0)
    parser.add_argument("--mode", default=None, help="half, full or preview")
    options = parser.parse_args(arguments)
    clock = VirtualClock(0)
    try:
        microscope = build(
            options.seed, options.scene, clock, age_s=options.hours * S_PER_HOUR
        )
    except ValueError as exc:
        parser.error(str(exc))
    # The first move goes below the target; what is left of the play is half of it.
    step_um = microscope.stage.mechanics.step_um[2]
    slack = microscope.stage.mechanics.backlash_steps[2] / 2
    world = microscope.world
    height_um = world.focus_um(world.now_s(), 0.0, 0.0) + options.defocus_um
    z = round(height_um / step_um + slack)
    microscope.stage.move_to(StagePosition(0, 0, z))
    clock.advance(SETTLE_S * NS_PER_S)
    options.out.write_bytes(microscope.camera.capture(options.mode).jpeg)
    print(options.out)  # noqa: T201 (it is the output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
