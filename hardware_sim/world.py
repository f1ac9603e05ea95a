"""The simulated world: sample, temperature, drift, focus and lamp at any time.

A pure function of (seed, t): nothing in here remembers what was asked before, so any
moment can be asked for in any order and by any process. Coordinates are micrometres on
the sample. The figures are engineering estimates; never quote them as a microscope's.
"""

from dataclasses import dataclass
from typing import Any, Dict, Tuple

import numpy as np

from hardware_sim.bodies import Bodies
from hardware_sim.hashing import normal, stream, uniform
from hardware_sim.motion import brownian
from hardware_sim.scenes import make_scene
from openflexure_timelapse.ports import Clock

__all__ = ["Drift", "SimWorld"]

NS_PER_S = 1_000_000_000
S_PER_DAY = 86_400.0
S_PER_HOUR = 3600.0
WANDER_LEVELS = 20


@dataclass(frozen=True)
class Drift:
    """How the microscope creeps.

    Attributes
    ----------
    enabled : bool
        False for a microscope that does not creep at all.
    room_swing_k : float
        The room is this much warmer in the afternoon than on average.
    lag_s : float
        The microscope follows the room with this time constant.
    z_um_per_k, xy_um_per_k : float
        Thermal creep for one kelvin of the microscope's own temperature.
    wander_um : float
        Random walk: standard deviation after one hour, each axis.
    warm_up_um, warm_up_s : float
        Creep of z after switching on, and its time constant.
    on_for_s : float
        How long the microscope has been on at the time 0.
    """

    enabled: bool = True
    room_swing_k: float = 2.0
    lag_s: float = 2700.0
    z_um_per_k: float = 2.0
    xy_um_per_k: float = 0.5
    wander_um: float = 0.2
    warm_up_um: float = 5.0
    warm_up_s: float = 1800.0
    on_for_s: float = 7200.0


class SimWorld:
    """Everything that is true of the sample and the room.

    Parameters
    ----------
    seed : int
        Another seed is another sample on another day.
    scene : str
        A name of `hardware_sim.scenes.SCENES`, or several joined with ``+``.
    clock : Clock
        Tells `now_s`; nothing else here asks it.
    drift : Drift
        How the microscope creeps.
    age_s : float
        The world's time at the moment of making this object; a process that goes on
        with an earlier one's world says here how far that was.
    """

    def __init__(
        self,
        seed: int,
        scene: str,
        clock: Clock,
        drift: Drift = Drift(),
        age_s: float = 0.0,
    ) -> None:
        self.seed = seed
        self.scene_name = scene
        self.scene = make_scene(seed, scene)
        self._clock = clock
        self._zero_ns = clock.monotonic_ns() - int(age_s * NS_PER_S)
        self._drift = drift
        self._stream = stream(seed, "world")
        chance = uniform(self._stream, np.arange(8))
        self._room_phase = float(chance[0])
        side = 1.0 if chance[1] < 0.5 else -1.0  # noqa: PLR2004 (half)
        self._focus_um = float(side * (6.0 + 10.0 * chance[2]))
        way, steep = 2 * np.pi * chance[3], 0.006 + 0.005 * chance[4]
        self.tilt = (float(steep * np.cos(way)), float(steep * np.sin(way)))

    def world_s(self, monotonic_ns: int) -> float:
        """Return the world's time at a monotonic time of the clock, in seconds."""
        return (monotonic_ns - self._zero_ns) / NS_PER_S

    def now_s(self) -> float:
        """Return the world's time now, in seconds."""
        return self.world_s(self._clock.monotonic_ns())

    # ----------------------------------------------------------------- pure functions

    def temperature_k(self, t_s: float) -> float:
        """Return how much warmer than on average the microscope is, in kelvin.

        The room swings once a day; the microscope follows through a first-order lag.
        """
        if not self._drift.enabled:
            return 0.0
        omega = 2 * np.pi / S_PER_DAY
        lag = omega * self._drift.lag_s
        phase = omega * t_s + 2 * np.pi * self._room_phase - np.arctan(lag)
        return float(self._drift.room_swing_k * np.sin(phase) / np.hypot(1.0, lag))

    def drift_um(self, t_s: float) -> Tuple[float, float, float]:
        """Return how far the sample has crept against the optics since the time 0."""
        drift = self._drift
        if not drift.enabled:
            return 0.0, 0.0, 0.0
        warmer = self.temperature_k(t_s) - self.temperature_k(0.0)
        per_second = drift.wander_um / np.sqrt(S_PER_HOUR)
        wander = per_second * brownian(self._stream, np.arange(3), t_s, WANDER_LEVELS)
        since_on = t_s + drift.on_for_s
        settled = np.exp(-drift.on_for_s / drift.warm_up_s)
        settling = drift.warm_up_um * (settled - np.exp(-since_on / drift.warm_up_s))
        return (
            float(drift.xy_um_per_k * warmer + wander[0]),
            float(-0.7 * drift.xy_um_per_k * warmer + wander[1]),
            float(drift.z_um_per_k * warmer + wander[2] + settling),
        )

    def slide_um(self, x_um: float, y_um: float) -> float:
        """Return the height of the slide at a place, which is not quite level."""
        return self._focus_um + self.tilt[0] * x_um + self.tilt[1] * y_um

    def focus_um(self, t_s: float, x_um: float, y_um: float) -> float:
        """Return the height of the stage at which the slide is in focus there."""
        return self.slide_um(x_um, y_um) + self.drift_um(t_s)[2]

    def lamp(self, t_s: float) -> float:
        """Return the lamp's output for a constant level: ageing and flicker.

        It fades by 0.5 % in the first hour and by 8 % in the end.
        """
        decay = 1.0 - 0.08 * (1.0 - np.exp(-t_s / (16.0 * S_PER_HOUR)))
        flicker = normal(self._stream, 77, int(t_s * 1000.0))[0]
        return float(decay * (1.0 + 0.003 * flicker))

    def bodies(self, t_s: float, centre_um: Tuple[float, float]) -> Bodies:
        """Return what lies around a place, one period of the scene wide."""
        return self.scene.bodies(t_s, centre_um)

    def truth(self, t_s: float) -> Dict[str, Any]:
        """Return what is true at a time whatever the microscope does; JSON-able."""
        return {
            "t_s": t_s,
            "scene": self.scene_name,
            "seed": self.seed,
            "temperature_k": self.temperature_k(t_s),
            "drift_um": list(self.drift_um(t_s)),
            "focus_um": self.focus_um(t_s, 0.0, 0.0),
            "lamp": self.lamp(t_s),
            "population": self.population(t_s),
        }

    def population(self, t_s: float) -> Dict[str, int]:
        """Count what lies and lives on one period of the sample, by kind."""
        counts: Dict[str, int] = {}
        for kind, number in self.scene.populations(t_s):
            counts[kind] = counts.get(kind, 0) + number
        return counts
