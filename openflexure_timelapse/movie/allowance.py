"""How a movie meets a size budget: by search, first on a sample, then on the whole.

The ways to make it are put in one row, from the finest to the smallest. A search by
halves finds the finest that fits as the sample tells; the whole movie is then made and
measured, and corrects what the sample told. Nothing larger than the budget is kept.
"""

from dataclasses import dataclass, replace
from typing import Callable, Dict, List, Optional, Sequence

from openflexure_timelapse.errors import RenderError

__all__ = ["BYTES_PER_MB", "Allowance", "Setting", "TooLargeError", "settings_of"]

BYTES_PER_MB = 1_000_000

QUALITIES: Dict[str, Sequence[float]] = {
    "h264": range(23, 35),
    "hevc": range(26, 37),
    "vp9": range(33, 50, 2),
    "av1": range(35, 55, 2),
    "webp": range(80, 35, -5),
    "gif": (1.0, 1.2, 1.5, 2.2),
}
"""From the usual to what is still worth looking at: crf, for WebP its quality, for GIF
how many times the noise counts as noise."""
SCALES = (0.92, 0.85, 0.78, 0.72, 0.66, 0.6, 0.55, 0.5, 0.46, 0.42, 0.38, 0.35)
SMALLEST_WIDTH_PX = 120
STEPS = {"gif": (2, 3, 4)}
LEAST_FPS = 2.0

AIM = 0.94
WASTEFUL = 0.75
MOST_WHOLES = 4
LEAST_CORRECTION = 1.08


@dataclass(frozen=True)
class Setting:
    """One way to make the movie.

    Attributes
    ----------
    quality : float
        As in `QUALITIES`; 0 where there is none.
    scale : float
        Of the width asked for.
    step : int
        Every how many frames of the movie one is shown.
    """

    quality: float
    scale: float
    step: int = 1


class TooLargeError(RenderError):
    """The movie had outgrown its budget before it was whole.

    Attributes
    ----------
    whole_bytes : float
        What it would have had, nearly.
    """

    def __init__(self, whole_bytes: float) -> None:
        super().__init__(f"The movie would have {whole_bytes:.0f} bytes.")
        self.whole_bytes = whole_bytes


def settings_of(coded: str, wished: float, width_px: int, fps: float) -> List[Setting]:
    """Return what may be tried, the recipe's own wish first.

    Parameters
    ----------
    coded : str
        The codec, or the format where there is none.
    wished : float
        The quality asked for.
    width_px : int
        The width asked for.
    fps : float
        Of the movie.
    """
    usual = QUALITIES.get(coded, ())
    rising = len(usual) < 2 or usual[1] > usual[0]  # noqa: PLR2004 (a direction)
    worse = [value for value in usual if value != wished and (value > wished) == rising]
    found = [Setting(quality, 1.0) for quality in (wished, *worse)]
    last = found[-1]
    found += [
        replace(last, scale=scale)
        for scale in SCALES
        if scale * width_px >= SMALLEST_WIDTH_PX
    ]
    last = found[-1]
    found += [
        replace(last, step=step)
        for step in STEPS.get(coded, ())
        if fps / step >= LEAST_FPS
    ]
    return found


class Allowance:
    """Finds the finest setting whose movie fits.

    Parameters
    ----------
    settings : sequence of Setting
        From the finest to the smallest.
    budget_bytes : float
        What the file may have.
    expect : callable
        Returns how many bytes a movie of a setting would have, by a sample.
    make : callable
        Makes the whole movie and returns its bytes; may raise `TooLargeError`.
    """

    def __init__(
        self,
        settings: Sequence[Setting],
        budget_bytes: float,
        expect: Callable[[Setting], float],
        make: Callable[[Setting], float],
    ) -> None:
        self._settings = settings
        self._budget = budget_bytes
        self._expect = expect
        self._make = make
        self._expected: Dict[int, float] = {}
        self._correction = 1.0
        self._smallest = 0.0

    def meet(self, keep: Callable[[], None]) -> Optional[Setting]:
        """Make the movie; return its setting, None when none fits.

        Parameters
        ----------
        keep : callable
            Called after each movie that fits and is finer than those before, so that
            it survives the next attempt.
        """
        least, kept = 0, None
        most = len(self._settings) - 1
        for _ in range(MOST_WHOLES):
            index = self._finest(least, most)
            size = self._measured(index)
            if size <= self._budget:
                keep()
                kept, most = index, index - 1
                finer = self._finest(least, index)
                if size > WASTEFUL * self._budget or finer >= index:
                    break
            else:
                least = index + 1
            if least > most:
                break
        if kept is None and least < len(self._settings):
            index = len(self._settings) - 1
            if self._measured(index) <= self._budget:
                keep()
                kept = index
        return None if kept is None else self._settings[kept]

    @property
    def smallest_bytes(self) -> float:
        """The size of the smallest movie that was tried."""
        return self._smallest

    def _measured(self, index: int) -> float:
        """Make the whole movie by a setting and learn from its size."""
        try:
            size = self._make(self._settings[index])
        except TooLargeError as exc:
            size = max(exc.whole_bytes, self._budget + 1)
        expected = self._sampled(index)
        self._correction = size / expected if expected else 1.0
        if size > self._budget:
            least = LEAST_CORRECTION * AIM * self._budget / max(expected, 1.0)
            self._correction = max(self._correction, least)
        self._smallest = min(self._smallest or size, size)
        return size

    def _finest(self, least: int, most: int) -> int:
        """Return the first setting in a range that is thought to fit, else the last."""
        if self._seems_to_fit(least):
            return least
        low, high = min(least + 1, most), most
        while low < high:
            middle = (low + high) // 2
            if self._seems_to_fit(middle):
                high = middle
            else:
                low = middle + 1
        return low

    def _seems_to_fit(self, index: int) -> bool:
        """Tell whether a movie by a setting is thought to fit."""
        return self._sampled(index) * self._correction <= AIM * self._budget

    def _sampled(self, index: int) -> float:
        """Return what a movie by a setting is thought to have, before correction."""
        if index not in self._expected:
            self._expected[index] = self._expect(self._settings[index])
        return self._expected[index]
