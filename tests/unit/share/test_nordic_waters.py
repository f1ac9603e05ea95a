"""The areas of Nordic Microalgae: what a Swedish name of a water is taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.share.nordic_waters import AREAS, nearest_areas

SEAS = {
    "Bottenviken": "Baltic Sea - Bothnian Bay",
    "Bottniska viken": "Baltic Sea - Bothnian Sea",
    "Norra Kvarken": "Baltic Sea - The Quark",
    "Kvarken": "Baltic Sea - The Quark",
    "Södra Kvarken": "Baltic Sea - Åland Sea",
    "Bottenhavet": "Baltic Sea - Bothnian Sea",
    "Ålands hav": "Baltic Sea - Åland Sea",
    "Åland": "Baltic Sea - Åland Sea",
    "Skärgårdshavet": "Baltic Sea - Archipelago Sea",
    "Finska viken": "Baltic Sea - Gulf of Finland",
    "Rigabukten": "Baltic Sea - Gulf of Riga",
    "Gdanskbukten": "Baltic Sea - The Gulf of Gdansk",
    "Norra Östersjön": "Baltic Sea - Northern Baltic Proper",
    "Norra Egentliga Östersjön": "Baltic Sea - Northern Baltic Proper",
    "Egentliga Östersjön": "Baltic Sea - Northern Baltic Proper",
    "Östersjön": "Baltic Sea - Northern Baltic Proper",
    "Västra Gotlandshavet": "Baltic Sea - Central Baltic Proper",
    "Östra Gotlandshavet": "Baltic Sea - Central Baltic Proper",
    "Kalmarsund": "Baltic Sea - Central Baltic Proper",
    "Bornholmshavet och Hanöbukten": "Baltic Sea - Southern Baltic Proper",
    "Hanöbukten": "Baltic Sea - Southern Baltic Proper",
    "Södra Östersjön": "Baltic Sea - Southern Baltic Proper",
    "Arkonahavet": "Baltic Sea - Arkona Basin",
    "Mecklenburgbukten": "Baltic Sea - Mecklenburger Bight",
    "Kielbukten": "Baltic Sea - Kiel Bay",
    "Lilla Bält": "Baltic Sea - S Little Belt",
    "Stora Bält": "Baltic Sea - S Great Belt",
    "Öresund": "Kattegat - N part of the sound",
    "Kattegatt": "Kattegat - Swedish coast",
    "Skagerack": "Skagerrak - Swedish coast",
    "Västerhavet": "Skagerrak - Swedish coast",
    "Västkusten": "Skagerrak - Swedish coast",
    "Gullmarsfjorden, Skagerrak": "Skagerrak - Swedish coast",
    "Oslofjorden": "Skagerrak - Oslo fjord",
    "Limfjorden": "Limfjorden",
    "Nordsjön": "North Sea - off shore",
    "Norska havet": "Norwegian Sea - off shore",
    "Barents hav": "Barent Sea - off shore",
    "Färöarna": "Faeroes",
    "Shetland": "Shetland",
    "Island": "Iceland - NE",
    "Grönlandshavet": "Greenland Sea - off shore",
    "Norra ishavet": "Arctic ocean - off shore",
    "Atlanten": "Atlantic ocean - off shore",
}
FRESH = {
    "Vänern": "Lake - Sweden",
    "Vättern": "Lake - Sweden",
    "Mälaren": "Lake - Sweden",
    "Hjälmaren": "Lake - Sweden",
    "Ringsjön": "Lake - Sweden",
    "Storsjön": "Lake - Sweden",
    "Långträsket": "Lake - Sweden",
    "skolans damm": "Lake - Sweden",
    "Dalälven": "River - Sweden",
    "Göta älv": "River - Sweden",
    "Fyrisån, en bäck": "River - Sweden",
}
MISSPELT = {
    "Vasterhavet": "Skagerrak - Swedish coast",
    "Östersjöm": "Baltic Sea - Northern Baltic Proper",
    "Gulf of Finlnd": "Baltic Sea - Gulf of Finland",
    "Vätern": "Lake - Sweden",
    "kattegat swedish coast": "Kattegat - Swedish coast",
    "Bothnian bay": "Baltic Sea - Bothnian Bay",
}


@pytest.mark.parametrize(
    ("name", "area"), [*SEAS.items(), *FRESH.items(), *MISSPELT.items()]
)
def test_a_name_leads_to_its_area(name: str, area: str) -> None:
    """First of at most three, and whatever the letters' size and kind."""
    found = nearest_areas(name)
    assert found[0] == area
    assert len(found) <= 3
    assert nearest_areas(name.upper()) == found


@pytest.mark.parametrize("name", ["", "x", "123", "hav", "Sea", "Sverige", "coast"])
def test_what_names_no_water_leads_nowhere(name: str) -> None:
    """A wrong suggestion is worse than none."""
    assert nearest_areas(name) == []


def test_a_sea_is_no_lake_and_not_far_away() -> None:
    """Names that end alike, or sound alike, are not mixed."""
    for name in SEAS:
        found = nearest_areas(name)
        assert not any(area.startswith(("Lake", "River")) for area in found), name
    assert "Faeroes" not in nearest_areas("Västerhavet")


@given(st.one_of(st.text(max_size=60), st.sampled_from(AREAS)))
def test_whatever_is_typed_only_areas_are_told(text: str) -> None:
    """Each once; an area leads to itself."""
    found = nearest_areas(text)
    assert set(found) <= set(AREAS)
    assert len(found) == len(set(found))
    if text in AREAS:
        assert found[0] == text
