"""The command line, called in this process."""

import json
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from openflexure_timelapse.cli import main

__all__ = ["PLAN", "Output", "called", "is_one_sentence", "written"]


PLAN: Dict[str, Any] = {
    "name": "command line",
    "interval_s": 30,
    "frames": 3,
    "camera_mode": "preview",
    "keep_free_mb": 0,
    "movie": None,
}
Output = Tuple[int, str, str]


def written(folder: Path, **changes: Any) -> str:
    """Write a plan and return its path."""
    path = folder / "plan.json"
    path.write_text(json.dumps({**PLAN, **changes}), encoding="utf-8")
    return str(path)


def called(capsys: pytest.CaptureFixture[str], *arguments: str) -> Output:
    """Run one command; return the exit code and what it printed."""
    try:
        code = main(arguments)
    except SystemExit as exc:
        code = int(exc.code or 0)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def is_one_sentence(text: str) -> bool:
    """Tell whether an error is a line that names the program, without a traceback."""
    return text.startswith("openflexure-timelapse") and text.count("\n") == 1
