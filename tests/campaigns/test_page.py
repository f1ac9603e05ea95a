"""The page of the attacks has a place for each of them."""

from pathlib import Path

import pytest

from campaigns.__main__ import NAMES, PAGE, write_section
from campaigns.findings import Findings, Table


@pytest.mark.parametrize("name", NAMES)
def test_each_attack_writes_its_own_section(tmp_path: Path, name: str) -> None:
    """A campaign replaces what stood between its marks, and nothing else."""
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text("utf-8"), "utf-8")
    write_section(page, name, "older figures: 17")
    write_section(page, name, r"second \1")
    text = page.read_text("utf-8")
    assert f"<!-- {name} -->\nsecond \\1\n<!-- end of {name} -->" in text
    assert "older figures: 17" not in text
    assert text.count("<!--") == 2 * len(NAMES)


def test_a_page_without_a_place_is_refused(tmp_path: Path) -> None:
    """Figures are never dropped because the page lost its marks."""
    page = tmp_path / "page.md"
    page.write_text("nothing", "utf-8")
    with pytest.raises(ValueError, match="0 places for kill"):
        write_section(page, "kill", "text")


def test_findings_show_figures_and_falls() -> None:
    """Numbers stand right with their thousands apart; every fall is told."""
    table = Table(("what", "trials", "time"), (("kill", 1000, "3 s"),))
    told = Findings((table,), broken=("Trial 3 lost a frame.",)).markdown()
    assert "| --- | --: | --- |" in told
    assert "| kill | 1 000 | 3 s |" in told
    assert told.endswith("**Fell:**\n\n- Trial 3 lost a frame.")
