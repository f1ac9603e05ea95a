"""A Darwin Core Archive: one occurrence, and rows about its media. Pure.

Its tables are text with tabs between the cells and nothing quoted, so each cell is one
line. ``meta.xml`` says so, and which column is which term.
"""

import io
import zipfile
from typing import Dict, Iterable, Mapping, Optional, Sequence, Tuple
from xml.etree import ElementTree as ET

from openflexure_timelapse.record import Taxon
from openflexure_timelapse.share.image_words import holder_of
from openflexure_timelapse.share.licences import GBIF, licence_of
from openflexure_timelapse.share.line_text import line_text
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.shared_place import degree_text, shared_place
from openflexure_timelapse.share.subject import Subject

__all__ = [
    "OCCURRENCE_TERMS",
    "archive_of",
    "core_id",
    "meta_xml",
    "number_text",
    "occurrence_of",
    "term_address",
    "xml_bytes",
]

VOCABULARIES = {
    "ac": "http://rs.tdwg.org/ac/terms/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "dwc": "http://rs.tdwg.org/dwc/terms/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
}
OCCURRENCE_TERMS: Tuple[str, ...] = (
    "dwc:occurrenceID",
    "dwc:basisOfRecord",
    "dwc:occurrenceStatus",
    "dwc:scientificName",
    "dwc:taxonRank",
    "dwc:scientificNameID",
    "dwc:taxonID",
    "dwc:identificationQualifier",
    "dwc:identificationVerificationStatus",
    "dwc:identifiedBy",
    "dwc:eventDate",
    "dwc:samplingProtocol",
    "dwc:recordedBy",
    "dwc:recordNumber",
    "dwc:countryCode",
    "dwc:waterBody",
    "dwc:locality",
    "dwc:decimalLatitude",
    "dwc:decimalLongitude",
    "dwc:geodeticDatum",
    "dwc:coordinateUncertaintyInMeters",
    "dwc:minimumDepthInMeters",
    "dwc:maximumDepthInMeters",
    "dwc:dataGeneralizations",
    "dwc:informationWithheld",
    "dwc:occurrenceRemarks",
    "dcterms:license",
    "dcterms:rightsHolder",
)
OCCURRENCE_FILE, MEDIA_FILE = "occurrence.txt", "multimedia.txt"
EML_FILE, META_FILE = "eml.xml", "meta.xml"
OCCURRENCE_ROW = VOCABULARIES["dwc"] + "Occurrence"
MEDIA_ROW = VOCABULARIES["ac"] + "Multimedia"
ORIGINS = {"culture": "From a culture.", "not_living": "Not a living sample."}
# The same content gives the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def term_address(term: str) -> str:
    """Return the full name of a term such as ``dwc:eventDate``."""
    vocabulary, _, name = term.partition(":")
    return VOCABULARIES[vocabulary] + name


def core_id(subject: Subject) -> str:
    """Return the name of the occurrence, the same in every archive of it."""
    return f"urn:uuid:{subject.occurrence_id}"


def number_text(number: float) -> str:
    """Return a number with six digits that count, never with an exponent."""
    text = f"{float(f'{number:.6g}'):.15f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


# ------------------------------------------------------------------- the occurrence


def occurrence_of(subject: Subject, order: ShareOrder) -> Dict[str, str]:
    """Return the occurrence by its terms; its date is the sampling's, never another."""
    record = subject.record
    photographer = line_text(record.photographer)
    return {
        "dwc:occurrenceID": core_id(subject),
        "dwc:basisOfRecord": order.basis_of_record,
        "dwc:occurrenceStatus": "present",
        **_taxon(record.taxon, photographer),
        "dwc:eventDate": "" if record.sampled is None else str(record.sampled),
        "dwc:samplingProtocol": line_text(record.sampling_method),
        "dwc:recordedBy": line_text(record.sampled_by) or photographer,
        "dwc:recordNumber": line_text(subject.run_id),
        **_place(subject),
        "dwc:occurrenceRemarks": _remarks(subject),
        "dcterms:license": GBIF.get(licence_of(record.licence).spdx, ""),
        "dcterms:rightsHolder": line_text(holder_of(subject)),
    }


def _taxon(taxon: Optional[Taxon], photographer: str) -> Dict[str, str]:
    """Return what the organism is, and how certain."""
    if taxon is None:
        return {}
    name = line_text(taxon.name)
    worms = "" if taxon.aphia_id is None else str(taxon.aphia_id)
    found = {
        "dwc:scientificName": name,
        "dwc:taxonRank": line_text(taxon.rank or ""),
        "dwc:scientificNameID": (
            f"urn:lsid:marinespecies.org:taxname:{worms}" if worms else ""
        ),
        "dwc:identifiedBy": line_text(taxon.identified_by) or photographer,
    }
    if taxon.dyntaxa_id is not None:
        found["dwc:taxonID"] = f"urn:lsid:dyntaxa.se:Taxon:{taxon.dyntaxa_id}"
    elif taxon.gbif_key is not None:
        found["dwc:taxonID"] = f"https://www.gbif.org/species/{taxon.gbif_key}"
    if taxon.uncertain and name:
        found["dwc:identificationQualifier"] = f"cf. {name.split()[-1]}"
        found["dwc:identificationVerificationStatus"] = "uncertain"
    return found


def _place(subject: Subject) -> Dict[str, str]:
    """Return where, as exactly as it may be told."""
    record, place = subject.record, shared_place(subject.record)
    depths = {
        "dwc:minimumDepthInMeters": record.depth_min_m,
        "dwc:maximumDepthInMeters": record.depth_max_m,
    }
    found = {
        "dwc:countryCode": place.country,
        "dwc:waterBody": place.water_body,
        "dwc:locality": place.locality,
        "dwc:dataGeneralizations": place.generalised,
        "dwc:informationWithheld": place.withheld,
        **{key: number_text(m) for key, m in depths.items() if m is not None},
    }
    if place.latitude is not None and place.longitude is not None:
        found["dwc:decimalLatitude"] = degree_text(place.latitude)
        found["dwc:decimalLongitude"] = degree_text(place.longitude)
        found["dwc:geodeticDatum"] = "EPSG:4326"
    if place.uncertainty_m is not None:
        metres = number_text(place.uncertainty_m)
        found["dwc:coordinateUncertaintyInMeters"] = metres
    return found


def _remarks(subject: Subject) -> str:
    """Return the caption, the origin, and when the sample was imaged."""
    record, imaged = subject.record, subject.imaged
    told = [line_text(record.caption), ORIGINS.get(str(record.origin), "")]
    if imaged.begin is not None and imaged.end is not None:
        begin = imaged.begin.isoformat(timespec="seconds")
        end = imaged.end.isoformat(timespec="seconds")
        told.append(f"Imaged {begin} to {end}; the event date is the sampling's.")
    return " ".join(text for text in told if text)


# ---------------------------------------------------------------------- the archive


def archive_of(
    eml: bytes,
    occurrence: Mapping[str, str],
    media_terms: Sequence[str],
    media: Sequence[Mapping[str, str]],
) -> bytes:
    """Return the archive as a zip file.

    Parameters
    ----------
    eml : bytes
        What ``eml.xml`` says of the data set.
    occurrence : mapping
        The occurrence by its terms.
    media_terms : sequence of str
        The columns of the table of media.
    media : sequence of mapping
        A row each, by its terms; none for an archive without that table.
    """
    terms = OCCURRENCE_TERMS
    name = occurrence["dwc:occurrenceID"]
    files = {
        META_FILE: meta_xml(media_terms if media else ()),
        EML_FILE: eml,
        OCCURRENCE_FILE: _table(terms, [occurrence]),
    }
    if media:
        rows = ({"coreid": name, **row} for row in media)
        files[MEDIA_FILE] = _table(("coreid", *media_terms), rows)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            entry = zipfile.ZipInfo(file, NO_TIME)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _table(terms: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """Return a table with its heading."""
    lines = ["\t".join(terms)]
    lines += ["\t".join(row.get(term, "") for term in terms) for row in rows]
    return ("\n".join(lines) + "\n").encode("utf-8")


def meta_xml(media_terms: Sequence[str]) -> bytes:
    """Return the description of the archive's tables.

    Parameters
    ----------
    media_terms : sequence of str
        Of the table of media, without the column that names the occurrence; none for
        an archive without it.
    """
    root = ET.Element(
        "archive", {"xmlns": "http://rs.tdwg.org/dwc/text/", "metadata": EML_FILE}
    )
    core = _described(root, "core", OCCURRENCE_ROW, OCCURRENCE_FILE)
    ET.SubElement(core, "id", index="0")
    _add_fields(core, OCCURRENCE_TERMS, 0)
    if media_terms:
        media = _described(root, "extension", MEDIA_ROW, MEDIA_FILE)
        ET.SubElement(media, "coreid", index="0")
        _add_fields(media, media_terms, 1)
    return xml_bytes(root)


def _described(root: ET.Element, kind: str, row_type: str, file: str) -> ET.Element:
    """Add the description of a table."""
    form = {
        "encoding": "UTF-8",
        "fieldsTerminatedBy": "\\t",
        "linesTerminatedBy": "\\n",
        "fieldsEnclosedBy": "",
        "ignoreHeaderLines": "1",
        "rowType": row_type,
    }
    table = ET.SubElement(root, kind, form)
    files = ET.SubElement(table, "files")
    ET.SubElement(files, "location").text = file
    return table


def _add_fields(table: ET.Element, terms: Sequence[str], first: int) -> None:
    """Add which column is which term."""
    for index, term in enumerate(terms, first):
        field = {"index": str(index), "term": term_address(term)}
        ET.SubElement(table, "field", field)


def xml_bytes(root: ET.Element) -> bytes:
    """Return a document as UTF-8."""
    text = ET.tostring(root, "unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
