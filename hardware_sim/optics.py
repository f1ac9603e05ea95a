"""From bodies to pixels: scale, defocus, overlap, vignette, noise, exposure.

Everything is added up as optical density in three colours, so the order of bodies and
their overlap need no thought, and one table per colour then makes light, exposure and
gamma. Bodies come from a bank of sprites, already turned and blurred. What is blurred
by many pixels is added on a picture of half, a quarter ... of the size.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import List, Tuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hardware_sim.bodies import Bodies, Look
from hardware_sim.hashing import hashed, stream
from hardware_sim.sprites import Sprite, SpriteBank, SpriteKey

__all__ = [
    "LEAK",
    "Lens",
    "Renderer",
    "Shot",
    "defocus_sigma_um",
    "expose",
    "mean_transmission",
]

Pixels = NDArray[np.uint8]
Density = NDArray[np.int16]

FULL_WIDTH_PX = 3280
FULL_UM_PER_PX = 0.105
"""A 40x/0.65 objective of 160 mm tube length behind a tube lens of 50 mm."""

# Density is counted in 1/16 of a level; 255 levels are 1.53 of base-10 density.
OD_PER_LEVEL = 0.006
FRACTIONS = 16
UNIT = FRACTIONS / OD_PER_LEVEL
# Room below clear water for the bright rims of bodies.
FLOOR_LEVELS = 24

SIGMA_FOCUS_UM = 0.178
"""0.21 wavelengths over the numerical aperture, at 0.55 µm and 0.65."""
BLUR_PER_UM = 0.35
"""Half the tangent of the cone: 0.28 in water, 0.43 dry."""
BLUR_STEPS = 4
COARSE_SIGMA_PX = 4.0
COARSEST = 5
ANGLES = 128
TURN_RAD = 2 * np.pi / ANGLES
"""2.8 degrees: one turn of the sprites, so that a ruled line has no kinks."""
PHASES = 4

TILE = 256
NOISE_OD = {832: 0.0036, 1640: 0.0062, 3280: 0.0105}
GAMMA = 2.2
LEAK = 1e-6
"""Light of the room that reaches the sensor with the lamp off."""
METER_EACH = 8
TRANSMISSION = 10.0 ** -((np.arange(256) - FLOOR_LEVELS) * OD_PER_LEVEL)
"""Share of light that passes at each level."""
WHITE = (0.87, 0.98, 0.95)
"""Relative response in blue, green, red behind clear water: a faintly green white."""


def defocus_sigma_um(defocus_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the blur of a point, as a Gaussian's standard deviation on the sample.

    The quadrature sum of diffraction at focus and a cone of light above and below.
    """
    return np.asarray(np.sqrt(SIGMA_FOCUS_UM**2 + (BLUR_PER_UM * defocus_um) ** 2))


@dataclass(frozen=True)
class Lens:
    """What the optics are.

    Attributes
    ----------
    rotation_rad : float
        The camera is turned by this much against the stage.
    vignette : float
        Share of light missing in the corners, after correction.
    """

    rotation_rad: float = TURN_RAD
    vignette: float = 0.07


@dataclass(frozen=True)
class Shot:
    """What is needed to take one picture.

    Attributes
    ----------
    size : (int, int)
        Width and height in pixels.
    centre_um : (float, float)
        The place on the sample in the middle of the picture.
    stage_z_um : float
        Height of the stage.
    focus_um, tilt : float, (float, float)
        The height at which the slide is in focus there, and its slope.
    t_key : int
        The moment, for the noise.
    vignette : float
        Share of light missing in the corners.
    """

    size: Tuple[int, int]
    centre_um: Tuple[float, float]
    stage_z_um: float
    focus_um: float
    tilt: Tuple[float, float]
    t_key: int
    vignette: float


class Renderer:
    """Makes pictures of bodies; holds only what it can make again.

    Parameters
    ----------
    seed : int
        For the noise.
    lens : Lens
        The optics.
    """

    def __init__(self, seed: int, lens: Lens = Lens()) -> None:
        self.lens = lens
        self._seed = stream(seed, "noise")
        self._sprites = SpriteBank(UNIT)
        cos, sin = np.cos(lens.rotation_rad), np.sin(lens.rotation_rad)
        self._turn = np.array([[cos, -sin], [sin, cos]])

    @staticmethod
    def um_per_px(width_px: int) -> float:
        """Return the scale of a picture of the whole field, `width_px` wide."""
        return FULL_UM_PER_PX * FULL_WIDTH_PX / width_px

    def shift_per_um(self, width_px: int) -> NDArray[np.float64]:
        """Return how the scene moves, in pixels, when the stage moves one µm.

        Returns
        -------
        array of float, shape (2, 2)
            Rows dx and dy of the picture, columns x and y of the stage.
        """
        return np.asarray(-self._turn / self.um_per_px(width_px))

    # ------------------------------------------------------------------------ density

    def density(self, bodies: Bodies, looks: Tuple[Look, ...], shot: Shot) -> Pixels:
        """Return the density of a picture with its noise, in levels.

        Returns
        -------
        array of uint8, shape (height, width, 3)
        """
        total = self._summed(bodies, looks, shot)
        cv2.add(total, self._noise(shot), dst=total)
        return np.asarray(cv2.convertScaleAbs(total, alpha=1.0 / FRACTIONS))

    def noise_free(
        self, bodies: Bodies, looks: Tuple[Look, ...], shot: Shot, level: float
    ) -> Pixels:
        """Return the picture that a sensor without noise would take, at an exposure.

        Parameters
        ----------
        bodies, looks, shot
            As in `density`.
        level : float
            As in `expose`.
        """
        levels = self._summed(bodies, looks, shot) / FRACTIONS - FLOOR_LEVELS
        light = level * 10.0 ** (-OD_PER_LEVEL * levels) * np.array(WHITE)
        grey = 255.0 * np.clip(light, 0.0, 1.0) ** (1 / GAMMA)
        return np.asarray(np.rint(grey).astype(np.uint8))

    def _summed(self, bodies: Bodies, looks: Tuple[Look, ...], shot: Shot) -> Density:
        """Return the density of a picture, in fractions of a level."""
        layers: List[Density] = [
            _vignette(shot.size[0], shot.size[1], shot.vignette).copy()
        ]
        for level, x, y, sprite in self._placed(bodies, looks, shot):
            while len(layers) <= level:
                rows, columns = ((n + 1) // 2 for n in layers[-1].shape[:2])
                layers.append(np.zeros((rows, columns, 3), np.int16))
            _add(layers[level], sprite, x, y)
        while len(layers) > 1:
            coarse, fine = layers.pop(), layers[-1]
            bigger = cv2.resize(coarse, fine.shape[1::-1])
            cv2.add(fine, bigger, dst=fine)
        return layers[0]

    def seen(self, bodies: Bodies, shot: Shot) -> NDArray[np.bool_]:
        """Return which bodies have their middle inside the picture."""
        x, y = self._pixels(bodies, shot)
        width, height = shot.size
        return np.asarray((x >= 0) & (x < width) & (y >= 0) & (y < height))

    def _pixels(
        self, bodies: Bodies, shot: Shot
    ) -> Tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where the middles of bodies come to lie in the picture."""
        scale = self.um_per_px(shot.size[0])
        dx, dy = bodies.x_um - shot.centre_um[0], bodies.y_um - shot.centre_um[1]
        turn = self._turn
        x = (turn[0, 0] * dx + turn[0, 1] * dy) / scale + (shot.size[0] - 1) / 2
        y = (turn[1, 0] * dx + turn[1, 1] * dy) / scale + (shot.size[1] - 1) / 2
        return x, y

    def _placed(
        self, bodies: Bodies, looks: Tuple[Look, ...], shot: Shot
    ) -> "List[Tuple[int, int, int, Sprite]]":
        """Choose a sprite for each body that reaches into the picture."""
        scale = self.um_per_px(shot.size[0])
        x, y = self._pixels(bodies, shot)
        blur = _blur_steps(bodies, shot)
        sigma_px = SIGMA_FOCUS_UM * 2.0 ** (blur / BLUR_STEPS) / scale
        levels = np.clip(np.ceil(np.log2(sigma_px / COARSE_SIGMA_PX)), 0, COARSEST)
        reach = bodies.radius_um / scale + 3 * sigma_px + 4.0 / scale
        width, height = shot.size
        shown = (x > -reach) & (x < width + reach) & (y > -reach) & (y < height + reach)
        turns = np.rint(
            (bodies.angle_rad + self.lens.rotation_rad) * (ANGLES / (2 * np.pi))
        )
        placed = []
        rows = zip(
            bodies.looks[shown].tolist(),
            x[shown].tolist(),
            y[shown].tolist(),
            blur[shown].astype(int).tolist(),
            levels[shown].astype(int).tolist(),
            (turns[shown].astype(int) % ANGLES).tolist(),
        )
        for look, px, py, blur_step, level, turn in rows:
            # Pixel i of a halved picture covers pixels 2i and 2i + 1 of the full one.
            fx = round(((px + 0.5) / 2**level - 0.5) * PHASES)
            fy = round(((py + 0.5) / 2**level - 0.5) * PHASES)
            key = SpriteKey(
                looks[look],
                scale * 2**level,
                SIGMA_FOCUS_UM * 2.0 ** (blur_step / BLUR_STEPS),
                turn,
                ANGLES,
                fx % PHASES,
                fy % PHASES,
                PHASES,
            )
            sprite = self._sprites.get(key)
            placed.append((level, fx // PHASES, fy // PHASES, sprite))
        return placed

    def _noise(self, shot: Shot) -> Density:
        """Return sensor noise: a part of a tile that depends on the moment.

        Noise is added as density, that is in proportion to the light; it hides the
        steps of the levels as well.
        """
        width, height = shot.size
        word = int(hashed(self._seed, shot.t_key, width)[0])
        x, y = word % TILE, (word >> 20) % TILE
        tall = max(width * 3 // 4 + 2, height)
        return _noise_tile(width, tall)[y : y + height, x : x + width]


def _blur_steps(bodies: Bodies, shot: Shot) -> NDArray[np.float64]:
    """Return how blurred each body is, in fourths of an octave above focus."""
    tilted = shot.tilt[0] * (bodies.x_um - shot.centre_um[0])
    tilted = tilted + shot.tilt[1] * (bodies.y_um - shot.centre_um[1])
    defocus = shot.stage_z_um - shot.focus_um - tilted - bodies.z_um
    octaves = np.log2(defocus_sigma_um(defocus) / SIGMA_FOCUS_UM)
    return np.asarray(np.rint(BLUR_STEPS * octaves))


def _add(picture: Density, sprite: Sprite, x: int, y: int) -> None:
    """Add a sprite with its middle at a pixel; what hangs over is cut off."""
    rows, columns = sprite.ink.shape[:2]
    left, top = x - sprite.left, y - sprite.top
    x0, y0 = max(left, 0), max(top, 0)
    x1 = min(left + columns, picture.shape[1])
    y1 = min(top + rows, picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    under = picture[y0:y1, x0:x1]
    cv2.add(under, sprite.ink[y0 - top : y1 - top, x0 - left : x1 - left], dst=under)


@lru_cache(maxsize=8)
def _vignette(width: int, height: int, missing: float) -> Density:
    """Return the density of the field without a sample, in 1/16 levels."""
    x = (np.arange(width) - (width - 1) / 2) / (width / 2)
    y = (np.arange(height) - (height - 1) / 2) / (width / 2)
    corner = 1.0 + (height / width) ** 2
    r2 = (x[np.newaxis, :] ** 2 + y[:, np.newaxis] ** 2) / corner
    level = -np.log10(1.0 - missing * r2) * UNIT + FLOOR_LEVELS * FRACTIONS
    return np.repeat(np.rint(level).astype(np.int16)[:, :, np.newaxis], 3, axis=2)


@lru_cache(maxsize=4)
def _noise_tile(width: int, height: int) -> Density:
    """Return a tile of noise, larger than a picture by 256 pixels each way."""
    amount = NOISE_OD.get(width, 0.0036 * np.sqrt(width / 832.0))
    chance = np.random.Generator(np.random.PCG64(width))
    shape = (height + TILE, width + TILE, 3)
    noise = chance.standard_normal(shape, dtype=np.float32) * (amount * UNIT)
    return np.asarray(np.rint(noise).astype(np.int16))


@lru_cache(maxsize=64)
def _table(level: float, tint: Tuple[float, float, float]) -> Pixels:
    """Return the grey value of each density level in blue, green and red."""
    white = np.array(WHITE) * np.array(tint)
    light = level * TRANSMISSION[:, np.newaxis] * white[np.newaxis, :]
    grey = 255.0 * np.clip(light, 0.0, 1.0) ** (1 / GAMMA)
    return np.asarray(np.rint(grey).astype(np.uint8)[np.newaxis])


def expose(
    density: Pixels, level: float, tint: Tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Pixels:
    """Turn density into pixels at an exposure.

    Parameters
    ----------
    density : array of uint8, shape (height, width, 3)
        As `Renderer.density` returns it.
    level : float
        Linear brightness of clear water; 1 saturates the sensor.
    tint : (float, float, float)
        By how much blue, green and red are stronger than in a white balance.
    """
    return np.asarray(cv2.LUT(density, _table(round(level, 6), tint)))


def mean_transmission(density: Pixels) -> float:
    """Return the mean share of light that passes, for the metering."""
    sample = density[::METER_EACH, ::METER_EACH]
    return float(np.mean(TRANSMISSION[sample]))
