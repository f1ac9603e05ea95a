"""Whatever a person typed, a bundle is refused in words, or is one that is taken."""

import csv
import io
from dataclasses import replace
from datetime import date, datetime
from typing import Iterator, List

import pytest
from cases.any_record import records
from cases.gallery import shared_run
from hypothesis import example, given

from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.image_metadata import with_metadata
from openflexure_timelapse.share.image_words import metadata_of
from openflexure_timelapse.share.inaturalist_table import table_of
from openflexure_timelapse.share.licences import NORDIC_MICROALGAE
from openflexure_timelapse.share.nordic_form import attributes_of
from openflexure_timelapse.share.nordic_waters import AREAS
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject, open_subject

IMAGED = date(2026, 11, 23)


@pytest.fixture(scope="module", name="subject")
def _subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Return a run that every record is tried with."""
    with open_subject(shared_run(tmp_path_factory.mktemp("data"), count=1)) as subject:
        yield subject


def found(subject: Subject, order: ShareOrder) -> List[Finding]:
    """Return what is said of a run; each in a sentence that ends."""
    findings = list(DESTINATIONS[order.destination].findings(subject, order))
    for finding in findings:
        assert finding.sentence.endswith(".")
    return findings


@given(records())
@example(Record(title="a", photographer="b", latitude=60.1, longitude=19.95))
def test_nordic_microalgae_is_given_what_its_form_has(
    subject: Subject, record: Record
) -> None:
    """A licence and an area of its lists, a day that was, a name and a title."""
    subject = replace(subject, record=record)
    order = ShareOrder(destination="nordic-microalgae", place_in_images=True)
    if any(finding.blocks for finding in found(subject, order)):
        return
    values = attributes_of(subject)
    assert values["license"] in NORDIC_MICROALGAE.values()
    assert values.get("geographic_area", AREAS[0]) in AREAS
    assert values["title"]
    assert values["photographer_artist"].strip()
    assert values["contributor"].strip()
    if "sampling_date" in values:
        assert date(*map(int, values["sampling_date"].split("-"))) <= IMAGED
    _check_words(subject, order)


@given(records())
@example(
    Record(
        sampled_at="2026-11-22",
        taxon=Taxon(name="Skeletonema marinoi"),
        latitude=-0.5,
        longitude=-180.0,
    )
)
def test_inaturalist_is_given_what_it_takes(subject: Subject, record: Record) -> None:
    """A day within 130 years, a place that is one, and a row in Latin-1 if any."""
    subject = replace(subject, record=record)
    order = ShareOrder(destination="inaturalist", place_in_images=True)
    if any(finding.blocks for finding in found(subject, order)):
        return
    _check_words(subject, order)
    table = table_of(subject, 1)
    if table is None:
        return
    text = table.decode("iso-8859-1")
    _heading, row = csv.reader(io.StringIO(text, newline=""))
    assert len(row) == 8
    assert row[0].replace(" ", "").isalpha()
    sampled = datetime.strptime(row[1][:10], "%Y-%m-%d").date()  # noqa: DTZ007
    assert date(1896, 11, 23) <= sampled <= date(2026, 11, 24)
    latitude, longitude = float(row[4]), float(row[5])
    assert -90 < latitude < 90
    assert -180 <= longitude <= 180
    assert (latitude, longitude) != (0, 0)
    assert row[7] in {"", "obscured", "private"}


def _check_words(subject: Subject, order: ShareOrder) -> None:
    """Fail unless the guides and an image hold what was typed."""
    destination = DESTINATIONS[order.destination]
    for language in ("en", "sv"):
        assert destination.guide(subject, order, language).strip()
    (frame,) = subject.frames()
    metadata = metadata_of(subject, order, frame, title=subject.record.title)
    jpeg = subject.path(frame).read_bytes()
    copied = with_metadata(jpeg, metadata)
    opened = subject.record.geoprivacy == "open" and subject.record.latitude is not None
    assert (metadata.place is not None) is opened
    assert copied.endswith(jpeg[jpeg.index(b"\xff\xda") :])
