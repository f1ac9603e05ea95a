"""Sharing from the command line: the record, bundles and their checks, names."""

import argparse
import contextlib
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence, Tuple

from rich.progress import Progress, TaskID
from rich.table import Table
from rich.text import Text

from openflexure_timelapse.console.plan_file import read_written
from openflexure_timelapse.console.printing import Printer, key_values
from openflexure_timelapse.console.record import interruptible
from openflexure_timelapse.console.run_folder import library_of
from openflexure_timelapse.errors import (
    InvalidRecordError,
    NotFoundError,
    ShareCancelledError,
    StorageError,
)
from openflexure_timelapse.hosts.jobs import JobQueue
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.hosts.sharing import Sharing
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.share.archive import check_archive
from openflexure_timelapse.share.bundle import check_bundle, settled
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.leftover import (
    is_growing,
    leftovers,
    remove_leftovers,
)
from openflexure_timelapse.share.order import parse_order
from openflexure_timelapse.share.shared_log import note_shared
from openflexure_timelapse.share.sharing import (
    README_EN,
    README_SV,
    bundle_name,
    check_share,
    free_name,
    make_bundle,
)
from openflexure_timelapse.share.subject import open_subject
from openflexure_timelapse.share.taxa import FILES, Taxa
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["describe", "names", "share", "share_verify"]

BLOCKED = 2
PATIENCE_S = 0.5
ORDERED = "position movie coordinates base_url basis_of_record"


def share(options: argparse.Namespace, printer: Printer) -> int:
    """Make a bundle of a run for one destination."""
    library, run_id = library_of(options.run)
    ordered = _order_of(options)
    if options.check:
        return _told_check(library, run_id, ordered, printer)
    removed = remove_leftovers(options.out)
    out, doubts = _made(library, run_id, ordered, options.out, printer)
    remarks = [f"A share was cut off before; {name} is removed." for name in removed]
    remarks += [
        f"A share was cut off before; {path} is left; remove it."
        for path in leftovers(options.out)
    ]
    remarks += [doubt.sentence for doubt in doubts]
    try:
        note_shared(library.folder(run_id), options.to, RealDisk())
    except StorageError as exc:
        remarks.append(f"The run does not know that it was shared: {exc}")
    printer.result(
        {
            "run": run_id,
            "destination": options.to,
            "bundle": str(out),
            "findings": [doubt.to_json() for doubt in doubts],
            "removed": removed,
        }
    )
    for remark in remarks:
        printer.say(remark, style="yellow")
    printer.say(str(out), label="Bundle:")
    printer.say(f"How to go on is in {README_EN}, and in Swedish in {README_SV}.")
    return 0


def _order_of(options: argparse.Namespace) -> Dict[str, Any]:
    """Return the order that the options ask for; its rules are checked later."""
    order = {
        name: getattr(options, name)
        for name in ORDERED.split()
        if getattr(options, name) is not None
    }
    if options.frames:
        order["frames"] = options.frames
    if options.place_in_images:
        order["place_in_images"] = True
    return {"destination": options.to, **order}


def _told_check(
    library: Library, run_id: str, ordered: Dict[str, Any], printer: Printer
) -> int:
    """Print what stands in the way of a bundle, and what is doubtful."""
    with _sharing_of(library) as sharing:
        told = sharing.check(run_id, ordered)
    printer.result(told)
    for finding in told["findings"]:
        colour = "red" if finding["blocks"] else "yellow"
        printer.say(f"{finding['field']}: {finding['reason']}", style=colour)
    if told["ready"]:
        printer.say(f"{told['title']} can take {run_id}.")
    else:
        printer.say(f"{told['title']} cannot take {run_id} yet; mend what is red.")
    return 0 if told["ready"] else BLOCKED


def _made(
    library: Library, run_id: str, ordered: Dict[str, Any], into: Path, printer: Printer
) -> Tuple[Path, Sequence[Finding]]:
    """Make the bundle, and show the progress; return where, and what is doubtful."""
    order = parse_order(ordered)
    target = Library(into, RealClock(), RealDisk())
    with contextlib.closing(Taxa(library.data_folder)) as taxa, open_subject(
        library.folder(run_id), taxa
    ) as subject:
        _read_names(taxa, printer)
        check_share(subject, order)
        needed_bytes = DESTINATIONS[order.destination].bytes_needed(subject, order)
        target.check_space(subject.plan.keep_free_mb, needed_bytes)
        out = free_name(into, bundle_name(subject, order))
        with interruptible() as interrupted, printer.progress() as progress:
            writing = progress.add_task("Writing", total=None, note="")
            adding = progress.add_task("Checksums", total=None, note="", visible=False)

            def sum_up(done: int, total: int) -> None:
                if interrupted.is_set():
                    told = "The bundle was cancelled; type the command again."
                    raise ShareCancelledError(told)
                progress.update(adding, completed=done, total=total, visible=True)

            return out, make_bundle(
                subject,
                order,
                out,
                partial(_show, progress, writing),
                interrupted.is_set,
                partial(settled, tell=sum_up),
            )


def _show(progress: Progress, bar: TaskID, done: int, total: int) -> None:
    """Bring a bar up to date."""
    progress.update(bar, completed=done, total=total)


@contextlib.contextmanager
def _sharing_of(library: Library) -> Iterator[Sharing]:
    """Offer the verbs of sharing for a data folder."""
    sharing = Sharing(library, JobQueue(library), RealClock(), RealDisk())
    with contextlib.closing(sharing):
        yield sharing


def share_verify(options: argparse.Namespace, printer: Printer) -> int:
    """Check that a bundle is still as it was made."""
    bundle: Path = options.bundle
    if not bundle.exists():
        told = f"There is no bundle {bundle}; give the folder or the zip file that "
        raise NotFoundError(told + "share has made.")
    if is_growing(bundle.resolve().name):
        told = f"{bundle} is what a share leaves that is under way or was cut off, and "
        raise StorageError(told + "no bundle; share the run again.")
    with printer.progress() as progress:
        bar = progress.add_task("Verifying", total=None, note="")
        check = check_bundle if bundle.is_dir() else check_archive
        wrong = check(bundle, partial(_show, progress, bar))
    left = [path.name for path in leftovers(bundle.resolve().parent)]
    report = {"ok": not wrong, "bundle": str(bundle), "wrong": list(wrong)}
    printer.result({**report, "leftovers": left})
    for line in wrong:
        printer.say(line, style="red")
    if not wrong:
        printer.say("Every file is as it was made; nothing is missing or added.")
    for name in left:
        told = f"Beside it is what a share has left that was cut off: {name}; the next "
        printer.say(told + "share into this folder removes it.")
    return 1 if wrong else 0


def describe(options: argparse.Namespace, printer: Printer) -> int:
    """Show what is known of a run's sample, or replace it by a JSON file's."""
    library, run_id = library_of(options.run)
    with _sharing_of(library) as sharing:
        if options.file is not None:
            record = read_written(options.file, "record", InvalidRecordError)
            sharing.set_record(run_id, record)
        told = sharing.record(run_id)
    printer.result(told)
    known = {key: value for key, value in told["record"].items() if value}
    taxon = known.get("taxon")
    if taxon is not None:
        known["taxon"] = ", ".join(f"{k} {v}" for k, v in taxon.items() if v)
    imaged, scale = told["imaged"], told["scale"]
    known["imaged"] = f"{imaged['begin']} to {imaged['end']}"
    if scale["um_per_pixel"] is not None:
        known["um_per_pixel"] = f"{scale['um_per_pixel']:.4g} ({scale['source']})"
    known["occurrence"] = told["occurrence_id"]
    printer.table(key_values(run_id, known))
    if told["problem"]:
        printer.say(told["problem"], style="red")
    return 0


def _read_names(taxa: Taxa, printer: Printer) -> None:
    """Wait for a list of names, and show how far it is where that takes a while."""
    with printer.progress() as progress:
        bar = progress.add_task("Names", total=100, note="", visible=False)
        read = taxa.wait(PATIENCE_S)
        while read is not None:
            progress.update(bar, completed=round(100 * read), visible=True)
            read = taxa.wait(PATIENCE_S)


def names(options: argparse.Namespace, printer: Printer) -> int:
    """Look up names of organisms in the list of a data folder."""
    with contextlib.closing(Taxa(options.data)) as taxa:
        _read_names(taxa, printer)
        found = taxa.find(options.query, options.limit)
        source = taxa.source
    if source is None:
        told = f"There is no list of names in {options.data}; put one there as "
        raise NotFoundError(f"{told}{' or '.join(FILES)} (docs/share.md says which).")
    printer.result({"source": source, "taxa": [taxon.to_json() for taxon in found]})
    table = Table(title=f"Names in {source}", title_justify="left")
    for heading in ("name", "author", "rank", "AphiaID", "Dyntaxa", "GBIF"):
        table.add_column(heading, overflow="fold")
    for taxon in found:
        ids = (taxon.aphia_id, taxon.dyntaxa_id, taxon.gbif_key)
        told_ids = ["" if number is None else str(number) for number in ids]
        cells = (taxon.name, taxon.authority, taxon.rank, *told_ids)
        table.add_row(*(Text(cell) for cell in cells))
    printer.table(table)
    return 0
