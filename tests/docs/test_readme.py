"""The commands that the README tells a newcomer to type are there."""

import re
from pathlib import Path
from typing import Set

import pytest

from openflexure_timelapse import cli

ROOT = Path(__file__).resolve().parents[2]


def code_of_readme() -> str:
    """Return the parts of the README that are set as code."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


def make_targets() -> Set[str]:
    """Return the commands that the Makefile offers."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))


def test_make_has_what_the_readme_names() -> None:
    """The newcomer's two commands are in the README; all it names are targets."""
    named = set(re.findall(r"\bmake ([a-z]+)\b", code_of_readme()))
    assert {"demo", "test"} <= named <= make_targets()


def test_the_command_line_has_what_the_readme_names() -> None:
    """Each ``openflexure-timelapse`` command of the README explains itself."""
    command = re.compile(r"\bopenflexure-timelapse (plan \w+|[a-z]+)")
    named = sorted(set(command.findall(code_of_readme())))
    assert named
    for words in named:
        with pytest.raises(SystemExit) as ended:
            cli.main([*words.split(), "--help"])
        assert ended.value.code == 0, words
