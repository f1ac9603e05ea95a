"""Configurations of a server v3, and a Python that has its packages or not."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from openflexure_timelapse.manifest import load_manifest

ROOT = Path(__file__).resolve().parents[3]
TRUE = load_manifest().hosts["v3"]
# Of this package and without the server's library, which unit tests have not.
ENTRY = replace(
    TRUE, python=">=3.7", entry_point="openflexure_timelapse.manifest:Manifest"
)
OURS = {"class": ENTRY.entry_point}
OTHER = {"class": "somebody.elses:Thing"}
SERVER = "openflexure-microscope-server"
LIBRARY = "labthings-fastapi"


def with_package(folder: Path, name: str, version: str) -> None:
    """Write what pip leaves of an installed package, or replace it."""
    info = folder / f"{name.replace('-', '_')}-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(text, encoding="utf-8")


def without_package(folder: Path, name: str) -> None:
    """Remove what `with_package` wrote."""
    shutil.rmtree(str(folder / f"{name.replace('-', '_')}-0.dist-info"))


PATCHED = {
    "base_config_file": "ofm_config_full.json",
    "patch": {"things": {"stage": {"kwargs": {"x": 1.5}}}, "log": None},
    "unknwon": ["é", 1, True],
}
PLAIN = {"things": {"camera": "some:Camera"}, "api_prefix": "/mine"}


def written(path: Path, document: Any, **form: Any) -> Path:
    """Write a configuration."""
    form = {"indent": 4, "ensure_ascii": False, **form}
    path.write_text(json.dumps(document, **form) + "\n", encoding="utf-8")
    return path


def said(path: Path) -> Any:
    """Return what a configuration says."""
    return json.loads(path.read_text(encoding="utf-8"))
