"""Configurations of a server v3, and a Python that has its packages or not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from openflexure_timelapse.manifest import load_manifest

__all__ = ["ENTRY", "OTHER", "PATCHED", "TRUE", "said", "written"]


TRUE = load_manifest().hosts["v3"]
# Of this package and without the server's library, which unit tests have not.
ENTRY = replace(
    TRUE, python=">=3.7", entry_point="openflexure_timelapse.manifest:Manifest"
)
OTHER = {"class": "somebody.elses:Thing"}


PATCHED = {
    "base_config_file": "ofm_config_full.json",
    "patch": {"things": {"stage": {"kwargs": {"x": 1.5}}}, "log": None},
    "unknwon": ["é", 1, True],
}


def written(path: Path, document: Any, **form: Any) -> Path:
    """Write a configuration."""
    form = {"indent": 4, "ensure_ascii": False, **form}
    path.write_text(json.dumps(document, **form) + "\n", encoding="utf-8")
    return path


def said(path: Path) -> Any:
    """Return what a configuration says."""
    return json.loads(path.read_text(encoding="utf-8"))
