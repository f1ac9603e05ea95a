"""Names of organisms from a list that the person has put into the data folder.

None is shipped: see ``docs/decisions/0020-names-of-taxa.md``. The list is the table of
Nordic Microalgae (``species/taxa.txt``), or the taxon table of a Darwin Core Archive
such as Dyntaxa's or the GBIF backbone's: text with tabs, a heading in the first line.
"""

import contextlib
import re
import sqlite3
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Pattern, Tuple

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.store.disk import storage_error

__all__ = ["FILES", "KnownTaxon", "Taxa", "taxon_findings"]

FILES = ("taxa.tsv", "taxa.txt")
LARGEST_BYTES = 200_000_000
"""What is read in some seconds; of the GBIF backbone a person cuts out a group."""
LARGEST_ID = 2**31
MOST_SHOWN = 4
AFTER_ALL = "\U0010ffff"
ACCEPTED = ("accepted", "valid", "")
APHIA = re.compile(r"marinespecies\.org:taxname:(\d+)\Z")
DYNTAXA = re.compile(r"dyntaxa\.se:Taxon:(\d+)\Z", re.IGNORECASE)
OPEN_NAME = re.compile(r"\b(sp|spp|cf|aff)\b")
COLUMNS = (
    "name",
    "authority",
    "rank",
    "status",
    "aphia_id",
    "dyntaxa_id",
    "gbif_key",
)
TABLE = f"CREATE TABLE taxa (key TEXT, {', '.join(COLUMNS)})"
SELECT = f"SELECT DISTINCT {', '.join(COLUMNS)} FROM taxa"  # noqa: S608 - our own names


@dataclass(frozen=True)
class KnownTaxon:
    """A row of the list.

    Attributes
    ----------
    name, authority, rank, status : str
        As the list has them; the name without its author, the rank in small letters.
    aphia_id, dyntaxa_id, gbif_key : int or None
        As in the record.
    """

    name: str
    authority: str
    rank: str
    status: str
    aphia_id: Optional[int]
    dyntaxa_id: Optional[int]
    gbif_key: Optional[int]

    def to_json(self) -> Dict[str, Any]:
        """Return what the API shows."""
        return asdict(self)

    def __str__(self) -> str:
        """Return it so that a person can tell it from others of the same name."""
        ids = (
            ("AphiaID", self.aphia_id),
            ("Dyntaxa", self.dyntaxa_id),
            ("GBIF", self.gbif_key),
        )
        told = [f"{name} {number}" for name, number in ids if number is not None]
        return " ".join(filter(None, (self.name, self.authority, *told)))


class Taxa:
    """The list of one data folder; safe from any thread.

    It is read when it is first asked, and anew when it was changed. What was read lies
    in a private file on the disk, so that a list of any length takes little memory.

    Parameters
    ----------
    data_folder : Path
        Where the list is, under one of the names in `FILES`; there may be none.
    """

    def __init__(self, data_folder: Path) -> None:
        self._data_folder = data_folder
        self._lock = threading.Lock()
        self._seen: Optional[Tuple[str, int, int]] = None
        self._read: Optional[sqlite3.Connection] = None

    @property
    def source(self) -> Optional[str]:
        """The name of the file that is read; None where there is none."""
        found = (name for name in FILES if (self._data_folder / name).is_file())
        return next(found, None)

    def find(self, beginning: str, limit: int) -> List[KnownTaxon]:
        """Return names that begin so, in whatever letters, the accepted ones first.

        Raises
        ------
        StorageError
            When the list cannot be read or understood.
        """
        key = _key(beginning)
        query = (
            f"{SELECT} WHERE key >= ? AND key < ? ORDER BY key, status != 'accepted'"
        )
        return self._asked(f"{query} LIMIT ?", (key, key + AFTER_ALL, limit))

    def matches(self, name: str) -> Tuple[KnownTaxon, ...]:
        """Return every taxon of that name; the accepted ones only, if there are such.

        Raises
        ------
        StorageError
            As `find` does.
        """
        found = self._asked(f"{SELECT} WHERE key = ?", (_key(name),))
        accepted = [taxon for taxon in found if taxon.status in ACCEPTED]
        return tuple(accepted or found)

    def close(self) -> None:
        """Forget what was read; it can be asked again."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        """Close the private file."""
        if self._read is not None:
            self._read.close()
        self._read = self._seen = None

    def _asked(self, query: str, values: Tuple[Any, ...]) -> List[KnownTaxon]:
        """Return the rows of a query; none where there is no list."""
        with self._lock:
            self._look()
            if self._read is None:
                return []
            rows = self._read.execute(query, values).fetchall()
        return [KnownTaxon(*row) for row in rows]

    def _look(self) -> None:
        """Read the list if it is not read as it is now; the caller has the lock."""
        name = self.source
        if name is None:
            self._forget()
            return
        path = self._data_folder / name
        try:
            status = path.stat()
            seen = (name, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                return
            self._forget()
            if status.st_size > LARGEST_BYTES:
                told = f"{path} has {status.st_size // 10**6} MB, and at most "
                told += f"{LARGEST_BYTES // 10**6} MB are read; cut out the groups "
                raise StorageError(told + "that you need.")
            self._read = _indexed(path)
        except OSError as exc:
            raise storage_error(exc, "read", path) from exc
        self._seen = seen


def _key(name: str) -> str:
    """Return what a name is found by: small letters, one space."""
    return " ".join(name.casefold().split())


def _indexed(path: Path) -> sqlite3.Connection:
    """Return the names of a list in a private file that goes with the connection."""
    with contextlib.ExitStack() as opening:
        made = sqlite3.connect("", check_same_thread=False)
        opening.callback(made.close)
        try:
            with path.open(encoding="utf-8-sig", newline="\n") as lines, made:
                made.execute(TABLE)
                marks = ", ".join("?" * (len(COLUMNS) + 1))
                made.executemany(
                    f"INSERT INTO taxa VALUES ({marks})",  # noqa: S608 - marks only
                    _rows(path, lines),
                )
                made.execute("CREATE INDEX by_key ON taxa (key)")
        except UnicodeDecodeError as exc:
            told = f"{path} is no UTF-8 text ({exc.reason}); save it as UTF-8."
            raise StorageError(told) from exc
        opening.pop_all()
    return made


def _rows(path: Path, lines: Iterator[str]) -> Iterator[Tuple[Any, ...]]:
    """Yield the rows for the table.

    Raises
    ------
    StorageError
        When the headings are of no list that is known.
    """
    heading = next(lines, "").rstrip("\r\n").split("\t")
    names = [name.strip().rpartition(":")[2] for name in heading]
    is_nordic = {"scientific_name", "taxon_id"} <= set(names)
    if not is_nordic and not {"scientificName", "taxonID"} <= set(names):
        told = f"{path} is no list of names: its first line should have the headings "
        told += "scientificName and taxonID (Darwin Core), or scientific_name and "
        raise StorageError(told + "taxon_id (Nordic Microalgae), with tabs between.")
    read = _of_nordic if is_nordic else _of_darwin_core
    for line in lines:
        row = dict(zip(names, line.rstrip("\r\n").split("\t")))
        taxon = read(row)
        if taxon.name:
            values = [getattr(taxon, name) for name in COLUMNS]
            yield (_key(taxon.name), *values)


def _of_nordic(row: Mapping[str, str]) -> KnownTaxon:
    """Return a row of Nordic Microalgae's table, whose ids are those of WoRMS."""
    return KnownTaxon(
        name=row.get("scientific_name", "").strip(),
        authority=row.get("authority", "").strip(),
        rank=row.get("rank", "").strip().lower(),
        status=row.get("status", "").strip().lower(),
        aphia_id=_number(row.get("taxon_id", "")),
        dyntaxa_id=None,
        gbif_key=None,
    )


def _of_darwin_core(row: Mapping[str, str]) -> KnownTaxon:
    """Return a row of a Darwin Core table; whose its ids are tells their form."""
    name = row.get("scientificName", "").strip()
    authority = row.get("scientificNameAuthorship", "").strip()
    if authority and name.endswith(authority):
        name = name[: -len(authority)].strip()
    ids = (row.get("taxonID", "").strip(), row.get("scientificNameID", "").strip())
    return KnownTaxon(
        name=row.get("canonicalName", "").strip() or name,
        authority=authority,
        rank=row.get("taxonRank", "").strip().lower(),
        status=row.get("taxonomicStatus", "").strip().lower(),
        aphia_id=_number_in(ids, APHIA),
        dyntaxa_id=_number_in(ids, DYNTAXA),
        # The backbone alone has bare numbers, and names without their authors.
        gbif_key=_number(ids[0]) if "canonicalName" in row else None,
    )


def _number_in(ids: Tuple[str, ...], form: Pattern[str]) -> Optional[int]:
    """Return the number in the first id of a form."""
    found = (form.search(each) for each in ids)
    return next((_number(match[1]) for match in found if match is not None), None)


def _number(text: str) -> Optional[int]:
    """Return an id; None for what is none."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID))):
        return None
    return int(text) or None


def taxon_findings(record: Record, taxa: Taxa, *, blocks: bool) -> List[Finding]:
    """Return what the person's list of names says against the name in a record.

    Parameters
    ----------
    record : Record
        Of the sample.
    taxa : Taxa
        The list.
    blocks : bool
        Whether a name that two taxa have cannot be shared as it is.
    """
    taxon, source = record.taxon, taxa.source
    if taxon is None or source is None:
        return []
    try:
        found = taxa.matches(taxon.name)
    except StorageError as exc:
        return [Finding("taxon.name", f"The name was not looked up: {exc}")]
    meant = [each for each in found if _may_be(taxon, each)]
    if len(meant) == 1 or (not found and OPEN_NAME.search(taxon.name)):
        return []
    if len(found) > 1:
        shown = "; ".join(str(each) for each in found[:MOST_SHOWN])
        told = f"{taxon.name} is the name of {len(found)} taxa ({shown}); choose one."
        return [Finding("taxon.name", told, blocks=blocks)]
    told = f"{taxon.name} is not in {source}; check how it is spelt."
    if found:
        told = f"{source} has {found[0]}, with another number than the record; choose "
        told += "the name from the list."
    return [Finding("taxon.name", told)]


def _may_be(taxon: Taxon, known: KnownTaxon) -> bool:
    """Tell whether no number of a taxon says that it is not this one of the list."""
    pairs = (
        (taxon.aphia_id, known.aphia_id),
        (taxon.dyntaxa_id, known.dyntaxa_id),
        (taxon.gbif_key, known.gbif_key),
    )
    return all(None in pair or pair[0] == pair[1] for pair in pairs)
