"""What is wrong by now, and where: a sentence for each kind and place, until mended."""

from typing import Dict, List

__all__ = ["Troubles"]

MOST_PLACES = 3


class Troubles:
    """Keeps the newest sentence of each kind and place.

    What went well at one position says nothing of another, so each place keeps its own
    trouble until it is mended there.
    """

    def __init__(self) -> None:
        self._told: Dict[str, Dict[str, str]] = {}

    def note(self, kind: str, place: str, told: str) -> None:
        """Take note of a trouble, or with an empty text that there is none any more."""
        places = self._told.setdefault(kind, {})
        places.pop(place, None)
        if told:
            places[place] = told

    def sentences(self) -> List[str]:
        """Return what is wrong; of many places of a kind the newest few."""
        sentences: List[str] = []
        for places in self._told.values():
            told = list(places.values())
            sentences += told[-MOST_PLACES:]
            more = len(told) - MOST_PLACES
            if more > 0:
                sentences.append(f"The same is wrong at {more} more positions.")
        return sentences
