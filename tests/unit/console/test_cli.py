"""The command line: exit codes, one sentence for each error, JSON for scripts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from command_line import PLAN, called, is_one_sentence, written

from openflexure_timelapse.cli import COMMANDS
from openflexure_timelapse.console.arguments import parser, recipe_of
from openflexure_timelapse.console.record import _command
from openflexure_timelapse.console.simulate import read_faults

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


def test_ctrl_c_is_one_sentence(
    recorded: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends a long check sees no traceback; the code is 1."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("openflexure_timelapse.cli.verify", interrupted)
    code, _, complaint = called(capsys, "verify", str(recorded))
    assert (code, is_one_sentence(complaint)) == (1, True)


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


def test_the_options_of_a_view_and_the_command_that_repeats_it(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was asked for on the command line can be asked for again by what is told."""
    wish = ["--view=kymograph", "--pace=real", "--line=9,8,60,50", "--no-position-name"]
    wish += ["--speed-up=30.0", "--fps=2.0", "--width=40"]
    options = ["movie", str(copied), *wish]
    code, printed, _ = called(capsys, *options, "--json")
    assert code == 0
    (made,) = json.loads(printed)["movies"]
    assert Path(made).name == "here_kymograph.png"
    asked = parser(COMMANDS).parse_args(options)
    job = {"recipe": recipe_of(asked), "position": ""}
    repeated = _command(job, copied)
    assert set(repeated[1:]) == set(options)
    refused = called(capsys, "movie", str(copied), "--line", "1,2,3")
    assert refused[0] == 2
    assert "is not X1,Y1,X2,Y2" in refused[2]


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
