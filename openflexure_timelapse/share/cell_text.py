"""What a person typed, as the cell of a table: text, whatever it looks like. Pure."""

__all__ = ["cell_text"]

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell_text(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    An apostrophe before it is how a person tells a spreadsheet that text is meant.
    """
    return f"'{text}" if text.startswith(FORMULA) else text
