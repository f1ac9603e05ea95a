"""The guides that lie beside this module, filled in with what a bundle holds."""

from pathlib import Path
from typing import Mapping

from openflexure_timelapse.store.disk import storage_error

__all__ = ["guide_text"]

GUIDES = Path(__file__).with_name("guides")


def guide_text(destination: str, language: str, values: Mapping[str, str]) -> str:
    """Return a guide, its placeholders replaced.

    Parameters
    ----------
    destination : str
        Its name in an order.
    language : str
        ``en`` or ``sv``.
    values : mapping
        By placeholder. What a person typed may hold braces: it is not looked at.

    Raises
    ------
    StorageError
        When the installation is damaged.
    """
    place = GUIDES / f"{destination}.{language}.txt"
    try:
        return place.read_text("utf-8").format_map(values)
    except OSError as exc:
        raise storage_error(exc, "read", place) from exc
