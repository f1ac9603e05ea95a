"""The page on server v2 names every address that is there, and no other."""

import re
from pathlib import Path

from openflexure_timelapse.hosts.routes import ROUTES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "server_v2.md"
ACTION = ("POST", "timelapse")


def test_the_table_lists_every_address_with_its_methods() -> None:
    """A script's author finds what can be asked, and can ask what is found."""
    rows = re.findall(r"^\| (`.*`) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    listed = {
        (method, address)
        for row in rows
        for method, address in re.findall(r"`([A-Z]+) ([^`?]+)(?:\?[^`]*)?`", row)
    }
    there = {(method, route.rule) for route in ROUTES for method in route.handlers}
    assert listed == there | {ACTION}


def test_each_address_has_a_name_of_its_own() -> None:
    """It is the key by which a client finds the link."""
    assert len({route.name for route in ROUTES}) == len(ROUTES)
    assert len({route.rule for route in ROUTES}) == len(ROUTES)
