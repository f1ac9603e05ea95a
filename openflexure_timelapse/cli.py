"""The command line: parse, call, print.

Exit codes: 0 done, 1 failed, 2 wrong use. An error is one sentence on standard error.
"""

import argparse
import contextlib
import os
import shlex
import sys
import threading
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from rich.table import Table
from rich.text import Text

from openflexure_timelapse.console import record as recording
from openflexure_timelapse.console.arguments import Commands, parser, recipe_of
from openflexure_timelapse.console.direct import opened, refuse_beside_others
from openflexure_timelapse.console.doctor import examine
from openflexure_timelapse.console.hardware import examine_hardware, table_of
from openflexure_timelapse.console.install import install_or_undo
from openflexure_timelapse.console.notify import show_or_test
from openflexure_timelapse.console.plan_file import read_plan
from openflexure_timelapse.console.printing import (
    Printer,
    harmless,
    key_values,
    nice_bytes,
    nice_seconds,
    outcome_words,
)
from openflexure_timelapse.console.run_folder import library_of, run_folder
from openflexure_timelapse.console.serve import serve
from openflexure_timelapse.console.share import describe, names, share, share_verify
from openflexure_timelapse.console.simulate import serve_simulated, simulated_service
from openflexure_timelapse.errors import (
    InvalidRequestError,
    NotFoundError,
    TimelapseError,
)
from openflexure_timelapse.feasibility import check_start
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.lifeline import Lifeline
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.todo import runs_to_do
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.schedule import grid_of
from openflexure_timelapse.store.disk import RealDisk
from openflexure_timelapse.store.repair import repair
from openflexure_timelapse.store.verify import verify
from openflexure_timelapse.useq_plan import from_useq, to_useq

__all__ = ["main"]

DEMO_SEED = 7
DEMO_GIF = {"format": "gif", "fps": 12.0, "max_mb": 12.0}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command and return the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        As on the command line, without the program's name; None for ``sys.argv``.
    """
    options = parser(COMMANDS).parse_args(arguments)
    printer = Printer(as_json=options.json)
    try:
        code = int(options.command(options, printer))
        sys.stdout.flush()
    except TimelapseError as exc:
        _complain(str(exc))
        return exc.exit_code
    except KeyboardInterrupt:  # where a command has nothing to put in order
        _complain("Interrupted.")
        return 1
    except BrokenPipeError:  # whoever read the output has had enough
        _drop_output()
        return 1
    except OSError as exc:
        _drop_output()
        where = "write the output" if exc.filename is None else f"use {exc.filename}"
        _complain(f"Cannot {where} ({exc.strerror}); choose another place.")
        return 1
    return code


def _complain(sentence: str) -> None:
    """Print an error."""
    text = harmless(f"openflexure-timelapse: {sentence}")
    print(text.encode("utf-8", "replace").decode(), file=sys.stderr)  # noqa: T201 (it is the output)


def _drop_output() -> None:
    """Send what is still to be printed nowhere, or Python complains as it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


# --------------------------------------------------------------------------- commands


def _demo(options: argparse.Namespace, printer: Printer) -> int:
    """Record and show off a simulated time-lapse."""
    from hardware_sim.demo import DEMO_PLAN, DEMO_SCENE  # noqa: PLC0415 (as above)

    service = simulated_service(options.out, DEMO_SCENE, DEMO_SEED, None)
    printer.say(
        "films dividing algae and swimming cells:\n"
        "two positions, 120 time points over ten hours, autofocus every tenth.",
        label="A simulated OpenFlexure Microscope",
    )
    if service.resume_interrupted(give_up=True) is not None:
        printer.say("An earlier demo was cut off; it ends where it was.")
        service.wait()
        for job in service.jobs()["jobs"]:
            service.cancel_job(job["job"])
    with recording.interruptible() as interrupted:
        run_id = service.start(DEMO_PLAN)["run"]
        return _finish_recording(service, run_id, printer, interrupted, DEMO_GIF)


def _record(options: argparse.Namespace, printer: Printer) -> int:
    """Record a plan, or go on with an interrupted run."""
    if (options.plan is not None) + options.resume + options.give_up != 1:
        told = "Give a PLAN to start, --resume to go on with an interrupted run, "
        raise InvalidRequestError(told + "or --give-up to end one.")
    plan = None if options.plan is None else read_plan(options.plan)
    if plan is None and not runs_to_do(options.out):
        told = f"There is no interrupted run in {options.out}; "
        raise NotFoundError(told + "start one with: record PLAN --out DIR.")
    line = Lifeline(os.environ, RealClock())
    # From before the start: whoever ends the program as soon as it is ready, or sooner,
    # finds a run that was left in good order.
    with recording.interruptible() as interrupted, contextlib.ExitStack() as ending:
        service = _service_of(options, ending)
        try:
            if plan is not None:
                run_id = service.start(plan)["run"]
            else:
                run_id = service.resume_interrupted(give_up=options.give_up) or ""
        except TimelapseError:
            service.close()
            raise
        with line.kept(lambda: service.is_well, service.status):
            line.tell("READY=1")
            code = _finish_recording(
                service, run_id, printer, interrupted, resume=_resuming(options)
            )
            line.tell("STOPPING=1")
    return code


def _resuming(options: argparse.Namespace) -> List[str]:
    """Return the words that go on with what these options began."""
    words = ["record", "--resume"]
    if options.microscope != "sim":
        words += ["--microscope", options.microscope]
    if options.config is not None:
        words += ["--config", str(options.config)]
    return words


def _service_of(options: argparse.Namespace, ending: contextlib.ExitStack) -> Service:
    """Return the service of the microscope that was chosen; `ending` closes that."""
    if options.microscope == "sim":
        return simulated_service(
            options.out, options.scene, options.seed, options.speed, options.notify
        )
    if options.speed != 1.0:
        told = "A real microscope has no --speed; leave it out, or take the simulator: "
        raise InvalidRequestError(told + "--microscope sim.")
    refuse_beside_others(options.out, options.config)
    direct = ending.enter_context(opened(options.out, options.config))
    disk = RealDisk()
    service = Service(
        options.out, direct.microscope, direct.clock, disk, notify_file=options.notify
    )
    direct.microscope.camera_part.calibrate(service.preferences.scale)
    return service


def _serve(options: argparse.Namespace, printer: Printer) -> int:
    """Serve a camera and a Sangaboard, for browsers and scripts."""
    serve(options, printer)
    return 0


def _simulate(options: argparse.Namespace, printer: Printer) -> int:
    """Serve a simulated microscope, for browsers and scripts."""
    serve_simulated(options, printer)
    return 0


def _finish_recording(  # noqa: PLR0913 (two have a default)
    service: Service,
    run_id: str,
    printer: Printer,
    interrupted: threading.Event,
    extra_movie: Optional[Dict[str, Any]] = None,
    *,
    resume: Sequence[str] = ("record", "--resume"),
) -> int:
    """Follow a run to its end, make another movie if asked to, print how it went."""
    try:
        told = recording.follow(service, run_id, printer, interrupted, extra_movie)
    finally:
        service.close()
    status = told["status"]
    printer.outcomes(status["counts"], told["reasons"])
    for warning in status["warnings"]:
        printer.say(warning, style="yellow")
    if told["left"]:
        words = [*resume, "--out", str(Path(told["folder"]).parent)]
        printer.say(
            f"Left as it is in {told['folder']}; go on with: openflexure-timelapse "
            + " ".join(map(shlex.quote, words))
        )
    else:
        printer.say(f"Frames and tables: {told['folder']}")
    _print_movies(printer, told)
    printer.result(told)
    failed = told["left"] or told["problems"] or status["end_reason"] == "failed"
    if status["detail"]:
        _complain(status["detail"])
    return 1 if failed else 0


def _print_movies(printer: Printer, told: Dict[str, Any]) -> None:
    """Print which movies were made, what is to be said of them, and which were not."""
    for movie in told["movies"]:
        printer.say(movie, label="Movie:")
    for remark in told["remarks"]:
        printer.say(remark, style="yellow")
    for problem in told["problems"]:
        _complain(problem)


def _plan_check(options: argparse.Namespace, printer: Printer) -> int:
    """Check a plan and print what it would take."""
    plan = parse_plan(read_plan(options.plan))
    check_start(plan, RealClock().wall_ns())
    slots = grid_of(plan).slots
    per_slot = len(plan.position_names()) * plan.planes.count
    end_ns = grid_of(plan).end_ns
    facts: Dict[str, Any] = {
        "name": plan.name,
        "slots": slots,
        "frames": None if slots is None else slots * per_slot,
        "duration_s": None if end_ns is None else end_ns / 1e9,
    }
    printer.result({"valid": True, **facts})
    shown = {
        "name": plan.name,
        "slots": "until stopped" if slots is None else slots,
        "frames": "until stopped" if slots is None else slots * per_slot,
        "duration": "until stopped" if end_ns is None else nice_seconds(end_ns / 1e9),
    }
    printer.table(key_values("The plan is valid", shown))
    return 0


def _plan_convert(options: argparse.Namespace, _: Printer) -> int:
    """Turn a plan into a useq-schema MDASequence, or one into a plan."""
    data = read_plan(options.plan)
    if options.to == "useq":
        converted = to_useq(parse_plan(data), tuple(options.step_um))
    else:
        converted = from_useq(data, tuple(options.step_um)).to_json()
    Printer(as_json=True).result(converted)
    return 0


def _runs(options: argparse.Namespace, printer: Printer) -> int:
    """List the runs below a folder."""
    library = Library(options.data, RealClock(), RealDisk())
    found = library.runs(options.after, options.limit)
    printer.result(found)
    table = Table(title=f"Runs in {options.data}", title_justify="left")
    table.add_column("run", overflow="fold")
    table.add_column("frames", justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("slots", overflow="fold")
    for run in found["runs"]:
        if run["problem"]:
            table.add_row(run["run"], "", "", Text(run["problem"], "red"))
            continue
        active = " (active)" if run["active"] else ""
        counts, size = outcome_words(run["counts"]), nice_bytes(run["bytes"])
        table.add_row(run["run"] + active, str(run["frames"]), size, counts)
    printer.table(table)
    return 0


def _show(options: argparse.Namespace, printer: Printer) -> int:
    """Show one run."""
    library, run_id = library_of(options.run)
    run = {**library.run(run_id), "reasons": library.reasons(run_id)}
    printer.result(run)
    state = run["state"] or {}
    shown = {
        "run": run_id,
        "started": run["started"],
        "phase": state.get("phase"),
        "ended": state.get("end_reason") or "not yet",
        "frames": run["frames"],
        "size": nice_bytes(run["bytes"]),
        "microscope": run["header"]["camera"]["model"],
        "simulated": run["header"]["camera"]["simulated"],
        "movies": ", ".join(run["movies"]) or "none",
    }
    printer.table(key_values(run["name"], shown))
    printer.outcomes(run["counts"], run["reasons"])
    return 0


def _verify(options: argparse.Namespace, printer: Printer) -> int:
    """Check every acknowledged frame of a run."""
    folder = run_folder(options.run)
    with printer.progress() as progress:
        bar = progress.add_task("Verifying", total=None, note="")
        report = verify(
            folder,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    printer.result(report.to_json())
    for line in report.lines():
        printer.say(line)
    return 0 if report.ok else 1


def _repair(options: argparse.Namespace, printer: Printer) -> int:
    """Rebuild a run's index from its frames."""
    report = repair(run_folder(options.run))
    printer.result(report.to_json())
    for line in report.lines():
        printer.say(line)
    return 0


def _movie(options: argparse.Namespace, printer: Printer) -> int:
    """Make a movie of a run."""
    library, run_id = library_of(options.run)
    told = recording.make_movies(library, run_id, recipe_of(options), printer)
    printer.result(told)
    _print_movies(printer, told)
    return 1 if told["problems"] else 0


def _doctor(options: argparse.Namespace, printer: Printer) -> int:
    """Examine this computer, or with --hardware a camera and a board on it."""
    if options.hardware:
        return examine_hardware(options, printer)
    findings = examine(options.data)
    printer.result({"findings": [finding.to_json() for finding in findings]})
    printer.table(table_of("Check-up", findings))
    return 1 if any(finding.level == "bad" for finding in findings) else 0


def _notify(options: argparse.Namespace, printer: Printer) -> int:
    """Show whom this computer tells of a run; with --test send a message."""
    return 0 if show_or_test(options, printer) else 1


def _install(options: argparse.Namespace, printer: Printer) -> int:
    """Put the extension into a microscope's server, or take it out."""
    install_or_undo(options, printer)
    return 0


COMMANDS = Commands(
    demo=_demo,
    record=_record,
    serve=_serve,
    simulate=_simulate,
    plan_check=_plan_check,
    plan_convert=_plan_convert,
    runs=_runs,
    show=_show,
    verify=_verify,
    repair=_repair,
    movie=_movie,
    describe=describe,
    names=names,
    share=share,
    share_verify=share_verify,
    doctor=_doctor,
    notify=_notify,
    install=_install,
)


if __name__ == "__main__":
    sys.exit(main())
