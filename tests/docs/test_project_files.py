"""What the project's files tell a reader is true of the project."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import List

import pytest

from openflexure_timelapse import __version__
from openflexure_timelapse.manifest import load_manifest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"


def text_of(path: Path) -> str:
    """Return a file as text."""
    return path.read_text(encoding="utf-8")


def test_the_changelog_has_the_version() -> None:
    """The newest entry of the changelog is the package's version, with its day."""
    entry = re.search(
        r"^## \[(\S+)\] - (\S+)$", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE
    )
    assert entry is not None
    assert entry.group(1) == load_manifest().version == __version__
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", entry.group(2))


def test_the_licence_is_whole() -> None:
    """LICENSE is the GNU General Public License, version 3, to its last line."""
    licence = text_of(ROOT / "LICENSE")
    assert "GNU GENERAL PUBLIC LICENSE" in licence
    assert "Version 3, 29 June 2007" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


@pytest.mark.parametrize(
    "path", sorted(DECISIONS.glob("0*.md")), ids=lambda path: path.stem
)
def test_a_decision_is_complete_and_listed(path: Path) -> None:
    """A decision has a day, a context, a decision and consequences, and is listed."""
    text = text_of(path)
    assert re.search(r"^\d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences"]
    assert f"({path.name})" in text_of(DECISIONS / "README.md")


def test_links_between_documents_lead_somewhere() -> None:
    """Each relative link in a tracked Markdown file names a file that exists."""
    broken = [
        f"{path.name}: {link}"
        for path in tracked_files()
        if path.suffix == ".md"
        for link in re.findall(r"\]\(([^)#\s]+)", text_of(path))
        if "://" not in link and not (path.parent / link).exists()
    ]
    assert not broken


# ------------------------------------------------------------ nothing of this machine


def tracked_files() -> List[Path]:
    """Return the text files that git knows; skips where there is no git."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so nothing is tracked")
    listed = subprocess.run(
        [git, "-C", str(ROOT), "ls-files", "-z"], stdout=subprocess.PIPE, check=True
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and is_text(path)]


def is_text(path: Path) -> bool:
    """Tell text from pictures, as git does: by a zero byte."""
    return b"\0" not in path.read_bytes()


def machine_words() -> List[str]:
    """Return what must not be in a file: a package registry, or this machine's paths.

    In two halves, so that this file does not hold them itself.
    """
    registries = ["py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs"]
    options = ["--index" + "-url", "extra-index" + "-url", "find" + "-links"]
    places = [str(ROOT), str(Path.home()), "/ro" + "ot/", "/wo" + "rk/"]
    return registries + options + [place for place in places if len(place) > len("/x")]


def test_no_file_names_a_registry_or_a_machine() -> None:
    """The project builds anywhere: no registry's host and no path of a machine."""
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked_files()
        for word in machine_words()
        if word in text_of(path)
    ]
    assert not found
