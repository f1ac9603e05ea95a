"""``eml.xml``: the data set in words, as GBIF's profile of EML 2.2.0 wants it. Pure."""

from typing import List, Optional
from xml.etree import ElementTree as ET

from openflexure_timelapse.movie.metadata import SOFTWARE
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.darwin_core import xml_bytes
from openflexure_timelapse.share.image_words import title_of
from openflexure_timelapse.share.licences import GBIF, licence_of
from openflexure_timelapse.share.line_text import line_text
from openflexure_timelapse.share.shared_place import (
    SharedPlace,
    degree_text,
    shared_place,
)
from openflexure_timelapse.share.subject import Subject

__all__ = ["dataset_title", "eml_of", "people_of"]

NAMESPACE = "https://eml.ecoinformatics.org/eml-2.2.0"
SCHEMA = "https://rs.gbif.org/schema/eml-gbif-profile/1.3/eml.xsd"
ROOT = {
    "xmlns:eml": NAMESPACE,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}",
    "system": "http://gbif.org",
    "scope": "system",
    "xml:lang": "en",
}
CC = "Creative Commons"
# As GBIF's own publishing tool calls them.
LICENCE_TITLES = {
    "CC0-1.0": "Public Domain (CC0 1.0)",
    "CC-BY-4.0": f"{CC} Attribution (CC-BY) 4.0 License",
    "CC-BY-NC-4.0": f"{CC} Attribution Non Commercial (CC-BY-NC) 4.0 License",
}
KEYWORDS = ("Occurrence", "time-lapse", "microscopy")
Element = ET.Element


def eml_of(subject: Subject) -> bytes:
    """Return the document.

    Parameters
    ----------
    subject : Subject
        With somebody who can be named, a licence that GBIF takes and a sampling time:
        `gbif_findings` sees to it.
    """
    record, place = subject.record, shared_place(subject.record)
    root = Element("eml:eml", {**ROOT, "packageId": f"{subject.occurrence_id}/v1.0"})
    dataset = _add(root, "dataset")
    _add(dataset, "alternateIdentifier", subject.occurrence_id)
    _add(dataset, "title", dataset_title(subject)).set("xml:lang", "en")
    for role in ("creator", "metadataProvider"):
        _add_people(dataset, role, record)
    _add(dataset, "pubDate", _day(subject))
    _add(dataset, "language", "en")
    _add_paragraph(_add(dataset, "abstract"), _abstract(subject))
    keywords = _add(dataset, "keywordSet")
    for word in KEYWORDS:
        _add(keywords, "keyword", word)
    _add(keywords, "keywordThesaurus", "n/a")
    _add_licence(dataset, record)
    _add_coverage(dataset, record, place)
    _add_people(dataset, "contact", record)
    _add_methods(dataset, subject)
    return xml_bytes(root)


def dataset_title(subject: Subject) -> str:
    """Return the title; never empty."""
    said = line_text(title_of(subject)) or line_text(subject.plan.name)
    return f"{said or subject.run_id}: a time-lapse through a microscope"


def people_of(record: Record) -> List[str]:
    """Return who can be named as the creator: a person, and an organisation."""
    person = line_text(record.photographer) or line_text(record.contributor)
    return [name for name in (person, line_text(record.organisation)) if name]


def _day(subject: Subject) -> str:
    """Return a day for ``pubDate``: when the run was imaged; publishing renews it."""
    end = subject.imaged.end
    created = str(subject.header["created"])[:10]
    return created if end is None else end.date().isoformat()


def _abstract(subject: Subject) -> str:
    """Return what the data set is."""
    caption = line_text(subject.record.caption)
    said = f"{caption} " if caption else ""
    return f"{said}One occurrence with images of it over time, {_span(subject)}."


def _span(subject: Subject) -> str:
    """Return how many frames there are, and from when."""
    imaged = subject.imaged
    told = f"{imaged.frames} frames, one each {imaged.interval_s:g} s"
    if imaged.begin is None or imaged.end is None:
        return told
    begin = imaged.begin.isoformat(timespec="seconds")
    return f"{told}, imaged {begin} to {imaged.end.isoformat(timespec='seconds')}"


# ------------------------------------------------------------------------- the parts


def _add(parent: Element, name: str, text: Optional[str] = None) -> Element:
    """Add an element."""
    element = ET.SubElement(parent, name)
    element.text = text
    return element


def _add_paragraph(parent: Element, text: str) -> None:
    """Add a paragraph."""
    _add(parent, "para", text)


def _add_people(dataset: Element, role: str, record: Record) -> None:
    """Add who made the data set, or is asked about it."""
    agent = _add(dataset, role)
    organisation = line_text(record.organisation)
    person = line_text(record.photographer) or line_text(record.contributor)
    if organisation:
        _add(agent, "organizationName", organisation)
    if person:
        given, _, last = person.rpartition(" ")
        individual = _add(agent, "individualName")
        if given:
            _add(individual, "givenName", given)
        _add(individual, "surName", last)


def _add_licence(dataset: Element, record: Record) -> None:
    """Add the licence: as a sentence with a link, which GBIF reads, and by its id."""
    licence = licence_of(record.licence)
    title, address = LICENCE_TITLES[licence.spdx], GBIF[licence.spdx]
    rights = _add(_add(dataset, "intellectualRights"), "para")
    rights.text = "This work is licensed under a "
    if licence.spdx == "CC0-1.0":
        rights.text = "All rights are waived; this work is dedicated to the "
    link = ET.SubElement(rights, "ulink", url=address)
    _add(link, "citetitle", title)
    link.tail = "."
    licensed = _add(dataset, "licensed")
    _add(licensed, "licenseName", title)
    _add(licensed, "url", address)
    _add(licensed, "identifier", licence.spdx)


def _add_coverage(dataset: Element, record: Record, place: SharedPlace) -> None:
    """Add where, when and what: of the sampling, not of the imaging."""
    coverage = _add(dataset, "coverage")
    latitude, longitude = place.latitude, place.longitude
    if latitude is not None and longitude is not None:
        where = _add(coverage, "geographicCoverage")
        words = (place.locality, place.water_body, place.country)
        told = ", ".join(word for word in words if word)
        _add(where, "geographicDescription", told or "Where the sample was taken")
        bounds = _add(where, "boundingCoordinates")
        for side, angle in (
            ("west", longitude),
            ("east", longitude),
            ("north", latitude),
            ("south", latitude),
        ):
            _add(bounds, f"{side}BoundingCoordinate", degree_text(angle))
    if record.sampled is not None:
        when = _add(_add(coverage, "temporalCoverage"), "singleDateTime")
        _add(when, "calendarDate", record.sampled.day.isoformat())
    if record.taxon is not None:
        what = _add(coverage, "taxonomicCoverage")
        taxon = _add(what, "taxonomicClassification")
        rank = line_text(record.taxon.rank or "")
        if rank:
            _add(taxon, "taxonRankName", rank)
        _add(taxon, "taxonRankValue", line_text(record.taxon.name))


def _add_methods(dataset: Element, subject: Subject) -> None:
    """Add how the sample was imaged, and how it was taken."""
    record = subject.record
    methods = _add(dataset, "methods")
    step = _add(_add(methods, "methodStep"), "description")
    instrument = line_text(record.instrument) or "OpenFlexure Microscope"
    told = f"{instrument}, recorded with {SOFTWARE}: {_span(subject)}."
    _add_paragraph(step, told)
    method = line_text(record.sampling_method)
    if method:
        sampling = _add(methods, "sampling")
        extent = _add(_add(sampling, "studyExtent"), "description")
        _add_paragraph(extent, "One sample.")
        _add_paragraph(_add(sampling, "samplingDescription"), method)
