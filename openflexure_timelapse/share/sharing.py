"""Making a bundle of a run: look first, then write, whole or not at all."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

from openflexure_timelapse.frame import Frame
from openflexure_timelapse.share.bundle import Finish, Progress, new_bundle, settled
from openflexure_timelapse.share.destination import Destination
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.finding import Finding, refuse_blocked
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.shared_place import shared_record
from openflexure_timelapse.share.stills import suggested
from openflexure_timelapse.share.subject import Subject, time_of
from openflexure_timelapse.share.taxa import taxon_findings

__all__ = [
    "README_EN",
    "README_SV",
    "bundle_name",
    "check_share",
    "choices_of",
    "found_of",
    "free_name",
    "make_bundle",
]

README_EN, README_SV = "README.txt", "LASMIG.txt"
ABOUT = "bundle.json"
SIMULATED = {
    "en": "THE PICTURES ARE DRAWN BY A SIMULATED MICROSCOPE.\n"
    "Practise with them, and deposit them nowhere.\n\n",
    "sv": "BILDERNA \u00c4R RITADE AV ETT SIMULERAT MIKROSKOP.\n"
    "\u00d6va med dem, men l\u00e4mna dem ingenstans.\n\n",
}


def check_share(subject: Subject, order: ShareOrder) -> List[Finding]:
    """Return what is doubtful about sharing a run; nothing is written.

    Raises
    ------
    InvalidShareError
        When something required is missing or cannot be taken.
    """
    title = DESTINATIONS[order.destination].title
    return refuse_blocked(title, found_of(subject, order))


def found_of(subject: Subject, order: ShareOrder) -> Sequence[Finding]:
    """Return what stands in the way, and what is doubtful; nothing is written."""
    destination = DESTINATIONS[order.destination]
    found = _of_every(subject, order, destination)
    if subject.taxa is not None:
        found += taxon_findings(
            subject.record, subject.taxa, blocks=destination.feeds_gbif
        )
    return (*found, *destination.findings(subject, order))


def _of_every(
    subject: Subject, order: ShareOrder, destination: Destination
) -> List[Finding]:
    """Return what is to be said of any destination."""
    found = []
    if not subject.imaged.frames:
        told = f"{subject.run_id} has no frames; share a run that has some."
        found.append(Finding("run", told, blocks=True))
    if order.position is not None and order.position not in subject.positions:
        known = ", ".join(subject.positions)
        told = f"{subject.run_id} has no position {order.position!r}; it has: {known}."
        found.append(Finding("order.position", told, blocks=True))
    if subject.header["camera"]["simulated"]:
        told = (
            "The pictures are drawn by a simulated microscope; use them to practise, "
        )
        found.append(Finding("run", told + "and deposit them nowhere."))
    twice = [
        DESTINATIONS[name].title
        for name in subject.shared_before
        if name != order.destination and DESTINATIONS[name].feeds_gbif
    ]
    if destination.feeds_gbif and twice:
        told = (
            f"A bundle for {' and '.join(twice)} was made before, and each feeds GBIF; "
        )
        found.append(Finding("order.destination", told + "deposit it in one of them."))
    return found


def choices_of(subject: Subject, order: ShareOrder) -> Dict[str, Any]:
    """Return what a person can choose of a run for a destination; JSON-able.

    Returns
    -------
    dict
        ``most`` stills may be named, of ``each`` position or of all together; null
        where every frame goes along. ``stills`` are those that we suggest: ones that
        failed their checks, as their ``flags`` tell, only where no other is there.
        ``movies`` are those of which one may be named.
    """
    destination = DESTINATIONS[order.destination]
    allowance = destination.stills(subject, order)
    told: Dict[str, Any] = {"most": None, "each": False, "stills": []}
    if allowance is not None:
        allowed = allowance.by_position(subject, order)
        frames = suggested(subject, allowed)
        frames = frames or suggested(subject, allowed, sound=False)
        told = {**allowance._asdict(), "stills": [_still(frame) for frame in frames]}
    return {**told, "movies": list(destination.movies(subject))}


def _still(frame: Frame) -> Dict[str, Any]:
    """Return what a person wants to know of a still."""
    draft, time = frame.draft, time_of(frame)
    return {
        "n": frame.n,
        "slot": draft.slot,
        "position": draft.position,
        "plane": draft.plane,
        "time": None if time is None else time.isoformat(timespec="seconds"),
        "flags": [flag.value for flag in draft.flags],
    }


def make_bundle(  # noqa: PLR0913, PLR0917 (what a bundle is made of)
    subject: Subject,
    order: ShareOrder,
    out: Path,
    progress: Progress,
    is_cancelled: Callable[[], bool],
    finish: Finish = settled,
) -> Tuple[Finding, ...]:
    """Write a bundle to `out`, and return what is doubtful about it.

    Parameters
    ----------
    subject : Subject
        Of what.
    order : ShareOrder
        Where to, and what goes along.
    out : Path
        The folder, which must not exist yet; with another `finish` its file.
    progress, is_cancelled, finish
        As for `new_bundle`.

    Raises
    ------
    InvalidShareError
        When something stands in the way; nothing was written.
    ShareCancelledError, StorageError
        Nothing is left behind.
    """
    doubts = tuple(check_share(subject, order))
    destination = DESTINATIONS[order.destination]
    with new_bundle(out, progress, is_cancelled, finish) as bundle:
        destination.write(subject, order, bundle)
        for name, language in ((README_EN, "en"), (README_SV, "sv")):
            guide = destination.guide(subject, order, language)
            bundle.add_text(name, _note_of(subject, language) + guide)
        bundle.add_text(ABOUT, _about(subject, order, doubts))
    return doubts


def _note_of(subject: Subject, language: str) -> str:
    """Return what stands above a guide; empty for nothing."""
    return SIMULATED[language] if subject.header["camera"]["simulated"] else ""


def _about(subject: Subject, order: ShareOrder, doubts: Sequence[Finding]) -> str:
    """Return what a bundle says of itself, for programs."""
    about = {
        "destination": order.destination,
        "run": subject.run_id,
        "occurrence_id": subject.occurrence_id,
        "order": order.to_json(),
        "record": shared_record(subject.record).to_json(),
        "doubts": [finding.to_json() for finding in doubts],
    }
    return json.dumps(about, ensure_ascii=False, indent=2) + "\n"


def bundle_name(subject: Subject, order: ShareOrder) -> str:
    """Return the name of a bundle's folder, where it is the first of its kind."""
    return f"{subject.run_id}_{order.destination}"


def free_name(folder: Path, name: str) -> Path:
    """Return the path of a bundle that no other one in `folder` has.

    Parameters
    ----------
    folder : Path
        May not exist yet.
    name : str
        Of the first of its kind, with the ending of a file; ``_2``, ``_3`` ... is added
        until one is free.
    """
    path = folder / name
    stem, number = path.stem, 2
    while path.exists() or path.is_symlink():
        path = path.with_name(f"{stem}_{number}{path.suffix}")
        number += 1
    return path
