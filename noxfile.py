"""The checks, each in an environment of its own; ``make test`` runs them all.

An environment is filled once: a stamp in it says for which ``pyproject.toml`` and
which packages, and nothing is installed again until one of them changes.

``TIMELAPSE_REQUIRED_PYTHONS`` names versions (``"3.7 3.11"``) that must be there;
others are skipped where they are missing.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Iterator, Optional

import nox

ROOT = Path(__file__).resolve().parent
PACKAGES = ("openflexure_timelapse", "hardware_sim")
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")

RUNNING = "{}.{}".format(*sys.version_info)
REQUIRED = tuple(os.environ.get("TIMELAPSE_REQUIRED_PYTHONS", "").split())

# The floor (server v2), what the oldest Raspberry Pi OS still served runs, what server
# v3 runs, the newest; and whatever this machine has.
KNOWN = ("3.13", "3.9", "3.7", "3.11")
VERSIONS = tuple(dict.fromkeys((*KNOWN, *REQUIRED, RUNNING)))

# The whole suite where it differs, or on the machine's own where it has neither of
# these; elsewhere the unit tests.
WHOLE_SUITE = {"3.7", "3.11"}

# Over the cores, a file's tests on one: they share what is slow to make.
SPREAD = ("--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile")

# Beside those that run everything.
BESIDE = {"3.9", "3.13"}

# Server v2's own image, and the newest Python on which its library still loads: that is
# where a person without a Pi starts the simulated server.
SERVER_V2 = ("3.7", "3.11")

# Server v3's floor, which is its image's, and the newest.
SERVER_V3 = ("3.11", "3.13")

# Both servers run on it.
PAGE_PYTHON = "3.11"
PAGE_SERVERS = ("v2", "v3")
AXE = "axe-core@4.14.1"

# Where the libraries of those who take our bundles run.
SHARE_PYTHON = "3.11"

# The floor of the board's library, and what Raspberry Pi OS 12 has.
DIRECT_PYTHON = "3.11"
CAPABILITY_HEADERS = Path("/usr/include/sys/capability.h")

# Server v3 is what hostile input is sent to.
ATTACK_PYTHON = "3.11"

# mypy and import-linter gave up Python 3.9: no environment is made for them there.
TOOLS_NEED = (3, 10)
TOOLS_PYTHON = None if sys.version_info >= TOOLS_NEED else False

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "venv"  # virtualenv gave up Python 3.7
nox.options.reuse_venv = "yes"
nox.options.sessions = [
    "lint",
    "types",
    "imports",
    "wheel",
    *(f"tests-{version}" for version in VERSIONS),
    *(f"server-v2-{version}" for version in SERVER_V2),
    *(f"server-v3-{version}" for version in SERVER_V3),
    *(f"page-{server}" for server in PAGE_SERVERS),
    "share",
    "direct",
]


def pinned(group: str) -> "list[str]":
    """Return the requirements of a dependency group of ``pyproject.toml``."""
    return list(PYPROJECT["dependency-groups"][group])


@contextlib.contextmanager
def filled(
    session: nox.Session, *asked: str, stamp_name: str = "filled"
) -> Iterator[bool]:
    """Tell whether the session's environment must be filled; stamp it afterwards."""
    asked = (str(ROOT), (ROOT / "pyproject.toml").read_text("utf-8"), *asked)
    key = hashlib.sha256("\0".join(asked).encode()).hexdigest()
    stamp = Path(session.virtualenv.location, stamp_name)
    to_do = not (stamp.exists() and stamp.read_text("ascii") == key)
    if to_do:
        stamp.unlink(missing_ok=True)
    yield to_do
    stamp.write_text(key, "ascii")


def install(session: nox.Session, *requirements: str) -> None:
    """Install the requirements, unless the environment has them already."""
    with filled(session, *requirements) as to_do:
        if to_do:
            session.install("--upgrade", "pip")
            session.install(*requirements)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and form with ruff."""
    install(session, *pinned("lint"))
    session.run("python", "-m", "ruff", "check", ".")
    session.run("python", "-m", "ruff", "format", "--check", ".")


@nox.session
def format(session: nox.Session) -> None:  # noqa: A001 - the name of the command
    """Put all Python files into the house's form."""
    install(session, *pinned("lint"))
    session.run("python", "-m", "ruff", "check", "--fix-only", ".")
    session.run("python", "-m", "ruff", "format", ".")


@nox.session(python=TOOLS_PYTHON)
def types(session: nox.Session) -> None:
    """Check types with mypy, and the public types against ``tests/typing``."""
    need_newer_python(session)
    install(session, "--editable", ".[test]", *pinned("types"))
    session.run("python", "-m", "mypy")
    session.run("python", "-m", "mypy", "tests/typing")


@nox.session(python=TOOLS_PYTHON)
def imports(session: nox.Session) -> None:
    """Check that imports go downwards only."""
    need_newer_python(session)
    install(session, *pinned("imports"))
    session.run("lint-imports", env={"PYTHONPATH": str(ROOT)})


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, and use it from outside the checkout."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install_wheel(session, folder)
        session.chdir(folder)
        session.run("python", "-c", IMPORT_ALL, str(ROOT))
        told = session.run("openflexure-timelapse", "--version", silent=True)
        if PYPROJECT["project"]["version"] not in str(told):
            session.error(f"--version says {told!r}, pyproject.toml another")
        Path("plan.json").write_text(json.dumps(SMALL_PLAN), "utf-8")
        record = ("record", "plan.json", "--microscope", "sim", "--speed", "max")
        session.run("openflexure-timelapse", *record, "--out", "runs")
        (run,) = (path.parent for path in Path("runs").glob("*/run.json"))
        session.run("openflexure-timelapse", "verify", str(run))


SMALL_PLAN = {"name": "wheel", "interval_s": 30, "frames": 3}

IMPORT_ALL = """
import sys
import hardware_sim, openflexure_timelapse
from openflexure_timelapse.manifest import load_manifest
for module in (hardware_sim, openflexure_timelapse):
    assert not module.__file__.startswith(sys.argv[1] + "/openfl"), module.__file__
    assert "site-packages" in module.__file__, module.__file__
print("installed:", load_manifest().id, load_manifest().version)
"""


def install_wheel(session: nox.Session, folder: Path) -> None:
    """Build the wheel, see what is in it, and install it with what it needs.

    Neither is done again while no file that goes into it has changed.
    """
    files = [ROOT / "README.md", ROOT / "manifest.json", *packaged_files()]
    content = hashlib.sha256(b"\0".join(path.read_bytes() for path in files))
    with filled(session, "wheel", content.hexdigest()) as to_do:
        if not to_do:
            return
        session.install("--upgrade", "pip")
        session.run("pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT))
        (built,) = folder.glob("*.whl")
        expected = {path.relative_to(ROOT).as_posix() for path in packaged_files()}
        check_content(session, built, expected | {PACKAGES[0] + "/manifest.json"})
        session.run("pip", "uninstall", "-q", "-y", "openflexure-timelapse")
        session.install(str(built))


def packaged_files() -> "list[Path]":
    """Return the files of the checkout that belong into the wheel, in order."""
    found = [path for name in PACKAGES for path in (ROOT / name).rglob("*")]
    return sorted(p for p in found if p.is_file() and p.parent.name != "__pycache__")


def check_content(session: nox.Session, built: Path, expected: "set[str]") -> None:
    """Fail the session unless the wheel holds these files and its metadata alone."""
    names = set(zipfile.ZipFile(built).namelist())
    names = {name for name in names if ".dist-info/" not in name}
    if names != expected:
        missing, extra = sorted(expected - names), sorted(names - expected)
        session.error(f"{built.name} lacks {missing} and has {extra} too much")


def need_newer_python(session: nox.Session) -> None:
    """Skip the session on a Python that its tool no longer runs on."""
    if TOOLS_PYTHON is False:
        text = "needs Python {}.{} or later, and this is {}".format(
            *TOOLS_NEED, RUNNING
        )
        give_up(session, text, required=bool(REQUIRED))


def give_up(session: nox.Session, text: str, *, required: bool) -> None:
    """Fail the session where it must run, else skip it; never in silence."""
    if required:
        session.error(text)
    session.skip(text)


# ----------------------------------------------------------------------------- Pythons


def candidates(version: str) -> Iterator[str]:
    """Yield programs that may be this Python: the PATH's, then pyenv's own."""
    if version == RUNNING:
        yield sys.executable
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True):
        yield str(folder / "bin" / f"python{version}")


def find_python(version: str) -> Optional[str]:
    """Return a Python of this version that runs and has venv, or None.

    A pyenv shim is on the PATH even when its version is not active; then it only
    prints how to activate it. So each candidate is tried.
    """
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for program in candidates(version):
        try:
            done = subprocess.run(  # noqa: S603 - asks a Python for its version
                [program, "-c", code], capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.strip() == version:
            return program
    return None


def needs(session: nox.Session, version: str, python: Optional[str]) -> None:
    """Skip the session, or fail it where it must run, on a Python that is not there."""
    if python is None:
        text = f"no python{version} that runs and has venv was found"
        give_up(session, text, required=version in REQUIRED)


def add_tests(version: str) -> None:
    """Register the session that runs the tests on one version of Python."""
    python = find_python(version)

    @nox.session(name=f"tests-{version}", python=python or False)
    def tests(session: nox.Session) -> None:
        """Run the tests on this Python."""
        needs(session, version, python)
        install(session, "--editable", ".[test]")
        whole = WHOLE_SUITE if any(map(find_python, WHOLE_SUITE)) else {RUNNING}
        chosen = ["tests"] if version in whole else ["tests/unit"]
        if version in BESIDE - whole:
            # Minutes of encoding by the same ffmpeg, which the others try as well.
            chosen.append("--ignore=tests/unit/movie")
        if version != ATTACK_PYTHON:
            chosen.append("--ignore=tests/campaigns")  # minutes, and the same anywhere
        session.run("python", "-m", "pytest", *SPREAD, *(session.posargs or chosen))


def add_server_v2(version: str) -> None:
    """Register the session that runs the tests with server v2's library."""
    python = find_python(version)

    @nox.session(name=f"server-v2-{version}", python=python or False)
    def server_v2(session: nox.Session) -> None:
        """Run the tests of the hosts with the library of server v2."""
        needs(session, version, python)
        install(session, "--editable", ".[server-v2,test]")
        client = client_of_v2(session)
        env = {"TIMELAPSE_V2_CLIENT_PYTHON": client} if client else {}
        chosen = session.posargs or ["tests/hosts"]
        session.run("python", "-m", "pytest", *chosen, env=env)


def client_of_v2(session: nox.Session) -> Optional[str]:
    """Return a Python with the published client; None where it cannot be had."""
    if session.python == SERVER_V2[0]:
        return None  # the client's libraries gave it up
    folder = Path(session.virtualenv.location, "client")
    program = folder / "bin" / "python"
    with filled(session, *pinned("client-v2"), stamp_name="client-filled") as to_do:
        if to_do:
            session.run("python", "-m", "venv", "--clear", str(folder))
            pip = (str(program), "-m", "pip", "install", "--quiet")
            session.run(*pip, "--upgrade", "pip", external=True)
            session.run(*pip, *pinned("client-v2"), external=True)
    return str(program)


def add_server_v3(version: str) -> None:
    """Register the session that runs the tests with server v3's library."""
    python = find_python(version)

    @nox.session(name=f"server-v3-{version}", python=python or False)
    def server_v3(session: nox.Session) -> None:
        """Run the tests of the hosts with the library of server v3."""
        needs(session, version, python)
        install(session, "--editable", ".[server-v3,notify,test]")
        session.run("python", "-m", "pytest", *(session.posargs or ["tests/hosts"]))


def add_page(server: str) -> None:
    """Register the session that tries the page in Chromium, before one server."""
    python = find_python(PAGE_PYTHON)

    @nox.session(name=f"page-{server}", python=python or False)
    def page(session: nox.Session) -> None:
        """Try the page in Chromium, in front of a simulated server."""
        needs(session, PAGE_PYTHON, python)
        if not (shutil.which("chromium") or shutil.which("chromium-browser")):
            told = "the page is tried in Chromium; type: sudo apt install chromium"
            session.skip(told)
        extras = f".[server-{server},test]"
        install(session, "--editable", extras, *pinned("page"))
        pictures = ROOT / ".nox" / "screenshots" / server
        pictures.mkdir(parents=True, exist_ok=True)
        env = {"TIMELAPSE_SCREENSHOTS": str(pictures)}
        audit = audit_of(session)
        if audit is not None:
            env["TIMELAPSE_AXE"] = str(audit)
        chosen = session.posargs or ["tests/page"]
        session.run("python", "-m", "pytest", *chosen, env=env)


def audit_of(session: nox.Session) -> Optional[Path]:
    """Return the file of the accessibility audit, from npm; None where npm is not."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder = Path(session.virtualenv.location, "audit")
    with filled(session, AXE, stamp_name="audit-filled") as to_do:
        if to_do:
            command = ("install", "--silent", "--no-save", "--prefix", str(folder), AXE)
            session.run(npm, *command, external=True)
    return folder / "node_modules" / "axe-core" / "axe.min.js"


@nox.session(python=find_python(SHARE_PYTHON) or False)
def share(session: nox.Session) -> None:
    """Read what is shared with the libraries of those who take it."""
    needs(session, SHARE_PYTHON, find_python(SHARE_PYTHON))
    install(session, "--editable", ".[ome,test]", *pinned("readers"))
    session.run("python", "-m", "pytest", *(session.posargs or ["tests/share"]))


def hardware_libraries(session: nox.Session) -> "list[str]":
    """Return the board's library, and the camera's where that can be built."""
    if CAPABILITY_HEADERS.exists():
        return pinned("board") + pinned("camera")
    told = f"{CAPABILITY_HEADERS} is missing, so picamera2 cannot be built and what "
    told += "needs it is skipped; type: sudo apt install libcap-dev"
    session.warn(told)
    return pinned("board")


@nox.session(python=find_python(DIRECT_PYTHON) or False)
def direct(session: nox.Session) -> None:
    """Run the tests of the microscope without a server, on the hardware's libraries."""
    needs(session, DIRECT_PYTHON, find_python(DIRECT_PYTHON))
    install(session, "--editable", ".[server-v3,test]", *hardware_libraries(session))
    session.run("python", "-m", "pytest", *(session.posargs or ["tests/direct"]))


@nox.session(python=find_python(ATTACK_PYTHON) or False)
def attack(session: nox.Session) -> None:
    """Try to break every promise at full length; see docs/reliability.md."""
    needs(session, ATTACK_PYTHON, find_python(ATTACK_PYTHON))
    needed = (*pinned("attack"), *hardware_libraries(session))
    install(session, "--editable", ".[server-v3,test]", *needed)
    env = {"TIMELAPSE_V2_PYTHON": python_with_v2(session)}
    session.run("python", "-m", "campaigns", *session.posargs, env=env)


def python_with_v2(session: nox.Session) -> str:
    """Return a Python with server v2's library, which cannot stand beside v3's."""
    folder = Path(session.virtualenv.location, "server-v2")
    program = folder / "bin" / "python"
    with filled(session, "server-v2", stamp_name="server-v2-filled") as to_do:
        if to_do:
            session.run("python", "-m", "venv", "--clear", str(folder))
            pip = (str(program), "-m", "pip", "install", "--quiet")
            session.run(*pip, "--upgrade", "pip", external=True)
            session.run(*pip, "--editable", f"{ROOT}[server-v2,test]", external=True)
    return str(program)


for each in VERSIONS:
    add_tests(each)
for each in SERVER_V2:
    add_server_v2(each)
for each in SERVER_V3:
    add_server_v3(each)
for each in PAGE_SERVERS:
    add_page(each)
