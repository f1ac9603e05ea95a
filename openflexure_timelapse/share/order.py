"""The order: to which destination, and what goes along. Pure."""

from typing import Any, Mapping, Optional, Tuple

from pydantic import Field
from typing_extensions import Annotated, Literal

from openflexure_timelapse.document import Document, parse
from openflexure_timelapse.errors import InvalidShareError

__all__ = ["DESTINATION_NAMES", "DestinationName", "ShareOrder", "parse_order"]

DestinationName = Literal[
    "nordic-microalgae", "inaturalist", "artportalen", "gbif", "ome-tiff", "ome-zarr"
]
DESTINATION_NAMES: Tuple[str, ...] = tuple(DestinationName.__args__)  # type: ignore[attr-defined]


class ShareOrder(Document):
    """What is to be shared, and where to.

    Attributes
    ----------
    destination : str
        One of `DESTINATION_NAMES`.
    position : str or None
        Of which position; None for all of them.
    frames : tuple of int
        The numbers of the stills, as in the index; empty for those that we suggest.
    movie : str or None
        The name of the GIF that goes along, as ``files`` lists it; None for the first
        that fits.
    place_in_images : bool
        Whether the coordinates are written into the images as well.
    coordinates : str
        The system that the person's profile in Artportalen is set to.
    base_url : str
        Under which address a data manager will keep the media; empty: not known yet.
    basis_of_record : str
        Darwin Core's; which of them the data manager decides.
    """

    destination: DestinationName
    position: Optional[str] = Field(default=None, max_length=200)
    frames: Tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(), max_length=1000)
    movie: Optional[str] = Field(default=None, max_length=300)
    place_in_images: bool = False
    coordinates: Literal["sweref99tm", "wgs84"] = "sweref99tm"
    base_url: str = Field(default="", max_length=500)
    basis_of_record: Literal["MachineObservation", "HumanObservation"] = (
        "MachineObservation"
    )


def parse_order(data: Mapping[str, Any]) -> ShareOrder:
    """Check JSON-able `data` and return it as an order.

    Raises
    ------
    InvalidShareError
        With an entry for each bad field.
    """
    return parse(ShareOrder, data, InvalidShareError, "order")
