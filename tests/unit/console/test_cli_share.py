"""Sharing from the command line, of a folder that was copied from a microscope."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest
from command_line import called, is_one_sentence

NORDIC = ("--to", "nordic-microalgae")
RECORD: Dict[str, Any] = {
    "title": "Kedjan [red] växer",
    "photographer": "Åsa Öberg",
    "taxon": {"name": "Skeletonema marinoi", "aphia_id": 376667},
    "sampled_at": "2026-10-20",
}


@pytest.fixture(name="described")
def _described(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Path:
    """Return a copied run of which a person has told what is known."""
    (tmp_path / "record.json").write_text(json.dumps(RECORD), "utf-8")
    described = ("describe", str(copied), str(tmp_path / "record.json"))
    assert called(capsys, *described)[0] == 0
    return copied


def test_describe_shows_and_replaces(
    described: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people, and as JSON for scripts."""
    code, printed, _ = called(capsys, "describe", str(described))
    assert code == 0
    assert "Kedjan [red] växer" in printed
    assert "aphia_id 376667" in printed
    code, printed, _ = called(capsys, "describe", str(described), "--json")
    told = json.loads(printed)
    assert told["record"]["photographer"] == "Åsa Öberg"
    assert told["imaged"]["frames"] == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[1]", "must be a JSON object"),
        (b"\xff", "is not JSON"),
        (b'{"titel": "x"}', "perhaps 'title' is meant"),
        (b'{"latitude": 57.7}', "both, or none"),
    ],
    ids=["list", "bytes", "misspelt", "half a place"],
)
def test_a_bad_record_is_refused(
    described: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    told: str,
) -> None:
    """In one sentence, with the code for wrong use; the one before stays."""
    (tmp_path / "bad.json").write_bytes(content)
    bad = str(tmp_path / "bad.json")
    code, _, error = called(capsys, "describe", str(described), bad)
    assert code == 2
    assert told in error
    assert is_one_sentence(error)
    assert "Kedjan" in called(capsys, "describe", str(described))[1]


def test_what_is_missing_is_told(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By ``--check`` for people and scripts, and by the command itself."""
    out = tmp_path / "out"
    code, printed, _ = called(capsys, "share", str(copied), *NORDIC, "--check")
    assert code == 2
    assert "photographer: " in printed
    assert "cannot take" in printed
    code, printed, _ = called(
        capsys, "share", str(copied), *NORDIC, "--check", "--json"
    )
    assert (code, json.loads(printed)["ready"]) == (2, False)
    code, _, error = called(capsys, "share", str(copied), *NORDIC, "--out", str(out))
    assert code == 2
    assert "Nordic Microalgae cannot take this run yet" in error
    assert is_one_sentence(error)
    assert not out.exists()
    assert not (copied / "share" / "shared.json").exists()


def test_a_bundle_and_its_check(
    described: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder; checked again later, also zipped; what was changed is named."""
    out = tmp_path / "out"
    ordered = ("share", str(described), *NORDIC, "--out", str(out), "--frames", "1,3")
    code, printed, _ = called(capsys, *ordered)
    assert code == 0
    assert "Bundle:" in printed
    code, printed, _ = called(capsys, *ordered, "--json")
    told = json.loads(printed)
    assert told["bundle"] == str(out / f"{described.name}_nordic-microalgae_2")
    bundle = Path(told["bundle"])
    about = json.loads((bundle / "bundle.json").read_text("utf-8"))
    assert about["order"]["frames"] == [1, 3]
    assert sorted(item.name for item in out.iterdir()) == [
        f"{described.name}_nordic-microalgae",
        f"{described.name}_nordic-microalgae_2",
    ]
    assert json.loads((described / "share" / "shared.json").read_text("utf-8")) == [
        "nordic-microalgae"
    ]
    zipped = shutil.make_archive(str(tmp_path / "b"), "zip", str(out), bundle.name)
    for place in (str(bundle), zipped):
        code, printed, _ = called(capsys, "share", "verify", place)
        assert code == 0
        assert "Every file is as it was made" in printed
    (bundle / "README.txt").write_text("other", "utf-8")
    (bundle / "LASMIG.txt").unlink()
    code, printed, _ = called(capsys, "share", "verify", str(bundle), "--json")
    assert code == 1
    wrong = json.loads(printed)["wrong"]
    assert wrong == ["LASMIG.txt is missing.", "README.txt was changed."]


def test_what_a_killed_share_left_is_told_and_removed(
    described: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``share verify`` names it, and is not taken in; the next share removes it."""
    out = tmp_path / "bundles"
    command = ("share", str(described), *NORDIC, "--out", str(out))
    assert called(capsys, *command)[0] == 0
    (bundle,) = out.iterdir()
    left = out / f".{bundle.name}.bundle.0123456789ab.part"
    left.mkdir()
    (left / "half.jpg").write_bytes(b"half")
    code, printed, _ = called(capsys, "share", "verify", str(bundle), "--json")
    assert (code, json.loads(printed)["leftovers"]) == (0, [left.name])
    assert "share has left that was cut off" in " ".join(
        called(capsys, "share", "verify", str(bundle))[1].split()
    )
    code, _, error = called(capsys, "share", "verify", str(left))
    assert code == 1
    assert "no bundle; share the run again" in error
    assert left.is_dir()
    code, printed, _ = called(capsys, *command, "--json")
    assert (code, json.loads(printed)["removed"]) == (0, [left.name])
    assert not left.exists()
    assert len(list(out.iterdir())) == 2


def test_a_run_that_cannot_be_written_is_shared_all_the_same(
    described: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That it was shared is then not noted, which is told."""
    shutil.rmtree(str(described / "share"), ignore_errors=True)
    (described / "share").write_bytes(b"a file where a folder should be")
    code, printed, _ = called(
        capsys, "share", str(described), *NORDIC, "--out", str(tmp_path / "out")
    )
    assert code == 0
    assert "does not know that it was shared" in printed


WRONG = {
    "no destination": ("share", "RUN"),
    "another destination": ("share", "RUN", "--to", "flickr"),
    "no run": ("share", "nothing", *NORDIC),
    "no position": ("share", "RUN", *NORDIC, "--position", "x"),
    "no numbers": ("share", "RUN", *NORDIC, "--frames", "1-3"),
    "number zero": ("share", "RUN", *NORDIC, "--frames", "0"),
    "no bundle": ("share", "verify", "nothing"),
    "no list of names": ("names", "Skel", "nowhere"),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_sentence(
    described: Path, capsys: pytest.CaptureFixture[str], arguments: "tuple[str, ...]"
) -> None:
    """And the exit code 2."""
    words = [str(described) if word == "RUN" else word for word in arguments]
    code, _, error = called(capsys, *words)
    assert code == 2
    assert is_one_sentence(error)


def test_what_is_no_bundle_has_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without checksums, and a zip file that is none."""
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with zipfile.ZipFile(str(tmp_path / "y.zip"), "w") as other:
        other.writestr("a", "b")
    for name in ("", "x.zip", "y.zip"):
        code, _, error = called(capsys, "share", "verify", str(tmp_path / name))
        assert code == 1
        assert "Traceback" not in error


def test_names_are_looked_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their numbers; what looks like markup is only a name."""
    rows = "scientific_name\tauthority\trank\ttaxon_id\n"
    rows += "Skeletonema\t[bold]Greville\tGenus\t149073\n"
    (tmp_path / "taxa.txt").write_text(rows, "utf-8")
    code, printed, _ = called(capsys, "names", "skel", str(tmp_path))
    assert code == 0
    assert "149073" in printed
    assert "[bold]Greville" in printed
    code, printed, _ = called(capsys, "names", "skel", str(tmp_path), "--json")
    assert json.loads(printed)["taxa"][0]["name"] == "Skeletonema"
