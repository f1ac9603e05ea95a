"""What can be wrong with when and where a sample was taken. Pure."""

from datetime import datetime, timezone
from typing import List

from openflexure_timelapse.record import Moment
from openflexure_timelapse.share.finding import Finding
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.subject import Subject

__all__ = ["is_after", "place_findings", "sampling_findings"]


def is_after(moment: Moment, instant: datetime) -> bool:
    """Tell whether a sample was surely taken after an instant.

    Parameters
    ----------
    moment : Moment
        As precisely as it is known. Without an offset it is taken for local time.
    instant : datetime
        Local, with the offset.
    """
    if moment.clock is None:
        return moment.day > instant.date()
    told = datetime.combine(moment.day, moment.clock)
    if moment.offset is None:
        return told > instant.replace(tzinfo=None)
    return told.replace(tzinfo=timezone(moment.offset)) > instant


def sampling_findings(subject: Subject) -> List[Finding]:
    """Return a finding that blocks, where a sample was imaged before it was taken."""
    sampled, begin = subject.record.sampled, subject.imaged.begin
    if sampled is None or begin is None or not is_after(sampled, begin):
        return []
    told = f"The sample was taken at {sampled}, after it was imaged "
    told += f"({begin.isoformat(timespec='seconds')}); correct the sampling time."
    return [Finding("sampled_at", told, blocks=True)]


def place_findings(subject: Subject, order: ShareOrder) -> List[Finding]:
    """Return why images have no place although the order asks for it."""
    if not order.place_in_images:
        return []
    record = subject.record
    if record.latitude is None:
        told = "The record has no coordinates; none are written into the images."
        return [Finding("order.place_in_images", told)]
    if record.geoprivacy != "open":
        told = (
            f"geoprivacy is {record.geoprivacy}; no place is written into the images."
        )
        return [Finding("order.place_in_images", told)]
    return []
