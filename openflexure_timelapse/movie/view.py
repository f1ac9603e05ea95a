"""How stored frames become the pictures of a movie: which part, where, what is written.

One position's frames fill the picture; a grid's stand side by side in it.
"""

from dataclasses import replace
from typing import List, Optional

from openflexure_timelapse.formats import STILLS
from openflexure_timelapse.movie.composer import Composer, Style, is_tiny
from openflexure_timelapse.movie.corrections import Corrections
from openflexure_timelapse.movie.filters import EVEN, Picture, Size
from openflexure_timelapse.movie.framing import (
    PHONE_WIDTH_PX,
    SHAPES,
    Framing,
    Region,
    canvas_size,
    region_of,
)
from openflexure_timelapse.movie.grid import (
    SCREEN_RATIO,
    Grid,
    GridLoader,
    montage_size,
    strip_height,
)
from openflexure_timelapse.movie.job import Order
from openflexure_timelapse.movie.lettering import is_misordered, without_font
from openflexure_timelapse.movie.stack import FUSES
from openflexure_timelapse.movie.stills import Loader

__all__ = ["View"]

FONTS = "install one, for example Debian's package fonts-noto-cjk or fonts-noto-core"
MISORDERED = "right-to-left text needs Debian's package libfribidi0 to be in order"


class View:
    """What a recipe shows of frames of a size.

    Parameters
    ----------
    order : Order
        The recipe.
    frame : (int, int)
        Of the first stored frame.
    corrections : Corrections or None
        What is put right in each frame.

    Attributes
    ----------
    size : (int, int)
        Of the movie.
    style : Style
        What is written.

    Raises
    ------
    RenderError
        When the part that is asked for is none of the frames.
    """

    def __init__(
        self, order: Order, frame: Size, corrections: Optional[Corrections]
    ) -> None:
        self._order = order
        self._frame = frame
        self._corrections = corrections
        # A grid has the shape as a whole: its positions are not cut for it.
        shape = None if order.names else order.shape
        self._region = region_of(frame, order.crop, shape)
        self._fuse = FUSES.get(order.planes)
        scale = order.um_per_pixel if order.scale_bar else None
        kept = 1.0 if corrections is None else corrections.kept
        self.style = Style(
            title=order.title,
            timestamp=order.timestamp,
            elapsed_time=order.elapsed_time,
            um_per_pixel=None if scale is None else scale * kept,
            frame=frame,
            interval_ns=order.interval_ns,
            region=self._region.size,
            name=order.name,
        )
        self.size = self._size()

    def _size(self) -> Size:
        """Return the size of the movie."""
        order, region = self._order, self._region
        kind = "png" if order.view in STILLS else order.format
        if order.names:
            region = Region(0, 0, *self._whole())
        size = canvas_size(region, order.width, order.height, kind, order.shape)
        fixed = order.height is not None or order.shape is not None
        if not order.names or fixed or not self.style.writes_always:
            return size
        return size[0], size[1] + (strip_height(size) + 1) // 2 * 2

    def _whole(self) -> Size:
        """Return the size, or for a shape the sides, of a grid that is not scaled."""
        if self._order.shape is None:
            return montage_size(len(self._order.names), self._region.size)
        across, down = SHAPES[self._order.shape]
        each = PHONE_WIDTH_PX // across
        return across * each, down * each

    def as_stored(self, size: Size) -> bool:
        """Tell whether the stored pictures are what is seen at a size."""
        same = self._region.size
        if self._order.format in EVEN:
            same = same[0] & ~1, same[1] & ~1
        changes = self._region.size != self._frame or self.style.writes_always
        changes = changes or self._corrections is not None or self._fuse is not None
        return size == same and not changes and not self._order.names

    def remarks(self) -> List[str]:
        """Return what a person should know before it is made."""
        order, size, remarks = self._order, self.size, []
        if order.scale_bar and order.um_per_pixel is None:
            remarks.append("no scale bar: the camera is not calibrated")
        if self.style.writes_always and is_tiny(size):
            told_size = f"{size[0]} x {size[1]} pixels"
            remarks.append(f"no clocks, scale bar or title: {told_size} are too few")
        words = "".join((order.title, order.name, *order.names))
        if is_misordered(words):
            remarks.append(MISORDERED)
        lacking = without_font(words)
        if lacking:
            remarks.append(f"no font here draws {lacking}: {FONTS}")
        return remarks

    def composer(self, size: Size) -> Composer:
        """Return what the pictures look like at a size."""
        if not self._order.names:
            return Composer(size, self.style)
        return Composer(size, replace(self.style, content=self._grid(size).cell))

    def loader(self, size: Size, *, keep_jpeg: bool = False) -> Loader:
        """Return what reads the frames for a movie of a size.

        Parameters
        ----------
        size : (int, int)
            Of the movie.
        keep_jpeg : bool
            Whether frames of that size stay the files that they are.
        """
        order, corrections = self._order, self._corrections
        if order.names:
            grid = self._grid(size)
            framing = Framing(self._frame, self._region, grid.cell)
            return GridLoader(
                grid, framing, order.gaps, labelled=order.gap_label, fuse=self._fuse
            )
        framing = Framing(self._frame, self._region, size)
        if corrections is None and framing.is_whole:
            return Loader(size, size if keep_jpeg else None, fuse=self._fuse)

        def put_right(slot: int, picture: Picture) -> Picture:
            if corrections is not None:
                picture = corrections.apply(slot, picture)
            return framing.cut(picture)

        return Loader(framing.source, put_right=put_right, fuse=self._fuse)

    def _grid(self, size: Size) -> Grid:
        """Return where the positions stand in a movie of a size."""
        strip_px = strip_height(size) if self.style.writes_always else 0
        ratio = SCREEN_RATIO
        if self._order.shape is not None:
            across, down = SHAPES[self._order.shape]
            ratio = across / down
        return Grid(size, self._region.size, self._order.names, strip_px, ratio)
