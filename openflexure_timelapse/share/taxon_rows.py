"""The lists of names that are read: whose they are, and what their rows say. Pure.

Text with tabs, of four forms: the table of Nordic Microalgae and its tables of links,
the taxon table of a Darwin Core Archive such as Dyntaxa's or the GBIF backbone's, and
the backbone's simple table, which has no heading.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Pattern

__all__ = ["ACCEPTED", "COLUMNS", "KnownTaxon", "key_of", "known_taxa"]

LARGEST_ID = 2**31
LONGEST_ID = len(str(LARGEST_ID))
ACCEPTED = ("accepted", "valid", "")
APHIA = re.compile(r"marinespecies\.org:taxname:(\d+)\Z")
DYNTAXA = re.compile(r"dyntaxa\.se:Taxon:(\d+)\Z", re.IGNORECASE)
NULL = "\\N"

# Of the backbone's simple table, by their places.
SIMPLE: Dict[str, int] = {
    "id": 0,
    "status": 4,
    "rank": 5,
    "scientific_name": 18,
    "canonical_name": 19,
    "authorship": 24,
}
SIMPLE_COLUMNS = 30
IS_SYNONYM = 3

Row = List[str]
Cell = Callable[[Row], str]


@dataclass(frozen=True)
class KnownTaxon:
    """A row of the list.

    Attributes
    ----------
    name, authority, rank, status, vernacular : str
        As the list has them; the name without its author, rank and status in small
        letters, the name that people use.
    aphia_id, dyntaxa_id, gbif_key : int or None
        As in the record.
    """

    name: str
    authority: str
    rank: str
    status: str
    vernacular: str
    aphia_id: Optional[int]
    dyntaxa_id: Optional[int]
    gbif_key: Optional[int]

    @property
    def is_accepted(self) -> bool:
        """Whether somebody accepts the name."""
        return self.status in ACCEPTED

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


COLUMNS = tuple(KnownTaxon.__dataclass_fields__)


def key_of(name: str) -> str:
    """Return what a name is found by: small letters, one space."""
    return " ".join(name.casefold().split())


def known_taxa(lines: Iterable[str]) -> Optional[Iterator[KnownTaxon]]:
    """Return the taxa of a list, one for each line; None where it is no list.

    Parameters
    ----------
    lines : iterable of str
        Of the file, its first one included.
    """
    rest = iter(lines)
    first = next(rest, "")
    row = _cells(first)
    if _is_simple(row):
        return _taxa(_of_simple, (first,), rest)
    at = {name.rpartition(":")[2].lower(): place for place, name in enumerate(row)}
    if {"scientific_name", "taxon_id"} <= set(at):
        return _taxa(_nordic(at), rest)
    if {"scientificname", "taxonid"} <= set(at):
        return _taxa(_darwin_core(at), rest)
    return None


def _taxa(
    read: Callable[[Row], KnownTaxon], *parts: Iterable[str]
) -> Iterator[KnownTaxon]:
    """Yield the taxon of each line that names one."""
    for lines in parts:
        for line in lines:
            taxon = read(_cells(line))
            if taxon.name:
                yield taxon


def _cells(line: str) -> Row:
    """Return the cells of a line, without the quotes that some lists put round them."""
    cells = line.rstrip("\r\n").split("\t")
    if '"' not in line:
        return [cell.strip() for cell in cells]
    return [_bare(cell.strip()) for cell in cells]


def _bare(cell: str) -> str:
    """Return a cell without its quotes."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


def _cell(at: Dict[str, int], name: str) -> Cell:
    """Return what reads a column; empty where there is none, or the row is short."""
    place = at.get(name)
    if place is None:
        return lambda _row: ""
    return lambda row: row[place] if place < len(row) else ""


def _nordic(at: Dict[str, int]) -> Callable[[Row], KnownTaxon]:
    """Return what reads Nordic Microalgae's tables, whose ids are those of WoRMS."""
    name = _cell(at, "scientific_name")
    authority = _cell(at, "authority" if "authority" in at else "author")
    rank, status = _cell(at, "rank"), _cell(at, "status")
    aphia, dyntaxa = _cell(at, "taxon_id"), _cell(at, "dyntaxa_id")
    gbif = _cell(at, "usage_key")

    def read(row: Row) -> KnownTaxon:
        return KnownTaxon(
            name=name(row),
            authority=authority(row),
            rank=rank(row).lower(),
            status=status(row).lower(),
            vernacular="",
            aphia_id=_number(aphia(row)),
            dyntaxa_id=_number(dyntaxa(row)),
            gbif_key=_number(gbif(row)),
        )

    return read


def _darwin_core(at: Dict[str, int]) -> Callable[[Row], KnownTaxon]:
    """Return what reads a Darwin Core table; whose its ids are tells their form."""
    scientific, author = _cell(at, "scientificname"), "scientificnameauthorship"
    canonical, authority = _cell(at, "canonicalname"), _cell(at, author)
    rank, status = _cell(at, "taxonrank"), _cell(at, "taxonomicstatus")
    taxon_id, name_id = _cell(at, "taxonid"), _cell(at, "scientificnameid")
    accepted, common = _cell(at, "acceptednameusageid"), _cell(at, "vernacularname")
    # The backbone alone has bare numbers, and names without their authors.
    is_backbone = "canonicalname" in at

    def read(row: Row) -> KnownTaxon:
        own, by = taxon_id(row), authority(row)
        return KnownTaxon(
            name=canonical(row) or _without(scientific(row), by),
            authority=by,
            rank=rank(row).lower(),
            status=status(row).lower(),
            vernacular=common(row),
            aphia_id=_number_in(APHIA, own, name_id(row)),
            # A synonym has no number there but that of its taxon.
            dyntaxa_id=_number_in(DYNTAXA, own, name_id(row), accepted(row)),
            gbif_key=_number(own) if is_backbone else None,
        )

    return read


def _is_simple(row: Row) -> bool:
    """Tell whether a row is one of the backbone's simple table."""
    is_long = len(row) == SIMPLE_COLUMNS
    return is_long and row[0].isdigit() and row[IS_SYNONYM] in {"t", "f"}


def _of_simple(row: Row) -> KnownTaxon:
    """Return a row of the backbone's simple table."""
    row = ["" if cell == NULL else cell for cell in row]
    cell = {name: row[at] if at < len(row) else "" for name, at in SIMPLE.items()}
    authority = cell["authorship"]
    return KnownTaxon(
        name=cell["canonical_name"] or _without(cell["scientific_name"], authority),
        authority=authority,
        rank=cell["rank"].lower(),
        status=cell["status"].lower(),
        vernacular="",
        aphia_id=None,
        dyntaxa_id=None,
        gbif_key=_number(cell["id"]),
    )


def _without(name: str, authority: str) -> str:
    """Return a name without its author."""
    if authority and name.endswith(authority):
        return name[: -len(authority)].strip()
    return name


def _number_in(form: Pattern[str], *ids: str) -> Optional[int]:
    """Return the number in the first id of a form."""
    for each in ids:
        found = form.search(each) if each else None
        if found is not None:
            return _number(found[1])
    return None


def _number(text: str) -> Optional[int]:
    """Return an id; None for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_ID):
        return None
    return int(text) or None
