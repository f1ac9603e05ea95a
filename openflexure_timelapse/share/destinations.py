"""The table of destinations: one row each."""

from typing import Dict

from openflexure_timelapse.share.artportalen import Artportalen
from openflexure_timelapse.share.destination import Destination
from openflexure_timelapse.share.gbif import Gbif
from openflexure_timelapse.share.inaturalist import INaturalist
from openflexure_timelapse.share.nordic_microalgae import NordicMicroalgae
from openflexure_timelapse.share.ome_tiff import OME_TIFF
from openflexure_timelapse.share.ome_zarr import OME_ZARR

__all__ = ["DESTINATIONS"]

# In the order of the names that an order may have.
_ROWS: "tuple[Destination, ...]" = (
    NordicMicroalgae(),
    INaturalist(),
    Artportalen(),
    Gbif(),
    OME_TIFF,
    OME_ZARR,
)

DESTINATIONS: Dict[str, Destination] = {row.name: row for row in _ROWS}
"""By the name in an order."""
