"""What one frame of the movie looks like: the picture, its size, what is written in it.

Bottom left the clocks, bottom right the scale bar, top left the title, top right the
position's name, top middle the label of a gap. Everything that does not change is drawn
once.
"""

from dataclasses import dataclass
from typing import Any, List, Optional, Sequence

import numpy as np

from openflexure_timelapse.movie.filters import (
    BACKGROUND,
    Colour,
    Picture,
    Size,
    Sprite,
    blend,
    content_size,
    elapsed_text,
    fit,
    pill,
    scale_bar,
    scale_bar_sprite,
    text_size_px,
    timestamp_text,
    whole_pill,
)
from openflexure_timelapse.movie.stills import Loader, Still
from openflexure_timelapse.movie.timeline import Beat

__all__ = ["Composer", "Style", "is_tiny"]

GAP_COLOUR: Colour = (110, 205, 255)
TITLE_SCALE = 1.15
MARGIN_PER_TEXT = 0.7
# A smaller picture would be buried under what is written in it.
SMALLEST_WRITTEN: Size = (100, 60)
LOWEST_TITLED = 100
WIDEST_NAME = 0.4  # of the picture, beside a title
HIGHEST_CLOCKS = 1 / 3  # of the height of the picture
TENTHS_BELOW_NS = 1_000_000_000


@dataclass(frozen=True)
class Style:
    """What is written into the pictures.

    Attributes
    ----------
    title : str
        Empty for none.
    timestamp, elapsed_time : bool
        Which clocks.
    um_per_pixel : float or None
        Of a stored frame of the size `frame`; None for no scale bar.
    frame : (int, int)
        Size of the first stored frame; frames of another size get no scale bar, since
        nobody knows their scale.
    interval_ns : int
        Below one second the clocks show tenths.
    region : (int, int) or None
        Size of the part of such a frame that is shown; None for the whole.
    name : str
        Of the position; empty for none.
    content : (int, int) or None
        At which size a stored frame is seen in the movie; None: as large as it fits.
    """

    title: str
    timestamp: bool
    elapsed_time: bool
    um_per_pixel: Optional[float]
    frame: Size
    interval_ns: int
    region: Optional[Size] = None
    name: str = ""
    content: Optional[Size] = None

    @property
    def writes_always(self) -> bool:
        """Whether something is written into every picture."""
        clocks = self.timestamp or self.elapsed_time
        words = bool(self.title or self.name)
        return words or clocks or self.um_per_pixel is not None


def is_tiny(canvas: Size) -> bool:
    """Tell whether a movie is so small that only gap labels are written, if any."""
    return canvas[0] < SMALLEST_WRITTEN[0] or canvas[1] < SMALLEST_WRITTEN[1]


class Composer:
    """Makes the frames of one movie.

    The clocks are written whole or not at all: where they do not fit, the date goes
    first, then the time of day, then the elapsed time. A time of day that cannot be
    believed never stands without saying so.

    Parameters
    ----------
    canvas : (int, int)
        Width and height of the movie.
    style : Style
        What is written.
    """

    def __init__(self, canvas: Size, style: Style) -> None:
        self.canvas = canvas
        self._style = style
        self._text_px = text_size_px(canvas)
        self._margin = max(3, round(MARGIN_PER_TEXT * self._text_px))
        self._widest = canvas[0] - 2 * self._margin
        self._tiny = is_tiny(canvas)
        self._bar: Optional[Sprite] = None
        if style.um_per_pixel is not None and not self._tiny:
            content = style.content or content_size(style.region or style.frame, canvas)
            um_per_pixel = style.um_per_pixel * self._shrunk(content)
            bar = scale_bar(um_per_pixel, content[0])
            self._bar = scale_bar_sprite(bar, self._text_px)
        self._name: Optional[Sprite] = None
        self._title: Optional[Sprite] = None
        if self._tiny or canvas[1] < LOWEST_TITLED:
            return
        room = self._widest
        if style.name:
            widest = round(WIDEST_NAME * room) if style.title else room
            self._name = pill(style.name, self._text_px, widest)
            room -= self._name.size[0] + self._margin
        if style.title:
            size = round(TITLE_SCALE * self._text_px)
            self._title = pill(style.title, size, room)

    def _shrunk(self, content: Size) -> float:
        """Return how many pixels of the frame are one pixel of the movie."""
        width, height = self._style.region or self._style.frame
        if 0 <= width - content[0] <= 1 and 0 <= height - content[1] <= 1:
            return 1.0  # one row or column is cut off, nothing is scaled
        return width / content[0]

    def shown(self, beat: Beat[Still], loader: Loader) -> Picture:
        """Return one frame of the movie; a file that was kept as it is is decoded.

        Parameters
        ----------
        beat : Beat
            The frame.
        loader : Loader
            Read its picture.
        """
        still = beat.picture
        if still is None:
            return self.compose(beat, None, None)
        pixels = still.pixels
        if pixels is None:
            pixels = loader.decode(still.jpeg, still.size)
        return self.compose(beat, pixels, still.size)

    def compose(
        self, beat: Beat[Any], picture: Optional[Picture], frame: Optional[Size]
    ) -> Picture:
        """Return one frame of the movie as a new array.

        Parameters
        ----------
        beat : Beat
            What the clocks and the label say.
        picture : array of uint8, shape (height, width, 3), or None
            Of any size; None for an empty picture. Not altered.
        frame : (int, int) or None
            The size of the stored frame that the picture came from.
        """
        made = self.written(picture, frame, self._clock_texts(beat))
        if beat.label:
            self._write_label(made, beat.label)
        return made

    def written(
        self,
        picture: Optional[Picture],
        frame: Optional[Size],
        choices: Sequence[Sequence[str]],
    ) -> Picture:
        """Return a picture with everything written in it but a gap's label.

        Parameters
        ----------
        picture, frame
            As for `compose`.
        choices : sequence of sequence of str
            What stands at the bottom left: all of it first, then less and less.
        """
        if picture is None:
            shape = (self.canvas[1], self.canvas[0], 3)
            made = np.full(shape, BACKGROUND, np.uint8)
        else:
            made = fit(picture, self.canvas)
            if np.shares_memory(made, picture):
                made = made.copy()
        if not self._tiny:
            self._write_clocks(made, choices)
        if self._bar is not None and frame == self._style.frame:
            x = self.canvas[0] - self._margin - self._bar.size[0]
            blend(made, self._bar, max(0, x), self._bottom(self._bar))
        if self._title is not None:
            blend(made, self._title, self._margin, self._margin)
        if self._name is not None:
            x = self.canvas[0] - self._margin - self._name.size[0]
            blend(made, self._name, max(0, x), self._margin)
        return made

    def _bottom(self, sprite: Sprite) -> int:
        """Return the y at which a sprite stands on the bottom margin."""
        return max(0, self.canvas[1] - self._margin - sprite.size[1])

    def _clock_texts(self, beat: Beat[Any]) -> List[List[str]]:
        """Return what the clocks say: all of it first, then less and less."""
        style = self._style
        tenths = style.interval_ns < TENTHS_BELOW_NS
        elapsed = []
        if style.elapsed_time:
            told = elapsed_text(beat.elapsed_ns, tenths=tenths)
            elapsed.append(told if beat.elapsed_known else f">{told[1:]}")
        choices = [elapsed]
        for dated in (False, True) if style.timestamp else ():
            told = timestamp_text(
                beat.wall_ns,
                beat.utc_offset_s,
                tenths=tenths,
                trusted=beat.clock_trusted,
                dated=dated,
            )
            choices.insert(0, [*elapsed, told])
        return [choice for choice in choices if choice]

    def _lines(self, choices: Sequence[Sequence[str]], room: int) -> List[Sprite]:
        """Return the lines of the first choice that fits whole; none when none does."""
        highest = HIGHEST_CLOCKS * self.canvas[1]
        for texts in choices:
            for lines in ([" \u00b7 ".join(texts)], texts):
                made = [whole_pill(line, self._text_px, room) for line in lines]
                whole = [sprite for sprite in made if sprite is not None]
                high = sum(sprite.size[1] for sprite in whole)
                if len(whole) == len(lines) and high <= highest:
                    return whole
        return []

    def _write_clocks(self, made: Picture, choices: Sequence[Sequence[str]]) -> None:
        """Write the clocks in one line, or in two where the picture is narrow."""
        y, room, bar = self.canvas[1] - self._margin, self._widest, self._bar
        if bar is not None:
            room -= bar.size[0] + self._margin
        lines = self._lines(choices, room)
        if not lines and bar is not None:  # not beside the bar: above it
            lines = self._lines(choices, self._widest)
            y -= bar.size[1] + 2
        for sprite in reversed(lines):
            y = max(0, y - sprite.size[1])
            blend(made, sprite, self._margin, y)
            y -= max(2, self._margin // 3)

    def _write_label(self, made: Picture, label: str) -> None:
        """Write about a gap at the top, under what stands there if they would meet.

        Where it does not fit, first the reason is left out, then how long it lasts.
        """
        sprite = None
        for text in (label, label.partition(" (")[0], label.partition(" for ")[0]):
            sprite = sprite or whole_pill(text, self._text_px, self._widest, GAP_COLOUR)
        if sprite is None:
            return
        room = self.canvas[0] - sprite.size[0]
        x, y = max(0, room // 2), self._margin
        title, name = self._title, self._name
        meets = title is not None and x < self._margin * 2 + title.size[0]
        if name is not None and room - x < self._margin * 2 + name.size[0]:
            y += name.size[1] + max(2, self._margin // 2)
        if meets and title is not None:
            below = self._margin + title.size[1] + max(2, self._margin // 2)
            x, y = self._margin, max(y, below)
        blend(made, sprite, x, y)
