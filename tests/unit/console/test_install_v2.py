"""The installer for server v2: one file comes and goes, and nothing else is touched."""

import getpass
import json
import os
import pwd
import shutil
import stat
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List

import pytest
from cases.stored import make_read_only, small_disk

from openflexure_timelapse.cli import main
from openflexure_timelapse.console import doctor as doctor_module
from openflexure_timelapse.console import install_v2 as install_module
from openflexure_timelapse.console.host_check import OWN, V2, check_host, version_of
from openflexure_timelapse.console.install_v2 import (
    LOADER,
    extension_folder,
    install,
    loader_text,
    server_roots,
    uninstall,
)
from openflexure_timelapse.console.installation import unwritable
from openflexure_timelapse.errors import ConflictError, NotFoundError, TimelapseError
from openflexure_timelapse.manifest import HostEntry, load_manifest
from openflexure_timelapse.store.disk import is_temporary

ROOT = Path(__file__).resolve().parents[3]
TRUE = load_manifest().hosts["v2"]
# Of this package and without the server's library, which unit tests have not.
ENTRY = replace(
    TRUE, status="ready", entry_point="openflexure_timelapse.manifest:Manifest"
)
FOREIGN = "print('my own extension')\n"


def info_of(folder: Path, name: str) -> Path:
    """Return where pip keeps what it knows of a package."""
    return folder / f"{name.replace('-', '_')}-0.dist-info"


def with_package(folder: Path, name: str, version: str) -> None:
    """Write what pip leaves of an installed package, or replace it."""
    info = info_of(folder, name)
    info.mkdir(parents=True, exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(text, encoding="utf-8")


def without_package(folder: Path, name: str) -> None:
    """Remove what `with_package` wrote."""
    shutil.rmtree(str(info_of(folder, name)))


@pytest.fixture(name="site")
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a Python's package folder, of a microscope; the only one that counts."""
    site = tmp_path / "site"
    with_package(site, OWN, "0.1.0")
    with_package(site, "labthings", TRUE.minimum_versions["labthings"])
    with_package(site, "openflexure-microscope-server", "2.10.1")
    standard = sysconfig.get_paths()["stdlib"]
    monkeypatch.setattr(sys, "path", [str(site), str(ROOT), standard])
    return site


@pytest.fixture(name="home")
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home, on a computer without /var/openflexure."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(install_module, "PREFERRED_ROOT", tmp_path / "var")
    return home


def made(root: Path) -> Path:
    """Make a server's folders as its first start does; return the extension folder."""
    folder = root / "extensions" / "microscope_extensions"
    folder.mkdir(parents=True)
    (folder / "defaults.py").write_text("", encoding="utf-8")
    return folder


def names_in(folder: Path) -> List[str]:
    """Return the names of all files."""
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------------------- the folders


@pytest.mark.usefixtures("home")
def test_the_servers_own_choice_is_found(tmp_path: Path, home: Path) -> None:
    """The system's folder comes before the home's, and the home's is found alone."""
    of_home = made(home / "openflexure")
    assert extension_folder(None, os.environ) == of_home
    of_system = made(tmp_path / "var")
    assert extension_folder(None, os.environ) == of_system


@pytest.mark.usefixtures("home")
def test_sudo_still_finds_the_persons_home() -> None:
    """Whoever typed sudo has the server in their home, not in root's."""
    person = getpass.getuser()
    theirs = Path(pwd.getpwnam(person).pw_dir) / "openflexure"
    assert server_roots({"SUDO_USER": person})[1] == theirs
    assert len(server_roots({"SUDO_USER": "nobody of that name"})) == 2


def test_what_was_looked_for_is_told(home: Path) -> None:
    """Where there is no server, the error names each place and the way out."""
    with pytest.raises(NotFoundError, match="--folder") as raised:
        extension_folder(None, os.environ)
    assert str(home / "openflexure" / "extensions") in str(raised.value)
    assert str(install_module.PREFERRED_ROOT) in str(raised.value)


@pytest.mark.parametrize(
    "given", [".", "extensions", "extensions/microscope_extensions"]
)
def test_a_given_folder_may_be_any_of_the_three(tmp_path: Path, given: str) -> None:
    """The root, the extension folder and the one between mean the same."""
    folder = made(tmp_path)
    assert extension_folder(tmp_path / given, {}) == folder


def test_any_name_will_do_where_a_server_has_started(tmp_path: Path) -> None:
    """A folder with the server's own extensions is one, whatever its name."""
    with pytest.raises(NotFoundError, match="neither a server's extension folder"):
        extension_folder(tmp_path, {})
    (tmp_path / "defaults.py").write_text("", encoding="utf-8")
    assert extension_folder(tmp_path, {}) == tmp_path


# -------------------------------------------------------------------------- the loader


@pytest.mark.usefixtures("site")
def test_it_is_installed_and_removed(tmp_path: Path) -> None:
    """One file comes, for all to read and without leftovers, and the same one goes."""
    folder = made(tmp_path)
    did = install(folder, ENTRY)
    assert (did.done, did.path, did.warnings) == ("installed", folder / LOADER, ())
    assert names_in(folder) == ["defaults.py", LOADER]
    assert stat.S_IMODE(did.path.stat().st_mode) == 0o644
    assert uninstall(folder).done == "removed"
    assert names_in(folder) == ["defaults.py"]
    assert uninstall(folder).done == "nothing"


@pytest.mark.usefixtures("site")
def test_twice_is_once(tmp_path: Path) -> None:
    """The same loader is left alone, and that of another version is replaced."""
    folder = made(tmp_path)
    path = install(folder, ENTRY).path
    before = path.stat()
    assert install(folder, ENTRY).done == "unchanged"
    assert path.stat().st_ino == before.st_ino
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("# Version", "# An older version"), encoding="utf-8")
    assert install(folder, ENTRY).done == "replaced"
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.usefixtures("site")
def test_a_foreign_file_is_kept(tmp_path: Path) -> None:
    """A file of the loader's name that the installer did not write is never touched."""
    folder = made(tmp_path)
    path = folder / LOADER
    path.write_text(FOREIGN, encoding="utf-8")
    for refused in (lambda: install(folder, ENTRY), lambda: uninstall(folder)):
        with pytest.raises(ConflictError, match="was not written by this installer"):
            refused()
    assert path.read_text(encoding="utf-8") == FOREIGN


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("name", ["mine.py", "mine/__init__.py"])
def test_a_second_loader_is_refused(tmp_path: Path, name: str) -> None:
    """Where another file loads the time-lapse, the server would not start with two."""
    folder = made(tmp_path)
    other = folder / name
    other.parent.mkdir(exist_ok=True)
    other.write_text(loader_text(TRUE), encoding="utf-8")
    (folder / "folder.py").mkdir()
    with pytest.raises(ConflictError, match="loads the time-lapse already"):
        install(folder, ENTRY)
    assert not (folder / LOADER).exists()


@pytest.mark.usefixtures("site")
def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A read-only folder is a sentence that names it, and is left without leftovers."""
    with small_disk(tmp_path / "small") as small:
        folder = made(small)
        install(folder, ENTRY)
        text = (folder / LOADER).read_text(encoding="utf-8")
        (folder / LOADER).write_text(f"{text}\n", encoding="utf-8")
        make_read_only(small)
        with pytest.raises(TimelapseError, match="read-only"):
            install(folder, ENTRY)
        with pytest.raises(TimelapseError, match="read-only"):
            uninstall(folder)
        assert not any(map(is_temporary, names_in(folder)))


def test_sudo_is_offered_to_those_who_lack_rights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To anybody but root, an error of the disk tells the command with sudo."""
    problem = TimelapseError("Permission denied.")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    told = str(unwritable(problem, "-m openflexure_timelapse"))
    assert (
        told == f"{problem} With sudo: sudo {sys.executable} -m openflexure_timelapse"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
@pytest.mark.usefixtures("site")
def test_root_gives_the_loader_to_the_folders_owner(tmp_path: Path) -> None:
    """Under sudo the file belongs to whom the folder belongs to."""
    folder = made(tmp_path)
    os.chown(str(folder), 1234, 1235)
    did = install(folder, ENTRY).path.stat()
    assert (did.st_uid, did.st_gid) == (1234, 1235)


def test_the_loader_is_python_that_explains_itself() -> None:
    """It compiles, imports absolutely, and says its version and how to remove it."""
    text = loader_text(TRUE)
    compile(text, LOADER, "exec")
    assert "from openflexure_timelapse.hosts.v2 import TimelapseExtension\n" in text
    assert "LABTHINGS_EXTENSIONS = (TimelapseExtension,)\n" in text
    assert load_manifest().version in text
    assert "install --api v2 --undo" in text
    assert max(map(len, text.splitlines())) <= 88


# -------------------------------------------------------------------- the right Python


def test_another_python_is_refused(site: Path, tmp_path: Path) -> None:
    """Without the server's library, or with another, the right Python is told."""
    folder = made(tmp_path)
    with_package(site, "labthings", "1.2.0")
    with pytest.raises(TimelapseError, match=r"has labthings 1\.2\.0.*own Python"):
        install(folder, ENTRY)
    without_package(site, "labthings")
    with pytest.raises(TimelapseError, match=r"has no labthings.*own Python"):
        install(folder, ENTRY)
    assert names_in(folder) == ["defaults.py"]


def test_a_package_of_this_folder_alone_is_refused(site: Path) -> None:
    """In a checkout that pip does not know, the server would not find the package."""
    without_package(site, OWN)
    with pytest.raises(TimelapseError, match=r"not installed.*pip install"):
        check_host(ENTRY, V2)


@pytest.mark.parametrize("version", ["2.9.4", "2.10.0b1", "2.10"])
def test_an_old_server_is_refused(site: Path, version: str) -> None:
    """A server below the manifest's minimum is told to be upgraded first."""
    with_package(site, "openflexure-microscope-server", version)
    with pytest.raises(TimelapseError, match="upgrade the microscope"):
        check_host(ENTRY, V2)


@pytest.mark.parametrize("version", ["2.10.1", "2.11.0.dev0", "3.0"])
def test_a_newer_server_will_do(site: Path, version: str) -> None:
    """A server at the manifest's minimum or above it is fine."""
    with_package(site, "openflexure-microscope-server", version)
    assert check_host(ENTRY, V2) == ()


def test_no_server_is_a_warning(site: Path) -> None:
    """A developer's computer has only the library: said, and no obstacle."""
    without_package(site, "openflexure-microscope-server")
    (warning,) = check_host(ENTRY, V2)
    assert "right for development" in warning


REFUSED: Dict[str, Any] = {
    "planned": ({"status": "planned"}, "is planned"),
    "old Python": ({"python": ">=4.0"}, "is too old"),
    "no module": ({"entry_point": "openflexure_timelapse.no:No"}, "cannot be loaded"),
    "no class": ({"entry_point": "openflexure_timelapse:No"}, "cannot be loaded"),
}


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_the_server_would_not_load_is_refused(case: str) -> None:
    """What would only be a line of the server's log is an error before."""
    changes, told = REFUSED[case]
    entry: HostEntry = replace(ENTRY, **changes)
    with pytest.raises(TimelapseError, match=told):
        check_host(entry, V2)


@pytest.mark.usefixtures("site")
def test_versions_are_those_of_the_package_folder() -> None:
    """An installed package has its version, another none."""
    assert version_of("labthings") == TRUE.minimum_versions["labthings"]
    assert version_of("no-such-package") is None


# ------------------------------------------------------------------- the command line


@pytest.mark.usefixtures("home")
def test_undo_on_the_command_line(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It removes the loader from the folder that has it, and tells what to do next."""
    made(tmp_path / "var")
    loader = made(home / "openflexure") / LOADER
    loader.write_text(loader_text(TRUE), encoding="utf-8")
    assert main(["install", "--api", "v2", "--undo"]) == 0
    printed = capsys.readouterr().out
    assert f"Removed: {loader}" in printed
    assert "Restart the microscope's server (ofm restart)" in printed
    assert main(["install", "--api", "v2", "--undo", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["done"] == "nothing"
    assert not loader.exists()


def test_wrong_use_on_the_command_line(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that is not known and a folder that is none end with 2."""
    for wrong in (["--api", "v9"], []):
        with pytest.raises(SystemExit) as ended:
            main(["install", *wrong])
        assert ended.value.code == 2
    assert main(["install", "--api", "v2", "--folder", str(home)]) == 2
    assert "neither a server's extension folder" in capsys.readouterr().err


# ------------------------------------------------------------------------ the check-up


@pytest.mark.usefixtures("site")
def test_the_check_up_tells_of_the_server(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing without a server; else whether the loader is there, ours, and loads."""

    def found() -> List[str]:
        findings = doctor_module.examine(tmp_path / "data")
        return [item.level for item in findings if item.topic == "Server v2"]

    def with_entry(entry: HostEntry) -> None:
        manifest = replace(load_manifest(), hosts={"v2": entry})
        monkeypatch.setattr(doctor_module, "load_manifest", lambda: manifest)

    with_entry(ENTRY)
    assert found() == []
    folder = made(home / "openflexure")
    assert found() == ["warning"]
    install(folder, ENTRY)
    assert found() == ["good"]
    with_entry(replace(ENTRY, status="planned"))
    assert found() == ["warning"]
    (folder / LOADER).write_text(FOREIGN, encoding="utf-8")
    assert found() == ["bad"]
