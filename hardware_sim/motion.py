"""Paths as pure functions of time: Brownian motion, and runs with turns."""

from typing import List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from hardware_sim.hashing import normal, uniform

__all__ = ["Runner", "brownian"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCK_S = float(2**22)
LEVELS = 32

CHUNK_S = 600.0


def brownian(seed: int, paths: Ints, t_s: float, levels: int = LEVELS) -> Floats:
    """Return standard Brownian motion at a time, one value for each path.

    The variance is `t_s`. A path is laid out in blocks of 48 days; a block is refined
    by halving with the midpoint rule of Lévy's construction. The normal numbers are
    hashed from level and place, so any time can be asked for in any order.

    Parameters
    ----------
    seed : int
        Of the stream.
    paths : array of int
        Which paths; equal numbers are equal paths.
    t_s : float
        Not negative.
    levels : int
        How often a block is halved: 32 times is down to a millisecond. Below that the
        path is straight.
    """
    if not t_s >= 0.0:
        raise ValueError(f"t_s = {t_s} is before the time 0")
    block = int(t_s // BLOCK_S)
    level = np.arange(levels)
    place = np.floor(t_s / BLOCK_S * 2.0**level).astype(np.int64)
    chance = normal(seed, paths[:, np.newaxis], level, place)
    ways = np.sqrt(BLOCK_S) * normal(
        seed, paths[:, np.newaxis], -1, np.arange(block + 1)
    )
    left = ways[:, :block].sum(axis=1)
    right = left + ways[:, block]
    low, high = block * BLOCK_S, (block + 1) * BLOCK_S
    for number in range(levels):
        middle = 0.5 * (low + high)
        spread = 0.5 * np.sqrt(high - low)
        centre = 0.5 * (left + right) + spread * chance[:, number]
        if t_s >= middle:
            low, left = middle, centre
        else:
            high, right = middle, centre
    share = (t_s - low) / (high - low)
    return np.asarray(left + share * (right - left))


class Runner:
    """Swimmers and gliders: straight or circular runs, each ended by a turn.

    Time is cut into chunks of ten minutes; a chunk begins with a fresh heading and its
    displacement depends on nothing before it, so a later time costs one small sum for
    each chunk before it, once.

    Parameters
    ----------
    seed : int
        Of the stream.
    speeds_um_s : array
        One constant speed for each body.
    run_s : float
        Mean duration of a run; durations are exponential.
    turn_sd : float
        Standard deviation of the turn between runs, in radians.
    bends_per_um : array or None
        Curvature of each body's path, 1/radius; None for straight runs.
    reversing : bool
        Whether each run goes the other way along the body's axis than the last.
    """

    def __init__(  # noqa: PLR0913 (figures of a path)
        self,
        seed: int,
        speeds_um_s: Floats,
        run_s: float,
        turn_sd: float,
        bends_per_um: Optional[Floats] = None,
        *,
        reversing: bool = False,
    ) -> None:
        count = len(speeds_um_s)
        self._seed = seed
        self._speeds = speeds_um_s
        self._bends = np.zeros(count) if bends_per_um is None else bends_per_um
        self._run_s = run_s
        self._turn_sd = turn_sd
        self._reversing = reversing
        self._bodies = np.arange(count, dtype=np.int64)[:, np.newaxis]
        # Exponential runs filling a chunk are fewer than this but once in 10^9.
        mean = CHUNK_S / run_s
        self._runs = np.arange(int(mean + 7.0 * np.sqrt(mean) + 12), dtype=np.int64)
        self._ends: List[Tuple[Floats, Floats]] = [(np.zeros(count), np.zeros(count))]
        self._chunk: Tuple[int, Optional["_Chunk"]] = (-1, None)

    def at(self, t_s: float) -> Tuple[Floats, Floats, Floats]:
        """Return each body's way since the start and its heading.

        Returns
        -------
        x_um, y_um, heading_rad : array of float, shape (bodies,)
        """
        number = int(t_s // CHUNK_S)
        while len(self._ends) <= number:
            x, y, _ = self._make(len(self._ends) - 1).at(CHUNK_S)
            x_sum, y_sum = self._ends[-1]
            self._ends.append((x_sum + x, y_sum + y))
        held, chunk = self._chunk
        if held != number or chunk is None:
            chunk = self._make(number)
            self._chunk = (number, chunk)
        x, y, heading = chunk.at(t_s - number * CHUNK_S)
        x_sum, y_sum = self._ends[number]
        return x_sum + x, y_sum + y, heading

    def _make(self, number: int) -> "_Chunk":
        """Draw the runs of a chunk."""
        where = (self._bodies, number, self._runs[np.newaxis, :])
        durations = -self._run_s * np.log(uniform(self._seed + 1, *where))
        turns = self._turn_sd * normal(self._seed + 2, *where)
        turns[:, 0] = 2.0 * np.pi * uniform(self._seed + 3, self._bodies[:, 0], number)
        signs = np.ones(len(self._runs))
        if self._reversing:
            signs[1::2] = -1.0
        speeds = self._speeds[:, np.newaxis] * signs[np.newaxis, :]
        return _Chunk(durations, turns, speeds, self._bends)


class _Chunk:
    """The runs of ten minutes, summed up so that a time is found by counting."""

    def __init__(
        self, durations: Floats, turns: Floats, speeds: Floats, bends: Floats
    ) -> None:
        ends = np.cumsum(durations, axis=1)
        self._starts = np.concatenate([np.zeros((len(ends), 1)), ends[:, :-1]], axis=1)
        self._speeds = speeds
        self._rates = speeds * bends[:, np.newaxis]
        heading_gain = self._rates * durations
        gained = np.cumsum(turns + heading_gain, axis=1)
        self._headings = gained - heading_gain
        x, y = _arc(self._headings, speeds, self._rates, durations)
        zero = np.zeros((len(ends), 1))
        self._x = np.concatenate([zero, np.cumsum(x, axis=1)[:, :-1]], axis=1)
        self._y = np.concatenate([zero, np.cumsum(y, axis=1)[:, :-1]], axis=1)
        self._rows = np.arange(len(ends))

    def at(self, t_s: float) -> Tuple[Floats, Floats, Floats]:
        """Return way and heading since the chunk's start."""
        run = np.sum(self._starts <= t_s, axis=1) - 1
        pick = (self._rows, run)
        passed = t_s - self._starts[pick]
        heading, rate = self._headings[pick], self._rates[pick]
        x, y = _arc(heading, self._speeds[pick], rate, passed)
        return self._x[pick] + x, self._y[pick] + y, heading + rate * passed


def _arc(
    heading: Floats, speed: Floats, rate: Floats, passed_s: Floats
) -> Tuple[Floats, Floats]:
    """Return the way along an arc whose heading changes by `rate` each second."""
    half = 0.5 * rate * passed_s
    chord = speed * passed_s * np.sinc(half / np.pi)
    return chord * np.cos(heading + half), chord * np.sin(heading + half)
