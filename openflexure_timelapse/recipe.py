"""How a movie is made, as a person asks for it.

A plan carries a recipe, so the recipe lives on the plan's floor.
"""

from typing import Any, Mapping, Optional

from pydantic import Field, model_validator
from typing_extensions import Literal

from openflexure_timelapse.document import Document, parse
from openflexure_timelapse.errors import InvalidRecipeError

__all__ = ["Recipe", "parse_recipe"]

# Browsers show a frame of less than 2 centiseconds for 10.
FASTEST_GIF_FPS = 50


class Recipe(Document):
    """A movie of one position and one plane of a run.

    Attributes
    ----------
    format : {"mp4", "gif"}
        The file made.
    fps : float
        Frames per second of the movie; a GIF has at most 50.
    width, height : int or None
        Of the picture, in pixels, even for MP4. With one of them None the other
        follows from the frames' shape; with both None MP4 is as wide as the frames,
        but at most 1640 pixels, and GIF 480 pixels.
    crf : int
        H.264 constant rate factor: smaller is larger and truer. 23 drops most
        sensor noise (measured, ``docs/decisions``).
    deflicker : bool
        Whether the brightness is evened out. What changes more slowly than a second or
        two of the movie, and what changes for good, stays.
    stabilise : bool
        Whether drift, jitter and small rotations are taken out. Up to an eighth of each
        side is cut off for it, and the rest enlarged.
    timestamp, elapsed_time, scale_bar : bool
        What is drawn into the picture. A scale bar needs a calibrated camera.
    title : str
        Drawn at the top left; empty for none.
    gaps : {"hold", "blank", "cut"}
        What stands where frames are missing: the last frame, an empty frame, or
        nothing. The gap is labelled in each case unless `gap_label` is off.
    gap_label : bool
        Whether gaps are labelled in the picture.
    max_mb : float or None
        GIF only: the size budget in megabytes (10⁶ bytes); None for no limit.
    noise_hold : int or None
        GIF only: what changes by up to this many grey levels in a single pixel is taken
        for noise and not renewed; 0 shows every change; None tells noise from change by
        the frames themselves.
    plane : int or None
        The z plane shown; None for the middle one.
    position : str or None
        The position shown; None makes one movie for each position.
    """

    format: Literal["mp4", "gif"] = "mp4"
    fps: float = Field(default=15.0, ge=0.1, le=120.0)
    width: Optional[int] = Field(default=None, ge=16, le=8192)
    height: Optional[int] = Field(default=None, ge=16, le=8192)
    crf: int = Field(default=23, ge=0, le=51)
    deflicker: bool = False
    stabilise: bool = False
    timestamp: bool = True
    elapsed_time: bool = True
    scale_bar: bool = True
    title: str = Field(default="", max_length=120)
    gaps: Literal["hold", "blank", "cut"] = "hold"
    gap_label: bool = True
    max_mb: Optional[float] = Field(default=None, gt=0)
    noise_hold: Optional[int] = Field(default=None, ge=0, le=64)
    plane: Optional[int] = Field(default=None, ge=0)
    position: Optional[str] = Field(default=None, min_length=1, max_length=80)

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        """Refuse what the format cannot do."""
        if self.format == "mp4":
            for name in ("width", "height"):
                value = getattr(self, name)
                if value is not None and value % 2:
                    message = f"{name} {value} is odd; H.264 needs an even number, "
                    raise ValueError(message + f"for example {value - 1}")
            if self.max_mb is not None:
                message = f"max_mb {self.max_mb:g} is for GIF; for MP4 raise crf"
                raise ValueError(message)
        elif self.fps > FASTEST_GIF_FPS:
            message = f"fps {self.fps:g} is too fast for a GIF, which browsers slow "
            raise ValueError(message + f"down above {FASTEST_GIF_FPS}")
        return self


def parse_recipe(data: Mapping[str, Any]) -> Recipe:
    """Check JSON-able `data` and return the recipe.

    Raises
    ------
    InvalidRecipeError
        With one entry per bad field.
    """
    return parse(Recipe, data, InvalidRecipeError, "movie recipe")
