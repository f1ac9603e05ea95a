"""What iNaturalist would refuse, and what a person should know before.

Pure, but for the list of the run's GIFs.
"""

from datetime import date
from typing import List, Sequence

from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.gifs import fitting_gif, gifs_of, recipe_text
from openflexure_timelapse.share.image_words import description_of
from openflexure_timelapse.share.inaturalist_table import latin_text, why_no_table
from openflexure_timelapse.share.licences import GBIF, INATURALIST, licence_of
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject

__all__ = [
    "GIF_MB",
    "LARGEST_BYTES",
    "doubts",
    "gif_findings",
    "required_findings",
    "table_findings",
]

LARGEST_BYTES = 20_971_520
GIF_MB = 20
"""In megabytes of a recipe, which are a little smaller than iNaturalist's."""
OLDEST_YEARS = 130
POLE = 90
DECIMALS = 6
"""Of degrees that are written down."""


def required_findings(subject: Subject) -> List[Finding]:
    """Return what makes an observation useless or is refused."""
    record, found = subject.record, []
    sampled, begin = record.sampled, subject.imaged.begin
    if sampled is None:
        told = "The sampling date is missing; say when the sample was taken."
        found.append(Finding("sampled_at", told, blocks=True))
    elif begin is not None and _is_old(sampled.day, begin.date()):
        told = f"{sampled} is more than {OLDEST_YEARS} years ago, and iNaturalist "
        told += "takes nothing older; correct the sampling time."
        found.append(Finding("sampled_at", told, blocks=True))
    if record.latitude is None or record.longitude is None:
        told = "The coordinates are missing; say where the sample was taken."
        return [*found, Finding("latitude", told, blocks=True)]
    if round(abs(record.latitude), DECIMALS) >= POLE:
        told = f"iNaturalist takes no pole (latitude {record.latitude:g}); "
        found.append(Finding("latitude", told + "correct the place.", blocks=True))
    if round(record.latitude, DECIMALS) == 0 == round(record.longitude, DECIMALS):
        told = "iNaturalist refuses the place 0, 0; correct the coordinates."
        found.append(Finding("latitude", told, blocks=True))
    return found


def _is_old(day: date, imaged: date) -> bool:
    """Tell whether a day was longer ago, when the sample was imaged, than is taken."""
    then = (day.year + OLDEST_YEARS, day.month, day.day)
    return then < (imaged.year, imaged.month, imaged.day)


def doubts(subject: Subject, positions: Sequence[str]) -> List[Finding]:
    """Return what is doubtful.

    Parameters
    ----------
    subject : Subject
        The run.
    positions : sequence of str
        Of which there is an observation each.
    """
    record, found = subject.record, []
    if record.taxon is None:
        told = "No organism is named; the observation goes up as unknown, and others "
        found.append(Finding("taxon", told + "have to name it."))
    if record.origin == "culture":
        told = "The sample is a culture: mark the observation as captive/cultivated. "
        found.append(Finding("origin", told + "It gets the grade casual."))
    if record.origin == "not_living":
        told = "iNaturalist is for organisms, and this sample is said to be none."
        found.append(Finding("origin", told))
    spdx = licence_of(record.licence).spdx
    if spdx in INATURALIST and spdx not in GBIF:
        told = f"iNaturalist takes {record.licence}, but gives to GBIF only "
        found.append(Finding("licence", f"{told}{', '.join(GBIF)}."))
    if len(positions) > 1:
        told = f"There is an observation for each of {len(positions)} positions; where "
        told += "they show the same organism of one sample, choose one position."
        found.append(Finding("order.position", told))
    return found


def gif_findings(
    subject: Subject, order: ShareOrder, positions: Sequence[str]
) -> List[Finding]:
    """Return why no GIF goes along, and how to make one; what is asked for must fit."""
    if not positions:
        return []
    gifs = gifs_of(subject)
    asked = next((gif for gif in gifs if gif.name == order.movie), None)
    if order.movie is not None and asked is None:
        known = ", ".join(gif.name for gif in gifs) or "none"
        told = f"{order.movie} is no GIF of this run; it has: {known}. iNaturalist "
        told += "takes no other movie."
        return [Finding("order.movie", told, blocks=True)]
    if asked is not None and asked.size_bytes > LARGEST_BYTES:
        told = f"{asked.name} has {asked.size_bytes} bytes, and iNaturalist takes "
        told += f"{LARGEST_BYTES}; {recipe_text(subject, positions[0], GIF_MB)}."
        return [Finding("order.movie", told, blocks=True)]
    found = []
    for position in positions:
        gif = fitting_gif(gifs, order.movie, position, LARGEST_BYTES)
        if gif is None:
            told = f"No GIF of {position} is small enough for iNaturalist; for one, "
            told += f"{recipe_text(subject, position, GIF_MB)}, and share again."
            found.append(Finding("order.movie", told))
    return found[:1] if len(found) == len(positions) else found


def table_findings(subject: Subject) -> List[Finding]:
    """Return why there is no table, or what is written otherwise in it."""
    why = why_no_table(subject)
    if why:
        told = f"There is no table to import: {why}. The images are enough."
        return [Finding("taxon.name", told)]
    texts = f"{subject.record.place} {description_of(subject, None)}"
    odd = sorted({char for char in texts if char > "\u00ff"} - {"\u2028", "\u2029"})
    if not odd:
        return []
    shown = ", ".join(f"{char} as {latin_text(char) or 'nothing'}" for char in odd[:10])
    told = f"The table to import has only western letters; it writes {shown}."
    return [Finding("caption", told)]
