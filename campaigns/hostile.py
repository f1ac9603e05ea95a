"""Input that means harm: to both servers, to the commands, to every reader.

What is promised: no unexpected 5xx, no traceback to a client, nothing of outside a
run's folder told or touched, no code sent to a terminal, no delete without its
confirmation.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import List, Tuple

from campaigns.findings import Findings, Table
from campaigns.hostile_documents import attack_documents
from campaigns.hostile_fuzz import attack_readers
from campaigns.hostile_runs import attack_runs
from campaigns.hostile_tally import COLUMNS, Tally, table_row
from campaigns.hostile_v2 import PYTHON, attack_v2

__all__ = ["TRIALS", "attack"]

TRIALS = 20_000
SHARES = {"documents": 0.3, "readers": 0.4, "runs": 0.05, "v3": 0.15, "v2": 0.1}
"""Of the trials; a trial with a run is several commands on it."""


def attack(trials: int, seed: int, work: Path) -> Findings:
    """Return what hostile input did.

    Parameters
    ----------
    trials : int
        About so many inputs in all.
    seed : int
        Repeats the inputs; what a server does meanwhile is not repeated exactly.
    work : Path
        An empty folder.
    """
    share = {name: max(1, round(trials * part)) for name, part in SHARES.items()}
    tallies: List[Tally] = [
        *_of_v3(share["v3"], seed, work),
        *attack_v2(share["v2"], seed, work),
        *attack_documents(share["documents"], seed),
        *attack_readers(share["readers"], seed, work),
        *attack_runs(share["runs"], seed, work),
    ]
    return Findings(
        (Table(COLUMNS, tuple(table_row(tally) for tally in tallies)),),
        broken=tuple(told for tally in tallies for _, told in tally.falls),
        notes=_notes(tallies),
    )


def _of_v3(trials: int, seed: int, work: Path) -> List[Tally]:
    """Attack server v3, where its library is, and schemathesis."""
    if find_spec("labthings_fastapi") is None or find_spec("schemathesis") is None:
        return []
    from campaigns.hostile_v3 import attack_v3  # noqa: PLC0415 - needs both

    return attack_v3(trials, seed, work)


def _notes(tallies: List[Tally]) -> Tuple[str, ...]:
    """Return what was left out."""
    targets, tools = {tally.target[:9] for tally in tallies}, {t.tool for t in tallies}
    notes = []
    if "server v3" not in targets:
        notes.append("Server v3 was not attacked: it needs `server-v3`, schemathesis.")
    if "server v2" not in targets:
        notes.append(f"Server v2 was not attacked: {PYTHON} names no Python with it.")
    if "atheris" not in tools:
        notes.append("Nothing was tried with atheris: it is not installed.")
    return tuple(notes)
