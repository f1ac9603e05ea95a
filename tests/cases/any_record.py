"""Records that a form would take, whatever a person typed."""

from datetime import date

from hypothesis import strategies as st

from openflexure_timelapse.record import Record, Taxon
from openflexure_timelapse.share.licences import GBIF, LICENCES
from openflexure_timelapse.share.nordic_waters import AREAS

__all__ = ["complete_records", "places", "records", "words"]

ALAND = (60.1, 19.95)

words = st.text(max_size=40) | st.sampled_from(
    [
        "=cmd()",
        '"=cmd()"',
        "Åsa </x> & 'Öberg'",
        "{run} %s",
        "a\tb\nc\r\u2028d",
        "\u202e\x00\x1b[0m\ufffe",
        "日本 🦠",
    ]
)
places = st.sampled_from(
    [
        ALAND,
        (90.0, 0.0),
        (-90.0, 180.0),
        (0.0, 0.0),
        (16.5, -180.0),
        (-0.5, 179.9999999),
    ]
) | st.tuples(st.floats(-90, 90), st.floats(-180, 180))
days = st.dates(date(1, 1, 1), date(9999, 12, 31)) | st.dates(
    date(1896, 1, 1), date(2027, 1, 1)
)
taxa = st.none() | st.builds(
    Taxon,
    name=words.filter(bool) | st.just("Skeletonema marinoi"),
    rank=st.none() | words,
    aphia_id=st.none() | st.integers(1, 10**9),
    dyntaxa_id=st.none() | st.integers(1, 10**9),
    uncertain=st.booleans(),
    identified_by=words,
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Return a record that a form would take."""
    place = draw(st.none() | places)
    sampled = draw(st.none() | days)
    clock = draw(st.sampled_from(["", "T00:00", "T23:59Z", "T09:30:59-11:00"]))
    depth = draw(st.none() | st.floats(0, 11_000))
    return Record(
        title=draw(words),
        caption=draw(words | st.just("mycket " * 200)),
        taxon=draw(taxa),
        origin=draw(st.sampled_from([None, "wild", "culture", "not_living"])),
        sampled_at=None if sampled is None else f"{sampled.isoformat()}{clock}",
        sampled_by=draw(words),
        sampling_method=draw(words | st.just("håvning")),
        place=draw(words | st.just("Bryggan, " * 12)),
        country=draw(st.sampled_from(["", "SE", "AX", "FI"])),
        water_body=draw(words),
        geographic_area=draw(st.sampled_from(["", "Sjö", AREAS[4]])),
        latitude=None if place is None else place[0],
        longitude=None if place is None else place[1],
        accuracy_m=draw(st.none() | st.floats(0.001, 10_000_000)),
        depth_min_m=depth,
        depth_max_m=depth,
        photographer=draw(words),
        organisation=draw(words),
        licence=draw(st.sampled_from([*LICENCES, "cc0-1.0", "MIT"])),
        geoprivacy=draw(st.sampled_from(["open", "obscured", "private"])),
    )


@st.composite
def complete_records(draw: st.DrawFn) -> Record:
    """Return a record in which little is missing that registries require."""
    record = draw(records())
    past = draw(st.dates(date(1, 1, 1), date(2026, 11, 22))).isoformat()
    known = {
        "taxon": record.taxon or Taxon(name=f"A {draw(words)}"),
        "sampled_at": draw(st.sampled_from([past, f"{past}T09:30:00+01:00"])),
        "place": f"B {record.place}",
        "accuracy_m": draw(st.floats(0.001, 5000)),
        "photographer": f"C {record.photographer}",
        "licence": draw(st.sampled_from(sorted(GBIF))),
    }
    if draw(st.booleans()):
        known["latitude"] = draw(st.floats(54.9, 69.1))
        known["longitude"] = draw(st.floats(10, 24.2))
    return record.model_copy(update=known)
