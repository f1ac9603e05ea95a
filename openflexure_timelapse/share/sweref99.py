"""SWEREF 99 TM, the map projection of Sweden (EPSG:3006), from WGS 84. Pure.

The formulas are Lantmäteriet's "Gauss Conformal Projection (Transverse Mercator),
Krüger's Formulas", with the ellipsoid GRS 80. SWEREF 99 and WGS 84 are taken for one:
they differ by less than a metre.
"""

import math
from typing import NamedTuple

from openflexure_timelapse.errors import InvalidShareError

__all__ = ["Sweref99", "in_sweden", "sweref99_of"]

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257222101
CENTRAL_MERIDIAN = 15.0
SCALE = 0.9996
FALSE_EASTING_M = 500_000.0

# Where EPSG says that it is for: Sweden with its sea.
SOUTH, NORTH = 54.9, 69.1
WEST, EAST = 10.0, 24.2

E2 = FLATTENING * (2 - FLATTENING)
N = FLATTENING / (2 - FLATTENING)
RADIUS_M = SEMI_MAJOR_M / (1 + N) * (1 + N**2 / 4 + N**4 / 64)
# Of the conformal latitude, by powers of the squared sine.
CONFORMAL = (
    E2,
    (5 * E2**2 - E2**3) / 6,
    (104 * E2**3 - 45 * E2**4) / 120,
    1237 * E2**4 / 1260,
)
# Of the series, by multiples of two.
SERIES = (
    N / 2 - 2 * N**2 / 3 + 5 * N**3 / 16 + 41 * N**4 / 180,
    13 * N**2 / 48 - 3 * N**3 / 5 + 557 * N**4 / 1440,
    61 * N**3 / 240 - 103 * N**4 / 140,
    49561 * N**4 / 161280,
)


class Sweref99(NamedTuple):
    """A point of the map, in metres: what Artportalen calls ``Ost`` and ``Nord``."""

    east_m: float
    north_m: float


def in_sweden(latitude: float, longitude: float) -> bool:
    """Tell whether a place may be in Sweden: inside the corners of the country."""
    return SOUTH <= latitude <= NORTH and WEST <= longitude <= EAST


def sweref99_of(latitude: float, longitude: float) -> Sweref99:
    """Return where a place lies in SWEREF 99 TM, right to a millimetre.

    Parameters
    ----------
    latitude, longitude : float
        In degrees, WGS 84.

    Raises
    ------
    InvalidShareError
        When it cannot be in Sweden: far away the projection says nothing useful.
    """
    if not in_sweden(latitude, longitude):
        told = f"{latitude:g}, {longitude:g} is not in Sweden, and SWEREF 99 TM is a "
        raise InvalidShareError(told + "map of Sweden; correct the coordinates.")
    phi = math.radians(latitude)
    delta = math.radians(longitude - CENTRAL_MERIDIAN)
    sine2 = math.sin(phi) ** 2
    bend = sum(factor * sine2**power for power, factor in enumerate(CONFORMAL))
    conformal = phi - math.sin(phi) * math.cos(phi) * bend
    xi = math.atan2(math.tan(conformal), math.cos(delta))
    eta = math.atanh(math.cos(conformal) * math.sin(delta))
    north, east = xi, eta
    for number, factor in enumerate(SERIES, 1):
        north += factor * math.sin(2 * number * xi) * math.cosh(2 * number * eta)
        east += factor * math.cos(2 * number * xi) * math.sinh(2 * number * eta)
    return Sweref99(
        east_m=SCALE * RADIUS_M * east + FALSE_EASTING_M,
        north_m=SCALE * RADIUS_M * north,
    )
