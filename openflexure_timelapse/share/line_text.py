"""What a person typed, in one line: for tables whose rows are lines. Pure."""

from openflexure_timelapse.share.xmp import clean

__all__ = ["line_text", "shortened"]

CUT = "…"


def line_text(text: str) -> str:
    """Return a text without line ends, tabs and what XML cannot hold."""
    return " ".join(clean(text).split())


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters; a cut is shown."""
    return text if len(text) <= most else text[: most - 1].rstrip() + CUT
