"""Names of organisms from the person's own list."""

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflexure_timelapse.errors import NotReadyError, StorageError
from openflexure_timelapse.hosts.leftovers import sweep
from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share import taxon_index
from openflexure_timelapse.share.taxa import KnownTaxon, Taxa, taxon_findings

NORDIC = """scientific_name\tauthority\trank\ttaxon_id\tstatus
Cafeteria\tFenchel, 1988\tGenus\t103989\taccepted
Cafeteria roenbergensis\tFenchel, 1988\tSpecies\t103990\taccepted
Åkeria\tÖdman, 1900\tGenus\t7\tuncertain
Ctenophora\tWilliams, 1986\tGenus\t8\taccepted
Ctenophora\tEschscholtz, 1829\tPhylum\t1248\taccepted
Ctenophora\tOld, 1700\tGenus\t9\tunaccepted
"""
DYNTAXA = (
    "taxonID\tscientificName\tscientificNameAuthorship\ttaxonRank\ttaxonomicStatus\n"
    "urn:lsid:dyntaxa.se:Taxon:1010\tVolvox aureus Ehrenberg\tEhrenberg\tspecies\t"
    "accepted\n"
)
BACKBONE = (
    "taxonID\tscientificName\tcanonicalName\ttaxonRank\ttaxonomicStatus\n"
    "2645\tVolvox aureus Ehrenberg, 1832\tVolvox aureus\tspecies\taccepted\n"
)


@pytest.fixture(name="taxa")
def _taxa(tmp_path: Path) -> Iterator[Taxa]:
    (tmp_path / "taxa.txt").write_text(NORDIC, "utf-8")
    taxa = Taxa(tmp_path)
    yield taxa
    taxa.close()


def found(taxa: Taxa, beginning: str, limit: int = 9) -> List[Optional[int]]:
    """Return the AphiaIDs of the names that begin so."""
    return [taxon.aphia_id for taxon in taxa.find(beginning, limit)]


def test_names_are_found_by_their_beginning(taxa: Taxa) -> None:
    """In whatever letters, with their numbers, no more than asked for."""
    assert found(taxa, "CAFE") == [103989, 103990]
    assert found(taxa, "cafeteria  R") == [103990]
    assert found(taxa, "ÅK") == [7]
    assert found(taxa, "c", 2) == [103989, 103990]
    assert found(taxa, "%") == []
    assert taxa.find("cafeteria r", 1)[0].rank == "species"


def test_a_list_that_is_changed_is_read_anew(taxa: Taxa, tmp_path: Path) -> None:
    """Without a restart; and without a list there is nothing to find."""
    assert found(taxa, "volvox") == []
    (tmp_path / "taxa.txt").unlink()
    assert (taxa.source, found(taxa, "cafe")) == (None, [])
    (tmp_path / "taxa.tsv").write_text(DYNTAXA, "utf-8")
    (volvox,) = taxa.matches("volvox AUREUS")
    assert (volvox.name, volvox.dyntaxa_id) == ("Volvox aureus", 1010)
    (tmp_path / "taxa.tsv").write_text(BACKBONE, "utf-8")
    (volvox,) = taxa.matches("Volvox aureus")
    assert (volvox.gbif_key, volvox.dyntaxa_id, volvox.aphia_id) == (2645, None, None)


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"\xff\xfe", b"name\ttaxonID\n"]
)
def test_what_is_no_list_is_told(tmp_path: Path, content: bytes) -> None:
    """With the headings that it should have; and a bundle is only warned of it."""
    (tmp_path / "taxa.tsv").write_bytes(content)
    taxa = Taxa(tmp_path)
    with pytest.raises(StorageError, match=r"taxa\.tsv is no"):
        taxa.find("a", 1)
    record = Record(taxon=Taxon(name="Volvox"))
    (finding,) = taxon_findings(record, taxa, blocks=True)
    assert not finding.blocks
    taxa.close()


def test_a_list_that_is_too_large_is_not_read(
    taxa: Taxa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person is told to cut out a group."""
    monkeypatch.setattr(taxon_index, "LARGEST_BYTES", 10)
    with pytest.raises(StorageError, match="cut out the groups"):
        taxa.find("a", 1)


DYNTAXA_ARCHIVE = (
    "taxonId\tacceptedNameUsageID\tparentNameUsageID\tscientificName\ttaxonRank\t"
    "scientificNameAuthorship\ttaxonomicStatus\tvernacularName\n"
    "urn:lsid:dyntaxa.se:Taxon:221501\turn:lsid:dyntaxa.se:Taxon:221501\t"
    "urn:lsid:dyntaxa.se:Taxon:1\tAnacamptis morio\tspecies\t(L.) R. M. Bateman\t"
    "accepted\tgöknycklar\r\n"
    "urn:lsid:dyntaxa.se:TaxonName:77\turn:lsid:dyntaxa.se:Taxon:221501\t\t"
    "Orchis morio\tspecies\tL.\tsynonym\t\r\n"
    'urn:lsid:dyntaxa.se:Taxon:5\t\t\t"Volvox ""aureus"""\tspecies\t"Ehrenberg, '
    '1832"\taccepted\t"Åäö-alg"\r\n'
    "urn:lsid:dyntaxa.se:Taxon:6\t\t\tShort row\r\n"
    "\r\n"
)
SIMPLE = "\n".join(
    "\t".join(row)
    for row in (
        ["5219404", "2435194", "\\N", "f", "ACCEPTED", "SPECIES", "{}", "a-b", "SOURCE"]
        + ["1"] * 9
        + ["Panthera leo (Linnaeus, 1758)", "Panthera leo", "Panthera", "leo"]
        + ["\\N", "\\N", "Linnaeus", "1758", "\\N", "\\N", "\\N", "{}"],
        ["9", "1", "\\N", "t", "SYNONYM", "SPECIES", "{}", "a-b", "SOURCE"]
        + ["1"] * 9
        + ["Felis leo L.", "\\N", "Felis", "leo"]
        + ["\\N", "\\N", "L.", "\\N", "\\N", "\\N", "\\N", "{}"],
    )
)


def names_of(tmp_path: Path, name: str, text: str, beginning: str) -> List[KnownTaxon]:
    """Return what a list has of names that begin so."""
    (tmp_path / name).write_text(text, "utf-8")
    taxa = Taxa(tmp_path)
    try:
        return taxa.find(beginning, 9)
    finally:
        taxa.close()


def test_dyntaxas_table_is_read(tmp_path: Path) -> None:
    """Its own spelling of headings, quotes, synonyms, the name that people use."""
    (orchid,) = names_of(tmp_path, "taxa.csv", DYNTAXA_ARCHIVE, "anacamptis")
    assert (orchid.dyntaxa_id, orchid.vernacular) == (221501, "göknycklar")
    assert (orchid.name, orchid.authority) == ("Anacamptis morio", "(L.) R. M. Bateman")
    assert names_of(tmp_path, "taxa.csv", DYNTAXA_ARCHIVE, "GÖKNYCK") == [orchid]
    (synonym,) = names_of(tmp_path, "taxa.csv", DYNTAXA_ARCHIVE, "orchis")
    assert (synonym.status, synonym.dyntaxa_id) == ("synonym", 221501)
    (quoted,) = names_of(tmp_path, "taxa.csv", DYNTAXA_ARCHIVE, "åäö")
    assert (quoted.name, quoted.authority) == ('Volvox "aureus"', "Ehrenberg, 1832")
    (short,) = names_of(tmp_path, "taxa.csv", DYNTAXA_ARCHIVE, "short")
    assert (short.rank, short.dyntaxa_id) == ("", 6)


def test_a_name_that_people_use_is_no_scientific_one(tmp_path: Path) -> None:
    """A record with it has a name that is not in the list."""
    (tmp_path / "taxa.csv").write_text(DYNTAXA_ARCHIVE, "utf-8")
    taxa = Taxa(tmp_path)
    assert taxa.matches("göknycklar") == ()
    assert len(taxa.matches("Anacamptis morio")) == 1
    taxa.close()


def test_the_backbones_simple_table_is_read(tmp_path: Path) -> None:
    """It has no heading, and says nothing by a sign of its own."""
    (lion,) = names_of(tmp_path, "taxa.txt", SIMPLE, "panthera")
    assert (lion.name, lion.authority, lion.gbif_key) == (
        "Panthera leo",
        "Linnaeus",
        5219404,
    )
    assert (lion.rank, lion.status) == ("species", "accepted")
    (old,) = names_of(tmp_path, "taxa.txt", SIMPLE, "felis")
    assert (old.name, old.status) == ("Felis leo", "synonym")


def test_nordic_tables_of_links_are_read(tmp_path: Path) -> None:
    """With the numbers that each of them has."""
    links = "scientific_name\tdyntaxa_id\tauthor\tvalid_name\ttaxon_id\n"
    links += "Leegaardiella\t1010645\tLynn & Montagnes, 1988\tLeegaardiella\t101179\n"
    (one,) = names_of(tmp_path, "taxa.txt", links, "leeg")
    assert (one.aphia_id, one.dyntaxa_id) == (101179, 1010645)
    assert one.authority == "Lynn & Montagnes, 1988"
    keys = "taxon_id\tscientific_name\tusage_key\n101179\tLeegaardiella\t8332570\n"
    (one,) = names_of(tmp_path, "taxa.txt", keys, "leeg")
    assert (one.aphia_id, one.gbif_key) == (101179, 8332570)


HEADINGS = ("scientific_name\ttaxon_id", "taxonID\tscientificName\tvernacularName", "")


@given(st.sampled_from(HEADINGS), st.text(max_size=300), st.text(max_size=10))
def test_whatever_a_list_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, heading: str, rows: str, asked: str
) -> None:
    """Names are found by what they begin with, and nothing else goes wrong."""
    folder = tmp_path_factory.mktemp("names")
    text = f"{heading}\n{rows}".encode("utf-8", "surrogatepass")
    (folder / "taxa.txt").write_bytes(text)
    with contextlib.closing(Taxa(folder)) as taxa, contextlib.suppress(StorageError):
        assert all(taxon.name for taxon in taxa.find(asked, 5))
        taxa.matches(asked)


# ------------------------------------------------------------------------- a long list


@pytest.fixture(name="long")
def _long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose list counts as a long one."""
    monkeypatch.setattr(taxon_index, "KEPT_BYTES", 10)
    (tmp_path / "taxa.txt").write_text(NORDIC, "utf-8")
    return tmp_path


def counted(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    """Return the lists that are read from now on."""
    read: List[str] = []
    known = taxon_index.known_taxa

    def noted(lines: Any) -> Any:
        read.append("read")
        return known(lines)

    monkeypatch.setattr(taxon_index, "known_taxa", noted)
    return read


def test_a_long_list_is_read_once(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one program for all that follow, until it is changed; nothing else is left."""
    read = counted(monkeypatch)
    for _ in range(3):
        taxa = Taxa(long)
        assert found(taxa, "åk") == [7]
        taxa.close()
    assert read == ["read"]
    assert sorted(path.name for path in long.iterdir()) == [".taxa.db", "taxa.txt"]
    (long / "taxa.txt").write_text(NORDIC.replace("Åkeria", "Ökeria"), "utf-8")
    taxa = Taxa(long)
    assert (found(taxa, "åk"), found(taxa, "ök")) == ([], [7])
    taxa.close()
    assert len(read) == 2


@pytest.mark.parametrize("damage", ["cut", "strange", "folder", "newer"])
def test_what_was_kept_is_not_believed_blindly(
    long: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """It is made anew where it is damaged, of another version, or not of our making."""
    taxa = Taxa(long)
    assert found(taxa, "åk") == [7]
    taxa.close()
    kept = long / taxon_index.INDEX_FILE
    if damage == "cut":
        kept.write_bytes(kept.read_bytes()[:3000])
    elif damage == "folder":
        kept.unlink()
        kept.mkdir()
    else:
        with contextlib.closing(sqlite3.connect(str(kept))) as strange, strange:
            strange.execute(
                "CREATE VIEW more AS SELECT 1"
                if damage == "strange"
                else "PRAGMA user_version=99"
            )
    read = counted(monkeypatch)
    taxa = Taxa(long)
    if damage == "folder":
        with pytest.raises(StorageError, match=r"\.taxa\.db"):
            found(taxa, "åk")
    else:
        assert found(taxa, "åk") == [7]
    taxa.close()
    assert read == ["read"]


def test_a_folder_that_cannot_be_written_is_read_all_the_same(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that was locked, for example."""
    monkeypatch.setattr(taxon_index.os, "access", lambda *_asked: False)
    taxa = Taxa(long)
    assert found(taxa, "åk") == [7]
    taxa.close()
    assert [path.name for path in long.iterdir()] == ["taxa.txt"]


def test_a_server_that_begins_meanwhile_does_no_harm(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes what is being made for left over; the names are read all the same."""
    filled = taxon_index.Reading._filled

    def swept(reading: taxon_index.Reading, place: str) -> sqlite3.Connection:
        made = filled(reading, place)
        sweep(long)
        return made

    monkeypatch.setattr(taxon_index.Reading, "_filled", swept)
    taxa = Taxa(long)
    assert found(taxa, "åk") == [7]
    taxa.close()
    assert [path.name for path in long.iterdir()] == ["taxa.txt"]


def test_nobody_waits_long_for_a_long_list(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told how far it is; a bundle is warned, and waits when it is made."""
    go_on = threading.Event()
    known = taxon_index.known_taxa

    def held(lines: Any) -> Any:
        assert go_on.wait(60)
        return known(lines)

    monkeypatch.setattr(taxon_index, "known_taxa", held)
    taxa = Taxa(long, patience_s=0.0)
    with pytest.raises(NotReadyError, match=r"taxa\.txt is being read \(0%\)"):
        taxa.find("a", 1)
    (finding,) = taxon_findings(Record(taxon=Taxon(name="Volvox")), taxa, blocks=True)
    assert "being read" in finding.sentence
    assert not finding.blocks
    assert taxa.wait(0) == 0.0
    go_on.set()
    assert taxa.wait() is None
    assert found(taxa, "åk") == [7]
    taxa.close()


def test_a_reading_that_nobody_wants_ends(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the server ends, and when the list is replaced meanwhile."""
    monkeypatch.setattr(taxon_index, "BATCH", 1)
    begun = threading.Event()
    note = taxon_index.Reading._note

    def held(reading: taxon_index.Reading, read_bytes: int) -> None:
        begun.set()
        assert reading._given_up.wait(60)
        note(reading, read_bytes)

    monkeypatch.setattr(taxon_index.Reading, "_note", held)
    taxa = Taxa(long, patience_s=0.0)
    with pytest.raises(NotReadyError):
        taxa.find("a", 1)
    assert begun.wait(60)
    taxa.close()
    assert [path.name for path in long.iterdir()] == ["taxa.txt"]


def told(taxa: Taxa, **fields: object) -> List[str]:
    """Return what is said of a taxon where it matters."""
    record = Record(taxon=Taxon.model_validate({"name": "Ctenophora", **fields}))
    return [
        ("blocks: " if finding.blocks else "") + finding.sentence
        for finding in taxon_findings(record, taxa, blocks=True)
    ]


def test_a_name_that_two_taxa_have_is_told_with_its_choices(taxa: Taxa) -> None:
    """Until one of them is chosen; what is accepted by nobody is no choice."""
    (sentence,) = told(taxa)
    assert sentence == (
        "blocks: Ctenophora is the name of 2 taxa (Ctenophora Williams, 1986 AphiaID "
        "8; Ctenophora Eschscholtz, 1829 AphiaID 1248); choose one."
    )
    assert told(taxa, aphia_id=1248) == []
    assert len(told(taxa, aphia_id=5)) == 1


def test_a_name_that_nobody_knows_is_doubtful(taxa: Taxa) -> None:
    """It may be misspelt; an open name such as ``Volvox sp.`` is not looked for."""
    (sentence,) = told(taxa, name="Cafetera")
    assert sentence == "Cafetera is not in taxa.txt; check how it is spelt."
    assert told(taxa, name="Volvox sp.") == []
    (sentence,) = told(taxa, name="Cafeteria", aphia_id=1)
    assert "with another number" in sentence
    assert taxon_findings(Record(), taxa, blocks=True) == []
