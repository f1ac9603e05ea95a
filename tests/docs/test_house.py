"""The rules of the house that no linter knows, checked on the files themselves."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "openflexure_timelapse"
MODULES = sorted(PACKAGE.rglob("*.py"))
NEED_MORE = {
    "openflexure_timelapse.__main__",  # runs
    "openflexure_timelapse.hosts.v2",  # the server's library
    "openflexure_timelapse.hosts.v3",  # the server's library
    "openflexure_timelapse.hosts.v3_http",  # the server's library
    "openflexure_timelapse.hosts.direct.camera_pictures",  # the camera's library
    "openflexure_timelapse.hosts.direct.eye",  # the camera's library
    "openflexure_timelapse.hosts.direct.eye_stills",  # the camera's library
    "openflexure_timelapse.hosts.direct.eye_stream",  # the camera's library
    "openflexure_timelapse.hosts.direct.link",  # the board's library
    "openflexure_timelapse.hosts.direct.server",  # the server's library
    "openflexure_timelapse.hosts.direct.things",  # the server's library
    *(
        f"openflexure_timelapse.hosts.things.{name}"  # the server's library
        for name in [
            "autofocus",
            "camera",
            "data",
            "exposure",
            "illumination",
            "pictures",
            "stage",
            "streams",
        ]
    ),
}
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def name_of(path: Path) -> str:
    """Return a path as a test's name: from the checkout, with slashes."""
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    """Return what a module says, without running it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def exported(tree: ast.Module) -> List[str]:
    """Return the names in ``__all__``; empty when there is none."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(item, ast.Name) and item.id == "__all__" for item in targets):
            return list(ast.literal_eval(node.value))
    return []


def public_definitions(tree: ast.Module) -> List[str]:
    """Return the functions and classes that do not begin with an underscore."""
    kinds = (ast.AsyncFunctionDef, ast.ClassDef, ast.FunctionDef)
    names = [node.name for node in tree.body if isinstance(node, kinds)]
    return [name for name in names if not name.startswith("_")]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_names_are_exported(path: Path) -> None:
    """Every public function and class of a module is in its ``__all__``."""
    tree = tree_of(path)
    missing = set(public_definitions(tree)) - set(exported(tree))
    assert not missing


def promises_of(path: Path) -> Dict[str, str]:
    """Return the docstring of each test in a file, by the test's name."""
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("path", TEST_FILES, ids=name_of)
def test_every_test_states_its_promise(path: Path) -> None:
    """Each test has a docstring whose first line is a whole sentence."""
    silent = [
        name
        for name, promise in promises_of(path).items()
        if not promise.split("\n\n")[0].endswith(".")
    ]
    assert not silent


def test_no_module_brings_the_simulator_with_it() -> None:
    """A host that imports any of our modules never loads ``hardware_sim`` with it."""
    names = [name_of(path)[: -len(".py")].replace("/", ".") for path in MODULES]
    modules = [name for name in names if name not in NEED_MORE]
    imports = "\n".join(f"import {re.sub('.__init__$', '', name)}" for name in modules)
    code = f"import sys\n{imports}\nsys.exit('hardware_sim' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=str(ROOT), check=False)
    assert done.returncode == 0


BROKEN: Dict[str, str] = {
    "function": "__all__ = []\ndef seen(): ...",
    "class": "class Seen: ...",
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_forgotten_name_is_found(case: str) -> None:
    """The check of ``__all__`` sees a public function or class that is not in it."""
    tree = ast.parse(BROKEN[case])
    assert set(public_definitions(tree)) - set(exported(tree))
