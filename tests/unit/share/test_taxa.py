"""Names of organisms from the person's own list."""

from pathlib import Path
from typing import Iterator, List, Optional

import pytest

from openflexure_timelapse.errors import StorageError
from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share import taxa as taxa_module
from openflexure_timelapse.share.taxa import Taxa, taxon_findings

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
    monkeypatch.setattr(taxa_module, "LARGEST_BYTES", 10)
    with pytest.raises(StorageError, match="cut out the groups"):
        taxa.find("a", 1)


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
