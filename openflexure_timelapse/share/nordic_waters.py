"""The areas of Nordic Microalgae, and which of them a name of a water may mean. Pure.

Its form has a closed list in English; people write the Swedish name of a sea, or of
the lake that everybody knows.
"""

import difflib
import re
import unicodedata
from typing import Dict, List, Mapping, Set, Tuple

__all__ = ["AREAS", "nearest_areas"]

_PARTS = {
    "Baltic Sea": (
        "Bothnian Bay",
        "The Quark",
        "Bothnian Sea",
        "Archipelago Sea",
        "\u00c5land Sea",
        "Gulf of Finland",
        "Gulf of Riga",
        "Northern Baltic Proper",
        "Central Baltic Proper",
        "Southern Baltic Proper",
        "The Gulf of Gdansk",
        "Arkona Basin",
        "Mecklenburger Bight",
        "Kiel Bay",
        "S Little Belt",
        "S Great Belt",
        "S part of the sound",
    ),
    "Kattegat": (
        "off shore",
        "Swedish coast",
        "Danish coast",
        "N Little Belt",
        "N Great Belt",
        "N part of the sound",
    ),
    "Limfjorden": (),
    "Skagerrak": ("off shore", "Swedish coast", "Oslo fjord", "Norwegian coast"),
    "North Sea": ("off shore", "Norwegian coast", "Danish coast"),
    "Norwegian Sea": ("off shore", "coast"),
    "Barent Sea": ("off shore", "Norwegian coast", "Svalbard"),
    "Faeroes": (),
    "Shetland": (),
    "Iceland": ("NE", "SW"),
    "Greenland Sea": ("off shore", "Greenland coast"),
    "Arctic ocean": ("off shore", "Svalbard coast", "Greenland coast"),
    "Atlantic ocean": ("off shore",),
}
_COUNTRIES = (
    "Denmark",
    "Estonia",
    "Finland",
    "Greenland",
    "Iceland",
    "Germany",
    "Latvia",
    "Lithuania",
    "Norway",
    "Poland",
    "Russia",
    "Sweden",
)
AREAS: Tuple[str, ...] = (
    *(
        f"{sea} - {part}" if part else sea
        for sea, parts in _PARTS.items()
        for part in parts or ("",)
    ),
    *(f"{water} - {country}" for water in ("Lake", "River") for country in _COUNTRIES),
)
"""The choices of ``geographic_area``, in order."""

MOST = 3
ALIKE = 0.75
"""How much of a word must be the same where it is misspelt."""

# Where Swedish tells more than one area, the likelier comes first.
_SWEDISH: Mapping[str, Tuple[str, ...]] = {
    "bottenviken": ("Baltic Sea - Bothnian Bay",),
    "bottniska viken": ("Baltic Sea - Bothnian Sea", "Baltic Sea - Bothnian Bay"),
    "kvarken": ("Baltic Sea - The Quark",),
    "bottenhavet": ("Baltic Sea - Bothnian Sea",),
    "alands hav": ("Baltic Sea - \u00c5land Sea",),
    "alandshav": ("Baltic Sea - \u00c5land Sea",),
    "sodra kvarken": ("Baltic Sea - \u00c5land Sea",),
    "skargardshavet": ("Baltic Sea - Archipelago Sea",),
    "finska viken": ("Baltic Sea - Gulf of Finland",),
    "rigabukten": ("Baltic Sea - Gulf of Riga",),
    "rigaviken": ("Baltic Sea - Gulf of Riga",),
    "gdanskbukten": ("Baltic Sea - The Gulf of Gdansk",),
    "gdanskviken": ("Baltic Sea - The Gulf of Gdansk",),
    "norra ostersjon": ("Baltic Sea - Northern Baltic Proper",),
    "norra egentliga ostersjon": ("Baltic Sea - Northern Baltic Proper",),
    "gotlandshavet": ("Baltic Sea - Central Baltic Proper",),
    "gotlandsbassangen": ("Baltic Sea - Central Baltic Proper",),
    "kalmarsund": ("Baltic Sea - Central Baltic Proper",),
    "bornholmshavet": ("Baltic Sea - Southern Baltic Proper",),
    "bornholmsbassangen": ("Baltic Sea - Southern Baltic Proper",),
    "hanobukten": ("Baltic Sea - Southern Baltic Proper",),
    "sodra ostersjon": ("Baltic Sea - Southern Baltic Proper",),
    "arkonabassangen": ("Baltic Sea - Arkona Basin",),
    "arkonahavet": ("Baltic Sea - Arkona Basin",),
    "mecklenburgbukten": ("Baltic Sea - Mecklenburger Bight",),
    "mecklenburgerbukten": ("Baltic Sea - Mecklenburger Bight",),
    "kielbukten": ("Baltic Sea - Kiel Bay",),
    "lilla balt": ("Baltic Sea - S Little Belt", "Kattegat - N Little Belt"),
    "stora balt": ("Baltic Sea - S Great Belt", "Kattegat - N Great Belt"),
    "oresund": ("Kattegat - N part of the sound", "Baltic Sea - S part of the sound"),
    "ostersjon": (
        "Baltic Sea - Northern Baltic Proper",
        "Baltic Sea - Central Baltic Proper",
        "Baltic Sea - Southern Baltic Proper",
    ),
    "kattegatt": ("Kattegat - Swedish coast", "Kattegat - off shore"),
    "skagerack": ("Skagerrak - Swedish coast", "Skagerrak - off shore"),
    "vasterhavet": (
        "Skagerrak - Swedish coast",
        "Kattegat - Swedish coast",
        "Skagerrak - off shore",
    ),
    "vastkusten": ("Skagerrak - Swedish coast", "Kattegat - Swedish coast"),
    "oslofjorden": ("Skagerrak - Oslo fjord",),
    "nordsjon": ("North Sea - off shore",),
    "norska havet": ("Norwegian Sea - off shore",),
    "barents hav": ("Barent Sea - off shore",),
    "gronlandshavet": ("Greenland Sea - off shore",),
    "norra ishavet": ("Arctic ocean - off shore",),
    "atlanten": ("Atlantic ocean - off shore",),
    "nordatlanten": ("Atlantic ocean - off shore",),
    "faroarna": ("Faeroes",),
    "shetlandsoarna": ("Shetland",),
    "limfjord": ("Limfjorden",),
    "vanern": ("Lake - Sweden",),
    "vattern": ("Lake - Sweden",),
    "malaren": ("Lake - Sweden",),
    "hjalmaren": ("Lake - Sweden",),
    "sjo": ("Lake - Sweden", "Lake - Finland"),
    "insjo": ("Lake - Sweden", "Lake - Finland"),
    "damm": ("Lake - Sweden",),
    "tjarn": ("Lake - Sweden",),
    "trask": ("Lake - Sweden", "Lake - Finland"),
    "alv": ("River - Sweden",),
    "back": ("River - Sweden",),
    "flod": ("River - Sweden",),
    "lake": ("Lake - Sweden", "Lake - Finland"),
    "river": ("River - Sweden", "River - Finland"),
    "island": ("Iceland - NE", "Iceland - SW"),
    "gronland": ("Greenland Sea - Greenland coast",),
    "bohuslan": ("Skagerrak - Swedish coast",),
    "gullmarsfjorden": ("Skagerrak - Swedish coast",),
    "gullmarn": ("Skagerrak - Swedish coast",),
}
# The end of a lake's or river's own name, as of Ringsj\u00f6n and Dal\u00e4lven.
_ENDINGS: Mapping[str, Tuple[str, ...]] = {
    "sjon": ("Lake - Sweden",),
    "sjoarna": ("Lake - Sweden",),
    "trasket": ("Lake - Sweden",),
    "dammen": ("Lake - Sweden",),
    "tjarnen": ("Lake - Sweden",),
    "alven": ("River - Sweden",),
    "backen": ("River - Sweden",),
}
# Words that stand in many names and tell no area.
_COMMON = {
    "of",
    "the",
    "and",
    "n",
    "s",
    "part",
    "off",
    "shore",
    "coast",
    "sea",
    "ocean",
}


def nearest_areas(area: str) -> List[str]:
    """Return the areas that may be meant, the likeliest first; none where nothing fits.

    A known Swedish name counts before the words that the text shares with an area's
    name, these before the end of a lake's own name, and all of them before what is
    nearly a Swedish name. Letters count without their dots and rings.
    """
    text = _plain(area)
    itself = [name for name in AREAS if _plain(name) == text]
    found = itself or _of_phrases(text) or _of_words(text) or _of_endings(text)
    return list(dict.fromkeys(found or _of_misspelt(text)))[:MOST]


def _plain(text: str) -> str:
    """Return small letters without dots and rings, and words with a space between."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"[a-z]+", "".join(filter(_is_bare, apart))))


def _is_bare(char: str) -> bool:
    """Tell whether a character is no mark over another one."""
    return not unicodedata.combining(char)


def _of_phrases(text: str) -> List[str]:
    """Return what the known Swedish names in a text stand for, the longest first."""
    found: List[str] = []
    padded = f" {text} "
    for phrase in sorted(_SWEDISH, key=len, reverse=True):
        if f" {phrase} " in padded:
            found += _SWEDISH[phrase]
            padded = padded.replace(phrase, "")
    return found


def _of_words(text: str) -> List[str]:
    """Return the areas that share most words with a text, rightly spelt or nearly."""
    words = set(text.split()) - _COMMON
    if not words:
        return []
    scores: Dict[str, float] = {}
    for area in AREAS:
        own = set(_plain(area).split()) - _COMMON
        shared = words & own
        misspelt = _misspelt(words - shared, own - shared)
        if shared or misspelt:
            scores[area] = len(shared) + misspelt
    best = max(scores.values(), default=0.0)
    return [area for area in AREAS if scores.get(area) == best]


def _misspelt(words: Set[str], own: Set[str]) -> float:
    """Return how many words of a text are nearly ones of an area."""
    return 0.9 * sum(
        bool(difflib.get_close_matches(word, own, 1, ALIKE)) for word in words
    )


def _of_misspelt(text: str) -> List[str]:
    """Return what nearly known Swedish names stand for."""
    near = difflib.get_close_matches(text, _SWEDISH, 1, ALIKE)
    return list(_SWEDISH[near[0]]) if near else []


def _of_endings(text: str) -> List[str]:
    """Return what the end of a water's own name tells."""
    found: List[str] = []
    for ending, areas in _ENDINGS.items():
        if any(word.endswith(ending) for word in text.split()):
            found += areas
    return found
