"""Recipes that are refused, by name."""

from typing import Tuple

from cases.plans import Bad

__all__ = ["BAD_RECIPES"]

BAD_RECIPES: Tuple[Bad, ...] = (
    Bad(
        "odd height",
        {"height": 479},
        "(whole)",
        "height 479 is odd; H.264 needs an even number, for example 478",
    ),
    Bad(
        "no speed",
        {"fps": 0},
        "fps",
        "fps should be at least 0.1 frames per second (it is 0)",
    ),
    Bad(
        "budget for a sequence",
        {"format": "png", "max_mb": 8},
        "(whole)",
        "max_mb 8 is not for a PNG sequence; choose a smaller width, or make a movie",
    ),
    Bad(
        "codec of another format",
        {"format": "webm", "codec": "hevc"},
        "(whole)",
        "WebM has VP9 or AV1, not HEVC; choose another format or codec",
    ),
    Bad(
        "codec of a format without any",
        {"format": "gif", "codec": "av1"},
        "(whole)",
        "GIF has no codec, not AV1; choose another format or codec",
    ),
    Bad(
        "crf of another codec",
        {"crf": 60},
        "(whole)",
        "crf 60 is more than H.264 has; choose 0 to 51",
    ),
    Bad(
        "odd crop",
        {"format": "webm", "crop": {"x": 3, "y": 5, "width": 101, "height": 80}},
        "(whole)",
        "crop.width 101 is odd; VP9 needs an even number, for example 100",
    ),
    Bad(
        "tiny crop",
        {"crop": {"x": 0, "y": 0, "width": 4, "height": 80}},
        "crop.width",
        "crop.width should be at least 16 (it is 4)",
    ),
    Bad(
        "shape beside a shape",
        {"shape": "square", "width": 320, "height": 240},
        "(whole)",
        "shape 'square' and both width and height are too many; leave out the height",
    ),
    Bad(
        "faster than browsers",
        {"format": "apng", "fps": 60},
        "(whole)",
        "fps 60 is too fast for an APNG, which browsers slow down above 50",
    ),
    Bad(
        "no licence that anybody knows",
        {"licence": "do what you like"},
        "licence",
        "licence should be an SPDX id such as CC-BY-4.0 (it is 'do what you like')",
    ),
    Bad(
        "no budget at all",
        {"format": "gif", "max_mb": 0},
        "max_mb",
        "max_mb should be more than 0 MB (it is 0)",
    ),
    Bad(
        "a still picture as a GIF",
        {"view": "average", "format": "gif"},
        "(whole)",
        "view 'average' is one picture and becomes a PNG; leave out format, codec, "
        "crf and max_mb",
    ),
    Bad(
        "a speed without a pace",
        {"speed_up": 100},
        "(whole)",
        "speed_up 100 is for real time; add pace 'real'",
    ),
    Bad(
        "a pace without time",
        {"view": "maximum", "pace": "real"},
        "(whole)",
        "view 'maximum' has no time axis; leave out pace",
    ),
    Bad(
        "one of all planes",
        {"planes": "edf", "plane": 2},
        "(whole)",
        "planes 'edf' looks at every plane; leave out plane",
    ),
    Bad(
        "one position in a grid",
        {"view": "grid", "position": "left"},
        "(whole)",
        "view 'grid' shows every position; leave out position",
    ),
    Bad(
        "a steady grid",
        {"view": "grid", "stabilise": True},
        "(whole)",
        "view 'grid' shows positions as they are; leave out stabilise, or make a "
        "movie of each position",
    ),
    Bad(
        "a line in a movie",
        {"line": [0, 0, 9, 9]},
        "(whole)",
        "line is for view 'kymograph'; leave it out",
    ),
    Bad(
        "a line of one point",
        {"view": "kymograph", "line": [4, 5, 4, 5]},
        "(whole)",
        "line [4, 5, 4, 5] is none; give x and y of its beginning and of its end, for "
        "example [0, 240, 639, 240]",
    ),
    Bad(
        "a line of three numbers",
        {"view": "kymograph", "line": [4, 5, 4]},
        "line.3",
        "line.3 is missing",
    ),
    Bad(
        "a high kymograph",
        {"view": "kymograph", "height": 480},
        "(whole)",
        "the height of a kymograph follows from time; leave it out",
    ),
    Bad(
        "unknown format",
        {"format": "avi"},
        "format",
        "format should be 'mp4', 'webm', 'gif', 'webp', 'apng', 'png' or 'jpeg' "
        '(it is "avi")',
    ),
    Bad(
        "misspelt field",
        {"fsp": 15},
        "fsp",
        "fsp is not a known field; perhaps 'fps' is meant",
    ),
)
