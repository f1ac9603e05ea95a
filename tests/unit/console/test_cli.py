"""The command line: exit codes, one sentence for each error, JSON for scripts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from openflexure_timelapse.cli import main
from openflexure_timelapse.console.simulate import read_faults
from openflexure_timelapse.store.layout import INDEX_FILE

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


@pytest.fixture(scope="module", name="recorded")
def _recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record one run and return its folder."""
    folder = tmp_path_factory.mktemp("data")
    out = folder / "runs"
    arguments = ["record", written(folder), "--out", str(out), "--speed", "max"]
    assert main(arguments) == 0
    (run,) = (path.parent for path in out.glob("*/run.json"))
    return run


@pytest.fixture(name="copied")
def _copied(recorded: Path, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may damage."""
    copy = tmp_path / recorded.name
    shutil.copytree(str(recorded), str(copy))
    return copy


# ------------------------------------------------------------------------- good input


def test_names_with_brackets_are_only_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What looks like markup in a plan, a position or a path is printed as it is."""
    odd = "a [/red]"
    place = {"name": odd, "x": 0, "y": 0, "z": 0}
    plan = written(tmp_path, name=odd, positions=[place], movie={"width": 120})
    assert odd in called(capsys, "plan", "check", plan)[1]
    out = str(tmp_path / "[/red]")
    code, printed, _ = called(capsys, "record", plan, "--out", out, "--speed", "max")
    assert code == 0
    assert f"MP4 of {odd}" in printed
    assert out in printed
    code, printed, _ = called(capsys, "runs", out)
    assert "Runs in" in printed
    (run,) = Path(out).glob("*_a-red")
    assert odd in called(capsys, "show", str(run))[1]


@pytest.mark.parametrize("columns", [40, 80])
def test_a_long_id_leaves_room_for_the_rest(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    """In a narrow terminal the list of runs folds ids and keeps every column."""
    plan = written(tmp_path, name="a long name " * 6)
    out = str(tmp_path / "runs")
    assert called(capsys, "record", plan, "--out", out, "--speed", "max")[0] == 0
    monkeypatch.setenv("COLUMNS", str(columns))
    code, printed, _ = called(capsys, "runs", out)
    lines = printed.splitlines()[1:]
    assert code == 0
    assert max(map(len, lines)) <= columns
    cells = [[cell.strip() for cell in line.split("\u2502")[1:-1]] for line in lines]
    columns_of = list(zip(*(row for row in cells if row)))
    (run,) = Path(out).glob("*/run.json")
    told = ["".join(column) for column in columns_of]
    assert told[0] == run.parent.name
    assert told[1] == "3"
    assert "kB" in told[2]
    assert told[3].replace(" ", "") == "3captured"


@pytest.mark.parametrize(
    ("api", "library"), [("v2", "labthings"), ("v3", "labthings_fastapi")]
)
def test_a_simulated_server_tells_what_it_needs(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    library: str,
) -> None:
    """Without the server's library there is one sentence that says how to have it."""
    monkeypatch.setitem(sys.modules, library, None)
    modules = [name for name in sys.modules if name.startswith(f"hardware_sim.{api}_")]
    for name in modules:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(f"hardware_sim.{api}_server", raising=False)
    command = ("simulate", "--api", api, "--folder", str(tmp_path / "new"))
    code, _, told = called(capsys, *command)
    assert (code, is_one_sentence(told)) == (1, True)
    assert f"openflexure-timelapse[server-{api}]" in told
    code, _, told = called(capsys, *command, "--scene", "moon")
    assert (code, is_one_sentence(told)) == (2, True)
    assert called(capsys, *command, "--speed", "max")[0] == 2
    assert not (tmp_path / "new").exists()


def test_faults_are_named_with_their_window() -> None:
    """A fault holds always, from a moment on, or between two."""
    asked = ["stage_busy", "light_off@5", "camera_black@60-120.5"]
    told = [(each.kind, each.from_s, each.to_s) for each in read_faults(asked)]
    assert told == [
        ("stage_busy", 0, float("inf")),
        ("light_off", 5, float("inf")),
        ("camera_black", 60, 120.5),
    ]


@pytest.mark.parametrize(
    "bad", ["moon", "disk_full", "", "in_use@a", "in_use@2-1", "in_use@1-2-3"]
)
def test_what_is_no_fault_is_one_sentence(
    bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown name and an impossible window are told before anything starts."""
    code, _, told = called(capsys, "simulate", "--fault", bad)
    assert (code, is_one_sentence(told)) == (2, True)


OUTPUT = """
import sys
from openflexure_timelapse.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_closed_pipe_is_no_complaint(recorded: Path) -> None:
    """Whoever reads only the first line sees no traceback; the code is 1."""
    command = [sys.executable, "-c", OUTPUT, "show", str(recorded), "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaint = process.stderr.read()
    assert (process.returncode, complaint) == (1, b"")


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_output_that_nobody_takes_is_one_sentence(
    recorded: Path, option: List[str]
) -> None:
    """A full device under the output is told once, with code 1."""
    command = [sys.executable, "-c", OUTPUT, "show", str(recorded), *option]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    complaint = done.stderr.decode()
    assert done.returncode == 1
    assert is_one_sentence(complaint), complaint
    assert "Cannot write the output" in complaint


def test_recording_tells_a_script_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json the only output is one document."""
    out = str(tmp_path / "runs")
    code, printed, complaints = called(
        capsys, "record", written(tmp_path), "--out", out, "--speed", "max", "--json"
    )
    told = json.loads(printed)
    assert (code, complaints) == (0, "")
    assert told["status"]["counts"]["captured"] == 3
    assert (Path(told["folder"]) / "frames.csv").is_file()


def test_a_recording_on_the_scaled_clock_keeps_its_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A simulated minute may pass in a moment of real time."""
    code, printed, _ = called(
        capsys,
        "record",
        written(tmp_path, interval_s=60),
        "--out",
        str(tmp_path),
        "--speed",
        "200",
        "--json",
    )
    assert code == 0
    assert sum(json.loads(printed)["status"]["counts"].values()) == 3


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_run_is_shown_and_verified(
    recorded: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Both ways of output work on a sound run."""
    code, printed, _ = called(capsys, command, str(recorded))
    assert code == 0
    assert printed
    code, printed, _ = called(capsys, command, str(recorded), "--json")
    assert code == 0
    assert json.loads(printed)


def test_runs_are_listed(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list names each run with its counts."""
    code, printed, _ = called(capsys, "runs", str(recorded.parent), "--json")
    (run,) = json.loads(printed)["runs"]
    assert (code, run["run"], run["frames"]) == (0, recorded.name, 3)
    code, printed, _ = called(capsys, "runs", str(recorded.parent))
    assert recorded.name in printed


def test_a_movie_of_a_copied_folder(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run can be taken to another computer and made into a movie there."""
    code, printed, _ = called(
        capsys, "movie", str(copied), "--format", "gif", "--width", "120", "--json"
    )
    assert code == 0
    assert [Path(name).name for name in json.loads(printed)["movies"]] == ["here.gif"]
    assert (copied / "movies" / "here.gif").read_bytes()[:6] == b"GIF89a"


def test_a_plan_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good plan is told to be good, with what it adds up to."""
    code, printed, _ = called(capsys, "plan", "check", written(tmp_path), "--json")
    told = json.loads(printed)
    assert (code, told["valid"], told["frames"], told["duration_s"]) == (0, True, 3, 90)
    assert "The plan is valid" in called(capsys, "plan", "check", written(tmp_path))[1]


def test_a_plan_goes_to_useq_and_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The converted plan, converted back, is the plan."""
    step = ("--step-um", "0.1", "0.1", "0.05")
    _, there, _ = called(
        capsys, "plan", "convert", written(tmp_path), "--to", "useq", *step
    )
    sequence = tmp_path / "sequence.json"
    sequence.write_text(there, encoding="utf-8")
    code, back, _ = called(
        capsys, "plan", "convert", str(sequence), "--to", "plan", *step
    )
    assert code == 0
    assert json.loads(back) == {**PLAN, "interval_s": 30.0}


def test_the_doctor_examines_this_computer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every topic has a finding, and a computer that runs the tests passes."""
    code, printed, _ = called(capsys, "doctor", str(tmp_path), "--json")
    findings = json.loads(printed)["findings"]
    assert code == 0, findings
    topics = {finding["topic"] for finding in findings}
    assert {
        "Python",
        "Time of day",
        "Data folder",
        "Writing frames",
        "ffmpeg",
    } <= topics
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------- bad input


def test_wrong_use_is_one_line_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong words on the command line never show a traceback."""
    plan = written(tmp_path)
    out = ("--out", str(tmp_path / "runs"))
    for arguments in (
        (),
        ("film",),
        ("record", *out),
        ("record", plan, "--resume", *out),
        ("record", plan, *out, "--speed", "0"),
        ("record", plan, *out, "--speed", "fast"),
        ("record", plan, *out, "--scene", "nope"),
        ("record", plan, *out, "--scene", "pond+nope"),
        ("record", "--resume", *out),
        ("record", str(tmp_path / "no-plan.json"), *out),
        ("show", str(tmp_path / "no-run")),
        ("plan", "check", str(tmp_path / "no-plan.json")),
        ("runs", str(tmp_path), "--limit", "0"),
    ):
        code, _, complaint = called(capsys, *arguments)
        assert code == 2, arguments
        assert is_one_sentence(complaint), complaint
    assert not (tmp_path / "runs").exists()


BAD_PLANS = {
    "a misspelt field": '{"name": "a", "intervall_s": 3}',
    "no JSON": '{"name": "a", ',
    "a list": "[1]",
    "an interval that is no number": '{"name": "a", "interval_s": NaN}',
    "a negative interval": '{"name": "a", "interval_s": -3}',
    "no frames": '{"name": "a", "interval_s": 3, "frames": 0}',
    "a past start": (
        '{"name": "a", "interval_s": 3, "start_at": "2001-01-01T00:00:00+00:00"}'
    ),
    "an unreachable z": (
        '{"name": "a", "interval_s": 3,'
        ' "positions": [{"name": "a", "x": 0, "y": 0, "z": 9000000}]}'
    ),
    "an odd movie": '{"name": "a", "interval_s": 3, "movie": {"width": 101}}',
    "a movie without frames per second": (
        '{"name": "a", "interval_s": 3, "movie": {"fps": 0}}'
    ),
}


@pytest.mark.parametrize("text", BAD_PLANS.values(), ids=BAD_PLANS)
def test_a_bad_plan_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Code 2, one line, no run."""
    plan = tmp_path / "plan.json"
    plan.write_text(text, encoding="utf-8")
    out = tmp_path / "runs"
    code, printed, complaint = called(
        capsys, "record", str(plan), "--out", str(out), "--speed", "max"
    )
    assert (code, printed) == (2, "")
    assert is_one_sentence(complaint), complaint
    assert list(out.glob("*/run.json")) == []


def test_a_plan_that_starts_in_the_past_is_not_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checking a plan asks the clock, as starting it would."""
    plan = written(tmp_path, start_at="2001-01-01T00:00:00+00:00")
    code, _, complaint = called(capsys, "plan", "check", plan)
    assert code == 2
    assert is_one_sentence(complaint), complaint
    assert "is past" in complaint


def test_a_disk_or_folder_that_takes_nothing_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too little space, or a folder that cannot be made: code 1 and what to do."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    full = written(tmp_path, keep_free_mb=10**9)
    for out, words in ((tmp_path / "runs", "keep_free_mb"), (blocked / "a", "file")):
        code, _, complaint = called(
            capsys, "record", full, "--out", str(out), "--speed", "max"
        )
        assert code == 1
        assert is_one_sentence(complaint), complaint
        assert words in complaint
    assert list((tmp_path / "runs").glob("*/run.json")) == []


def test_a_bad_recipe_is_one_sentence(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An odd size, no frames per second, an unknown position: code 2, no file."""
    for wish in (("--width", "101"), ("--fps", "0"), ("--position", "nowhere")):
        code, _, complaint = called(capsys, "movie", str(recorded), *wish)
        assert code == 2
        assert is_one_sentence(complaint), complaint


def test_a_truncated_frame_is_named(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verify fails and names the file; the movie shows a gap instead of the damage."""
    frame = copied / "frames" / "here" / "0000001.jpeg"
    frame.write_bytes(frame.read_bytes()[:5000])
    code, printed, _ = called(capsys, "verify", str(copied))
    assert code == 1
    assert "0000001.jpeg" in printed
    assert called(capsys, "movie", str(copied), "--width", "120")[0] == 0


@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"garbage" * 1000])
def test_a_damaged_index_is_repaired(
    copied: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    """Every frame is found again from its own EXIF."""
    (copied / INDEX_FILE).write_bytes(damage)
    for leftover in copied.glob(f"{INDEX_FILE}-*"):
        leftover.unlink()
    code, _, complaint = called(capsys, "show", str(copied))
    assert code == 1
    assert is_one_sentence(complaint), complaint
    assert "repair" in complaint
    assert called(capsys, "verify", str(copied))[0] == 1
    assert called(capsys, "repair", str(copied))[0] == 0
    assert called(capsys, "verify", str(copied))[0] == 0
    _, printed, _ = called(capsys, "show", str(copied), "--json")
    assert json.loads(printed)["frames"] == 3
