"""A README names what lies beside it, and says what the pictures are."""

import json
from pathlib import Path

import pytest
from cases.gallery import bundled, shared_run

DESTINATIONS = ("nordic-microalgae", "inaturalist", "artportalen", "gbif")
READMES = {"README.txt": "SIMULATED", "LASMIG.txt": "SIMULERAT"}


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_a_readme_names_every_file_beside_it(tmp_path: Path, destination: str) -> None:
    """In both languages; nobody wonders what a file is for."""
    bundle = bundled(shared_run(tmp_path, count=2), destination)
    for readme in READMES:
        text = (bundle / readme).read_text("utf-8")
        missing = [
            path.name
            for path in bundle.iterdir()
            if path.name not in READMES and path.name not in text
        ]
        assert missing == []


@pytest.mark.parametrize("simulated", [True, False])
def test_drawn_pictures_are_told_as_such(tmp_path: Path, *, simulated: bool) -> None:
    """First of all, so that nobody deposits them."""
    run = shared_run(tmp_path, count=1)
    header = json.loads((run / "run.json").read_text("utf-8"))
    header["camera"]["simulated"] = simulated
    (run / "run.json").write_text(json.dumps(header), "utf-8")
    bundle = bundled(run, "nordic-microalgae")
    for readme, word in READMES.items():
        first = (bundle / readme).read_text("utf-8").split("\n")[0]
        assert (word in first) is simulated
