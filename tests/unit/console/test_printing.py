"""What is printed: a person's words as they are, tables that keep every column."""

import json
from typing import Any, Dict

import pytest

from openflexure_timelapse.console.printing import (
    REASONS,
    Printer,
    key_values,
    outcome_words,
    run_note,
)
from openflexure_timelapse.frame import Reason

ODD = "Pond [/red] [bold]x[/] :smile:"


def test_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets and colons in a name are printed, wherever the name stands."""
    printer = Printer(as_json=False)
    printer.say(ODD, label="Movie:", style="yellow")
    printer.table(key_values(ODD, {ODD: ODD}))
    with printer.progress() as progress:
        progress.add_task(ODD, total=1, note="")
    printed = capsys.readouterr().out
    assert printed.count(ODD) == 5


def test_counts_are_coloured_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Each outcome that occurred is told, also behind the bar."""
    counts = {"captured": 3, "late": 0, "skipped": 2, "failed": 0}
    assert outcome_words(counts).plain == "3 captured, 2 skipped"
    status: Dict[str, Any] = {"counts": counts, "phase": "paused", "next_due_in_s": 90}
    printer = Printer(as_json=False)
    with printer.progress() as progress:
        progress.add_task("Recording", total=1, note=run_note(status))
    printed = capsys.readouterr().out
    assert "3 captured, 2 skipped, paused, next in 1 min 30 s" in printed


def test_every_reason_has_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    """No reason that a slot can have is told by its code."""
    assert set(REASONS) == {reason.value for reason in Reason}
    reasons = [
        {"outcome": "skipped", "reason": "disk_full", "slots": 80},
        {"outcome": "failed", "reason": "timeout", "slots": 1},
    ]
    Printer(as_json=False).outcomes({"skipped": 80, "failed": 1}, reasons)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "80 slots skipped: the disk was full",
        "1 slot failed: the microscope did not answer in time",
    ]


EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x7f\u202e"


def test_no_text_commands_the_terminal(capsys: Any) -> None:
    """What a name holds is spelt out, in lines, tables and JSON."""
    printer = Printer(as_json=False)
    printer.say(f"a{EVIL}b", label=EVIL)
    printer.table(key_values(EVIL, {"name": EVIL, "other": "plain\ttext"}))
    told = capsys.readouterr().out
    for sign in (r"a\x1b]0;title", r"\x1b[2J\x9b31m", r"\u202e", "plain"):
        assert sign in told
    Printer(as_json=True).result({"name": f"{EVIL}\ud800"})
    as_json = capsys.readouterr().out
    assert json.loads(as_json)["name"][:-1] == EVIL
    assert not set("\x1b\x07\x9b\r\x7f\u202e") & set(told + as_json)
