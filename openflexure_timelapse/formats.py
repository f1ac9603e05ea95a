"""What a movie can be: views, formats, codecs. Plain values.

The process that makes a movie needs these, and none of what checks a recipe.
"""

__all__ = [
    "ANIMATED",
    "CODECS",
    "CODEC_NAMES",
    "FASTEST_ANIMATED_FPS",
    "FORMAT_NAMES",
    "LARGEST_CRF",
    "PROJECTIONS",
    "SEQUENCES",
    "STILLS",
    "USUAL_CRF",
]

FORMAT_NAMES = {
    "mp4": "MP4",
    "webm": "WebM",
    "gif": "GIF",
    "webp": "WebP",
    "apng": "APNG",
    "png": "PNG sequence",
    "jpeg": "JPEG sequence",
}
# The first is what a movie has unless another is asked for.
CODECS = {"mp4": ("h264", "hevc", "av1"), "webm": ("vp9", "av1")}
CODEC_NAMES = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1", "vp9": "VP9"}
USUAL_CRF = {"h264": 23, "hevc": 26, "av1": 35, "vp9": 33}
LARGEST_CRF = {"h264": 51, "hevc": 51, "av1": 63, "vp9": 63}
SEQUENCES = ("png", "jpeg")
# Browsers show a frame of less than 2 centiseconds for 10.
ANIMATED = ("gif", "webp", "apng")
FASTEST_ANIMATED_FPS = 50
PROJECTIONS = ("average", "maximum", "minimum")
STILLS = ("kymograph", *PROJECTIONS)
