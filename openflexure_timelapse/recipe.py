"""How a movie is made, as a person asks for it.

A plan carries a recipe, so the recipe lives on the plan's floor.
"""

from typing import Any, List, Mapping, Optional, Tuple

from pydantic import Field, field_validator, model_validator
from typing_extensions import Literal

from openflexure_timelapse.document import Document, parse
from openflexure_timelapse.errors import InvalidRecipeError
from openflexure_timelapse.formats import (
    ANIMATED,
    CODEC_NAMES,
    CODECS,
    FASTEST_ANIMATED_FPS,
    FORMAT_NAMES,
    LARGEST_CRF,
    PROJECTIONS,
    SEQUENCES,
    STILLS,
)
from openflexure_timelapse.names import checked_licence

__all__ = ["Crop", "Recipe", "parse_recipe"]

MOST_CELLS = 36


class Crop(Document):
    """The part of the stored frames that is shown, in their pixels.

    Attributes
    ----------
    x, y : int
        Of its top left corner.
    width, height : int
        Even for MP4 and WebM.
    """

    x: int = Field(ge=0, le=65_535)
    y: int = Field(ge=0, le=65_535)
    width: int = Field(ge=16, le=65_535)
    height: int = Field(ge=16, le=65_535)


class Recipe(Document):
    """A movie of a run, or a picture of the whole of it.

    Attributes
    ----------
    view : {"position", "grid", "kymograph", "average", "maximum", "minimum"}
        What is shown: a movie of each position; one movie of all positions side by
        side; or a PNG of each position: a line's pixels over time, or what each pixel
        was on average, at its brightest or at its darkest.
    format : {"mp4", "webm", "gif", "webp", "apng", "png", "jpeg"}
        The file made; PNG and JPEG are one file for each frame, in a zip file.
    codec : {"h264", "hevc", "av1", "vp9"} or None
        Of an MP4 (H.264, HEVC or AV1) or a WebM (VP9 or AV1); None for the first.
    fps : float
        Frames per second of the movie; a GIF, WebP or APNG has at most 50.
    pace : {"frames", "real"}
        How time passes. With ``frames`` each time point of the plan is one frame of the
        movie. With ``real`` the movie plays at one constant speed whatever the
        intervals are and however late a frame came.
    speed_up : float or None
        With ``real`` only: how many times faster than life. None for the speed at which
        the commonest interval of the plan is one frame of the movie.
    width, height : int or None
        Of the picture, in pixels, even for MP4 and WebM. With one of them None the
        other follows from the frames' shape; with both None MP4 and WebM are as wide
        as the frames, but at most 1640 pixels, GIF, WebP and APNG at most 480, and
        sequences have the frames' own size. So has the PNG of a whole run; of a
        kymograph, `width` is how many pixels the line has at most, 1640 when None.
    crop : Crop or None
        The part of the frames that is shown; None for the whole.
    shape : {"square", "portrait"} or None
        For phones: the largest part of the frames, in the middle, that is as high as
        wide, or 9 : 16, at most 1080 pixels wide and enlarged at most twice.
    crf : int or None
        Constant rate factor of MP4 and WebM: smaller is larger and truer. None for
        the codec's usual one; H.264's 23 drops most sensor noise (measured,
        ``docs/decisions``).
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
        The size budget in megabytes (10⁶ bytes); None for no limit. Not for
        sequences.
    noise_hold : int or None
        GIF only: what changes by up to this many grey levels in a single pixel is taken
        for noise and not renewed; 0 shows every change; None tells noise from change by
        the frames themselves.
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
    author, licence : str or None
        Written into the file, the licence as an SPDX id; None for those of the plan's
        sample.
    place : bool
        Whether the sample's place and coordinates are written into the file.
    """

    view: Literal["position", "grid", "kymograph", "average", "maximum", "minimum"] = (
        "position"
    )
    format: Literal["mp4", "webm", "gif", "webp", "apng", "png", "jpeg"] = "mp4"
    codec: Optional[Literal["h264", "hevc", "av1", "vp9"]] = None
    fps: float = Field(default=15.0, ge=0.1, le=120.0)
    pace: Literal["frames", "real"] = "frames"
    speed_up: Optional[float] = Field(default=None, gt=0, le=1e9)
    width: Optional[int] = Field(default=None, ge=16, le=8192)
    height: Optional[int] = Field(default=None, ge=16, le=8192)
    crop: Optional[Crop] = None
    shape: Optional[Literal["square", "portrait"]] = None
    crf: Optional[int] = Field(default=None, ge=0, le=63)
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
    noise_hold: Optional[int] = Field(default=None, ge=0, le=64)
    planes: Literal["one", "sharpest", "edf"] = "one"
    plane: Optional[int] = Field(default=None, ge=0)
    position: Optional[str] = Field(default=None, min_length=1, max_length=80)
    line: Optional[Tuple[int, int, int, int]] = None
    author: Optional[str] = Field(default=None, max_length=200)
    licence: Optional[str] = None
    place: bool = False

    @property
    def is_still(self) -> bool:
        """Whether it makes one picture instead of a movie."""
        return self.view in STILLS

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

    @property
    def ending(self) -> str:
        """The end of the file's name, after the dot."""
        if self.is_still:
            return "png"
        return f"{self.format}.zip" if self.format in SEQUENCES else self.format

    @property
    def coded(self) -> str:
        """The codec of the movie; empty for what has none."""
        if self.is_still:
            return ""
        return self.codec or CODECS.get(self.format, ("",))[0]

    @property
    def cropped(self) -> Optional[List[int]]:
        """The crop's x, y, width and height; None for none."""
        crop = self.crop
        return None if crop is None else [crop.x, crop.y, crop.width, crop.height]

    @field_validator("licence")
    @classmethod
    def _check_licence(cls, licence: Optional[str]) -> Optional[str]:
        """Check the form of the licence."""
        return None if licence is None else checked_licence(licence)

    @model_validator(mode="after")
    def _check_codec(self) -> "Recipe":
        """Refuse a codec that the format has not, and a factor that the codec has not.

        Odd sizes are refused here as well.
        """
        name = FORMAT_NAMES[self.format]
        known = () if self.is_still else CODECS.get(self.format, ())
        if self.codec is not None and self.codec not in known:
            has = " or ".join(CODEC_NAMES[codec] for codec in known) or "no codec"
            message = f"{name} has {has}, not {CODEC_NAMES[self.codec]}; "
            raise ValueError(message + "choose another format or codec")
        if known and (self.crf or 0) > LARGEST_CRF[self.coded]:
            most = LARGEST_CRF[self.coded]
            message = f"crf {self.crf} is more than {CODEC_NAMES[self.coded]} has; "
            raise ValueError(message + f"choose 0 to {most}")
        for field, value in self._sides() if known else ():
            if value is not None and value % 2:
                message = f"{field} {value} is odd; {CODEC_NAMES[self.coded]} needs "
                raise ValueError(message + f"an even number, for example {value - 1}")
        return self

    def _sides(self) -> "tuple[tuple[str, Optional[int]], ...]":
        """Return the widths and heights that the recipe names."""
        crop = self.crop
        return (
            ("width", self.width),
            ("height", self.height),
            ("crop.width", None if crop is None else crop.width),
            ("crop.height", None if crop is None else crop.height),
        )

    @model_validator(mode="after")
    def _check_budget(self) -> "Recipe":
        """Refuse a size budget for what is not made smaller."""
        if self.max_mb is not None and self.format in SEQUENCES:
            message = f"max_mb {self.max_mb:g} is not for a {FORMAT_NAMES[self.format]}"
            raise ValueError(message + "; choose a smaller width, or make a movie")
        return self

    @model_validator(mode="after")
    def _check_speed(self) -> "Recipe":
        """Refuse what browsers would slow down."""
        if self.format in ANIMATED and self.fps > FASTEST_ANIMATED_FPS:
            article = "a" if self.format in ("gif", "webp") else "an"
            name = f"{article} {FORMAT_NAMES[self.format]}"
            message = f"fps {self.fps:g} is too fast for {name}, which browsers slow "
            raise ValueError(message + f"down above {FASTEST_ANIMATED_FPS}")
        return self

    @model_validator(mode="after")
    def _check_shape(self) -> "Recipe":
        """Refuse a shape beside both sides, which are one already."""
        if None not in (self.shape, self.width, self.height):
            message = f"shape {self.shape!r} and both width and height are too many; "
            raise ValueError(message + "leave out the height")
        return self

    @model_validator(mode="after")
    def _check_view(self) -> "Recipe":
        """Refuse what contradicts the view."""
        view = self.view
        movies_own = self.format != "mp4", self.codec or self.crf, self.max_mb
        if self.is_still and any(movies_own):
            told = f"view {view!r} is one picture and becomes a PNG; leave out format, "
            raise ValueError(told + "codec, crf and max_mb")
        if view == "kymograph" and (self.crop or self.shape):
            told = "the line of a kymograph is of whole frames; leave out "
            raise ValueError(told + ("crop" if self.crop else "shape"))
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
