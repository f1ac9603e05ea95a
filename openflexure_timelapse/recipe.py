"""How a movie is made, as a person asks for it.

A plan carries a recipe, so the recipe lives on the plan's floor.
"""

from typing import Any, Mapping, Optional, Tuple

from pydantic import Field, model_validator
from typing_extensions import Literal

from openflexure_timelapse.document import Document, parse
from openflexure_timelapse.errors import InvalidRecipeError

__all__ = ["PROJECTIONS", "STILLS", "Recipe", "parse_recipe"]

# Browsers show a frame of less than 2 centiseconds for 10.
FASTEST_GIF_FPS = 50
MOST_CELLS = 36
PROJECTIONS = ("average", "maximum", "minimum")
STILLS = ("kymograph", *PROJECTIONS)


class Recipe(Document):
    """A movie of a run, or a picture of the whole of it.

    Attributes
    ----------
    view : {"position", "grid", "kymograph", "average", "maximum", "minimum"}
        What is shown: a movie of each position; one movie of all positions side by
        side; or a PNG of each position: a line's pixels over time, or what each pixel
        was on average, at its brightest or at its darkest.
    format : {"mp4", "gif"}
        The file made of a movie.
    fps : float
        Frames per second of the movie; a GIF has at most 50.
    pace : {"frames", "real"}
        How time passes. With ``frames`` each time point of the plan is one frame of the
        movie. With ``real`` the movie plays at one constant speed whatever the
        intervals are and however late a frame came.
    speed_up : float or None
        With ``real`` only: how many times faster than life. None for the speed at which
        the commonest interval of the plan is one frame of the movie.
    width, height : int or None
        Of the picture, in pixels, even for MP4. With one of them None the other
        follows from the frames' shape; with both None MP4 is as wide as the frames,
        but at most 1640 pixels, and GIF 480 pixels. A PNG is as large as the frames; of
        a kymograph, `width` is how many pixels the line has at most, 1640 when None.
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
    position_name : bool or None
        Whether the position's name is drawn; None for where a run has several.
    gaps : {"hold", "blank", "cut"}
        What stands where frames are missing: the last frame, an empty frame, or
        nothing. The gap is labelled in each case unless `gap_label` is off.
    gap_label : bool
        Whether gaps are labelled in the picture.
    max_mb : float or None
        GIF only: the size budget in megabytes (10⁶ bytes); None for no limit.
    noise_hold : int
        GIF only: a pixel keeps its shown value until it differs by more than this
        many grey levels; 0 shows every change.
    planes : {"one", "sharpest", "edf"}
        What is shown of a z stack: one plane, the sharpest of each visit, or all of
        them in one picture that is sharp everywhere (extended depth of field).
    plane : int or None
        The one z plane shown; None for the middle one.
    position : str or None
        The position shown; None makes one movie for each position.
    line : list of four int, or None
        Of a kymograph: x and y of the line's beginning and end in pixels of the stored
        frames; None for the row across their middle.
    """

    view: Literal["position", "grid", "kymograph", "average", "maximum", "minimum"] = (
        "position"
    )
    format: Literal["mp4", "gif"] = "mp4"
    fps: float = Field(default=15.0, ge=0.1, le=120.0)
    pace: Literal["frames", "real"] = "frames"
    speed_up: Optional[float] = Field(default=None, gt=0, le=1e9)
    width: Optional[int] = Field(default=None, ge=16, le=8192)
    height: Optional[int] = Field(default=None, ge=16, le=8192)
    crf: int = Field(default=23, ge=0, le=51)
    deflicker: bool = False
    stabilise: bool = False
    timestamp: bool = True
    elapsed_time: bool = True
    scale_bar: bool = True
    title: str = Field(default="", max_length=120)
    position_name: Optional[bool] = None
    gaps: Literal["hold", "blank", "cut"] = "hold"
    gap_label: bool = True
    max_mb: Optional[float] = Field(default=None, gt=0)
    noise_hold: int = Field(default=6, ge=0, le=64)
    planes: Literal["one", "sharpest", "edf"] = "one"
    plane: Optional[int] = Field(default=None, ge=0)
    position: Optional[str] = Field(default=None, min_length=1, max_length=80)
    line: Optional[Tuple[int, int, int, int]] = None

    @property
    def is_still(self) -> bool:
        """Whether it makes one picture instead of a movie."""
        return self.view in STILLS

    @property
    def suffix(self) -> str:
        """How the name of the file ends."""
        return ".png" if self.is_still else f".{self.format}"

    def unfit_for(self, positions: int, planes: int) -> str:
        """Return why a run of so many positions and planes cannot give it, or nothing.

        Whether it has the position and the plane that are asked for is not looked at.
        """
        if self.planes != "one" and planes == 1:
            return f"planes {self.planes!r} needs several planes, and the run has one"
        if self.view == "grid" and not 1 < positions <= MOST_CELLS:
            told = f"view 'grid' shows 2 to {MOST_CELLS} positions, and the run has "
            return f"{told}{positions}"
        return ""

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

    @model_validator(mode="after")
    def _check_view(self) -> "Recipe":
        """Refuse what contradicts the view."""
        view = self.view
        if self.is_still and self.format != "mp4":
            told = f"view {view!r} is one picture and becomes a PNG; leave out format"
            raise ValueError(told)
        if view == "kymograph" and self.height is not None:
            raise ValueError(
                "the height of a kymograph follows from time; leave it out"
            )
        if view in PROJECTIONS and self.pace == "real":
            told = f"view {view!r} has no time axis; leave out pace"
            raise ValueError(told)
        if self.speed_up is not None and self.pace != "real":
            told = f"speed_up {self.speed_up:g} is for real time; add pace 'real'"
            raise ValueError(told)
        if self.plane is not None and self.planes != "one":
            told = f"planes {self.planes!r} looks at every plane; leave out plane"
            raise ValueError(told)
        self._check_line()
        self._check_grid()
        return self

    def _check_line(self) -> None:
        """Refuse a line that no kymograph has."""
        if self.line is None:
            return
        if self.view != "kymograph":
            raise ValueError("line is for view 'kymograph'; leave it out")
        if min(self.line) < 0 or self.line[:2] == self.line[2:]:
            told = f"line {list(self.line)} is none; give x and y of its beginning "
            raise ValueError(told + "and of its end, for example [0, 240, 639, 240]")

    def _check_grid(self) -> None:
        """Refuse what a grid cannot do."""
        if self.view != "grid":
            return
        for name in ("stabilise", "deflicker"):
            if getattr(self, name):
                told = f"view 'grid' shows positions as they are; leave out {name}, or "
                raise ValueError(told + "make a movie of each position")
        if self.position is not None:
            told = "view 'grid' shows every position; leave out position"
            raise ValueError(told)


def parse_recipe(data: Mapping[str, Any]) -> Recipe:
    """Check JSON-able `data` and return the recipe.

    Raises
    ------
    InvalidRecipeError
        With one entry per bad field.
    """
    return parse(Recipe, data, InvalidRecipeError, "movie recipe")
