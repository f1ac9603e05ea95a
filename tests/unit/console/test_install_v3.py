"""The installer for server v3: one entry comes and goes, all else of the file stays."""

import json
import os
import stat
from pathlib import Path
from typing import Any, Dict

import pytest
from cases.stored import make_read_only, small_disk
from v3_site import (
    ENTRY,
    OTHER,
    OURS,
    PATCHED,
    PLAIN,
    said,
    written,
)

from openflexure_timelapse.console.install_v3 import (
    NAME,
    backup_of,
    config_file,
    install,
    uninstall,
)
from openflexure_timelapse.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    TimelapseError,
)
from openflexure_timelapse.store.disk import is_temporary

# ------------------------------------------------------------------ the configuration


def test_the_usual_place_is_found(v3_root: Path, tmp_path: Path) -> None:
    """Without --folder the microscope's own; with it the file, its folder, the root."""
    with pytest.raises(NotFoundError, match="--folder") as raised:
        config_file(None)
    assert str(v3_root / "settings" / "ofm_config.json") in str(raised.value)
    path = written(v3_root / "settings" / "ofm_config.json", PATCHED)
    for given in (None, path, path.parent, v3_root):
        assert config_file(given) == path
    plain = written(tmp_path / "any_name.json", PLAIN)
    assert config_file(plain) == plain
    for wrong in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(NotFoundError, match="looked for"):
            config_file(wrong)


@pytest.mark.usefixtures("v3_site")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that a link leads to is changed."""
    path, link = written(tmp_path / "true.json", PLAIN), tmp_path / "link.json"
    link.symlink_to(path)
    assert install(config_file(link), ENTRY).path == path
    assert link.is_symlink()
    assert NAME in said(path)["things"]


# ----------------------------------------------------------------------- install, undo


CASES: Dict[str, Any] = {
    "patch": (PATCHED, ("patch", "things")),
    "no things in the patch": (
        {"base_config_file": "b", "patch": {"a": 1}},
        ("patch", "things"),
    ),
    "no patch": ({"base_config_file": "b.json"}, ("patch", "things")),
    "empty things": ({"patch": {"things": {}}}, ("patch", "things")),
    "plain": (PLAIN, ("things",)),
    "no Things at all": ({"things": {}}, ("things",)),
}


@pytest.mark.usefixtures("v3_site")
@pytest.mark.parametrize("case", sorted(CASES))
def test_it_is_added_and_removed(tmp_path: Path, case: str) -> None:
    """Our entry comes last and nothing else changes; undo gives back each byte."""
    document, keys = CASES[case]
    path = written(tmp_path / "ofm_config.json", document)
    before = path.read_bytes()
    did = install(path, ENTRY)
    assert (did.done, did.path, did.warnings) == ("installed", path, ())
    assert did.backup == backup_of(path)
    assert did.backup.read_bytes() == before
    told = said(path)
    things = told
    for key in keys:
        things = things[key]
    assert list(things.items())[-1] == (NAME, OURS)
    assert install(path, ENTRY).done == "unchanged"
    assert said(path) == told
    did = uninstall(path, ENTRY)
    assert (did.done, did.backup, did.warnings) == ("removed", None, ())
    assert path.read_bytes() == before
    assert uninstall(path, ENTRY).done == "nothing"
    assert [each.name for each in tmp_path.glob("ofm_config*")] == [path.name]


FORMS: Dict[str, Any] = {
    "tab": {"indent": "\t"},
    "two": {"indent": 2},
    "four, escaped": {"indent": 4, "ensure_ascii": True},
    "one line": {"indent": None},
}


@pytest.mark.usefixtures("v3_site")
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
@pytest.mark.parametrize("case", sorted(FORMS))
def test_the_form_is_kept(tmp_path: Path, case: str, end: str) -> None:
    """Order, indentation, ends of lines and escapes are as they were."""
    form = {"ensure_ascii": False, **FORMS[case]}
    path = tmp_path / "ofm_config.json"

    def text(document: Any) -> bytes:
        lines = json.dumps(document, **form) + (end and "\n")
        return lines.replace("\n", end or "\n").encode()

    path.write_bytes(text(PATCHED))
    expected = json.loads(json.dumps(PATCHED))
    expected["patch"]["things"][NAME] = OURS
    install(path, ENTRY)
    assert path.read_bytes() == text(expected)


@pytest.mark.usefixtures("v3_site")
def test_what_changed_since_is_kept(tmp_path: Path) -> None:
    """Undo takes out ours alone, and keeps the copy that is no longer the same."""
    path = written(tmp_path / "ofm_config.json", {"base_config_file": "b.json"})
    install(path, ENTRY)
    document = said(path)
    document["patch"]["things"]["lamp"] = OTHER
    document["patch"]["things"][NAME]["kwargs"] = {"camera": "eye"}
    written(path, document)
    did = uninstall(path, ENTRY)
    assert said(path)["patch"] == {"things": {"lamp": OTHER}}
    assert did.backup == backup_of(path)
    assert did.backup.exists()
    assert '"eye"' in did.warnings[0]


@pytest.mark.usefixtures("v3_site")
@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_without_the_copy_empty_objects_stay(tmp_path: Path, damage: str) -> None:
    """Who made them is not known then, and they change nothing."""
    path = written(tmp_path / "ofm_config.json", {"base_config_file": "b.json"})
    install(path, ENTRY)
    if damage == "gone":
        backup_of(path).unlink()
    else:
        backup_of(path).write_text("{", encoding="utf-8")
    assert uninstall(path, ENTRY).done == "removed"
    assert said(path) == {"base_config_file": "b.json", "patch": {"things": {}}}


@pytest.mark.usefixtures("v3_site")
def test_permissions_and_owner_are_kept(tmp_path: Path) -> None:
    """The file and its copy belong to whom the file belonged."""
    path = written(tmp_path / "ofm_config.json", PATCHED)
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(str(path), 1234, 1235)
    before = path.stat()
    install(path, ENTRY)
    for each in (path, backup_of(path)):
        after = each.stat()
        assert stat.S_IMODE(after.st_mode) == 0o640
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


@pytest.mark.usefixtures("v3_site")
def test_what_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only file is a sentence that names it; nothing is left beside it."""
    with small_disk(tmp_path / "small") as small:
        path = written(small / "ofm_config.json", PATCHED)
        make_read_only(small)
        with pytest.raises(TimelapseError, match=r"(read-only|denied)"):
            install(path, ENTRY)
        assert not [each for each in small.iterdir() if is_temporary(each.name)]
    path = written(tmp_path / "ofm_config.json", PATCHED)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(TimelapseError, match=r"permission denied.*With sudo: sudo"):
        install(path, ENTRY)
    assert said(path) == PATCHED


# ----------------------------------------------------------------------------- refused


REFUSED: Dict[str, Any] = {
    "comments": ('{\n// my microscope\n"things": {}}', "comments"),
    "half": ('{"things": {', "is not JSON"),
    "not UTF-8": (b'{"things": {"\xff": 1}}', "is not JSON"),
    "NaN": ('{"things": {}, "x": NaN}', "NaN is no number"),
    "a list": ("[]", "holds a list"),
    "something else": ('{"a": 1}', "neither things nor base_config_file"),
    "things a list": ('{"things": []}', r"things of .* must be an object"),
    "patch null": ('{"patch": null}', r"patch of .* is null"),
    "patched things": ('{"patch": {"things": "no"}}', r"patch\.things of .* \"no\""),
    "kwargs": (
        {"things": {NAME: {**OURS, "kwargs": []}}},
        "kwargs of timelapse .* must be an object",
    ),
    "a key": ({"things": {NAME: {**OURS, "kwarg": {}}}}, "did you mean 'kwargs'"),
    "a slot": (
        {"things": {NAME: {**OURS, "thing_slots": {"camra": "eye"}}}},
        "'camra' is not known .* did you mean 'camera'",
    ),
    "an argument": ({"things": {NAME: {**OURS, "kwargs": {"zz": 1}}}}, "known: camera"),
}


@pytest.mark.usefixtures("v3_site")
@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_is_wrong_is_refused(tmp_path: Path, case: str) -> None:
    """A sentence says what, where and what to do; the file stays as it is."""
    text, told = REFUSED[case]
    path = tmp_path / "ofm_config.json"
    data = json.dumps(text) if isinstance(text, dict) else text
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    before = path.read_bytes()
    with pytest.raises(InvalidRequestError, match=told):
        install(path, ENTRY)
    assert path.read_bytes() == before
    assert not backup_of(path).exists()


FOREIGN: Dict[str, Any] = {
    "another class": ({NAME: OTHER}, "somebody.elses:Thing"),
    "another class, short": ({NAME: "some.other:Thing"}, "some.other:Thing"),
    "no class": ({NAME: {}}, "its class is null"),
    "null": ({NAME: None}, "takes a Thing of this name out"),
}


@pytest.mark.usefixtures("v3_site")
@pytest.mark.parametrize("case", sorted(FOREIGN))
def test_a_foreign_thing_is_kept(tmp_path: Path, case: str) -> None:
    """A Thing of our name that is not ours is neither changed nor removed."""
    things, told = FOREIGN[case]
    path = written(tmp_path / "ofm_config.json", {"patch": {"things": things}})
    for refused in (install, uninstall):
        with pytest.raises(ConflictError, match=told):
            refused(path, ENTRY)
    assert said(path) == {"patch": {"things": things}}


@pytest.mark.usefixtures("v3_site")
def test_a_second_time_lapse_is_refused(tmp_path: Path) -> None:
    """Under another name, two of them would use one camera."""
    path = written(tmp_path / "ofm_config.json", {"things": {"mine": OURS}})
    with pytest.raises(ConflictError, match=r"mine in things .* already"):
        install(path, ENTRY)


@pytest.mark.usefixtures("v3_site")
def test_the_base_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What our entry would be merged into must not be another Thing, if it is known."""
    monkeypatch.setenv("BASE_NAME", "base")
    path = tmp_path / "ofm_config.json"
    written(path, {"base_config_file": "$BASE_NAME.json"})
    base = written(tmp_path / "base.json", {"things": {NAME: OTHER}})
    with pytest.raises(ConflictError, match="is not the time-lapse"):
        install(path, ENTRY)
    written(base, {"things": {"any": OURS["class"].replace(":", ".")}})
    with pytest.raises(ConflictError, match="already"):
        install(path, ENTRY)
    base.write_text("not JSON", encoding="utf-8")
    assert install(path, ENTRY).done == "installed"


@pytest.mark.usefixtures("v3_site")
@pytest.mark.parametrize(
    "thing",
    [
        OURS["class"],
        OURS["class"].replace(":", "."),
        {"cls": OURS["class"], "kwargs": {"camera": "eye", "data_folder": "runs"}},
        {**OURS, "thing_slots": {"stage": "motors", "illumination": None}},
    ],
)
def test_an_entry_of_ones_own_is_left_alone(tmp_path: Path, thing: Any) -> None:
    """Whoever wrote the entry by hand, or added to it, keeps it."""
    path = written(tmp_path / "ofm_config.json", {"things": {NAME: thing}})
    before = path.read_bytes()
    assert install(path, ENTRY).done == "unchanged"
    assert path.read_bytes() == before
