"""The verbs around sharing: the record of a sample, what stands in the way, bundles."""

from datetime import datetime
from typing import Any, ContextManager, Dict, Mapping, Optional

from openflexure_timelapse.document import parse
from openflexure_timelapse.errors import DamagedRunError, InvalidRecordError
from openflexure_timelapse.hosts.jobs import JobQueue
from openflexure_timelapse.hosts.library import Library, checked_limit
from openflexure_timelapse.hosts.share_job import ShareJob
from openflexure_timelapse.plan import parse_plan
from openflexure_timelapse.ports import Clock, Disk
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.order import parse_order
from openflexure_timelapse.share.record_file import read_record, write_record
from openflexure_timelapse.share.sampling import is_after
from openflexure_timelapse.share.shared_log import shared_before
from openflexure_timelapse.share.sharing import check_share, choices_of, found_of
from openflexure_timelapse.share.subject import (
    Subject,
    imaged_of,
    open_subject,
    scale_of,
)
from openflexure_timelapse.share.tally import Tallies
from openflexure_timelapse.share.taxa import Taxa
from openflexure_timelapse.store.layout import local_time

__all__ = ["Sharing"]


class Sharing:
    """Keeps records, and makes bundles of runs.

    Parameters
    ----------
    library : Library
        Where the runs are.
    queue : JobQueue
        Makes the bundles.
    clock : Clock
        Knows what lies ahead.
    disk : Disk
        Writes durably.
    patience_s : float or None
        As for `Taxa`.
    """

    def __init__(
        self,
        library: Library,
        queue: JobQueue,
        clock: Clock,
        disk: Disk,
        patience_s: Optional[float] = None,
    ) -> None:
        self._library = library
        self._queue = queue
        self._clock = clock
        self._disk = disk
        self._taxa = Taxa(library.data_folder, patience_s)
        self._tallies = Tallies()

    def record(self, run_id: str) -> Dict[str, Any]:
        """Return what is known of a run's sample, and what the run knows by itself.

        Raises
        ------
        NotFoundError
            When there is no such run.
        """
        folder = self._library.folder(run_id)
        with self._library.open_read(run_id) as store:
            header, plan = store.header, parse_plan(store.header["plan"])
            problem, edited = "", None
            try:
                edited = read_record(folder)
            except DamagedRunError as exc:
                problem = str(exc)
            record = edited or plan.sample or Record()
            scale, source = scale_of(header, record)
            imaged = imaged_of(store, plan)
        return {
            "run": run_id,
            "record": record.model_dump(mode="json"),
            "edited": edited is not None,
            "problem": problem,
            "occurrence_id": str(record.uuid or header["dataset_id"]),
            "imaged": {
                "begin": _told(imaged.begin),
                "end": _told(imaged.end),
                "interval_s": imaged.interval_s,
                "frames": imaged.frames,
            },
            "scale": {"um_per_pixel": scale, "source": source},
            "positions": list(plan.position_names()),
            "shared_before": list(shared_before(folder)),
            "destinations": [
                {"name": each.name, "title": each.title, "feeds_gbif": each.feeds_gbif}
                for each in DESTINATIONS.values()
            ],
            "names": self._taxa.source,
        }

    def set_record(self, run_id: str, data: Mapping[str, Any]) -> Dict[str, Any]:
        """Keep another record of a run's sample; what is left out is forgotten.

        Raises
        ------
        InvalidRecordError
            When it breaks a rule, or lies in the future; the one before is kept.
        NotFoundError
            When there is no such run.
        DiskFullError, StorageError
            When it cannot be kept.
        """
        folder = self._library.folder(run_id)
        record = parse(Record, data, InvalidRecordError, "record")
        self._refuse_future(record)
        write_record(folder, record, self._disk)
        return self.record(run_id)

    def _refuse_future(self, record: Record) -> None:
        """Refuse a sampling time that lies ahead, as far as the clock can be believed.

        Raises
        ------
        InvalidRecordError
            When it does.
        """
        if record.sampled is None or not self._clock.wall_is_trusted():
            return
        wall_ns = self._clock.wall_ns()
        now = local_time(wall_ns, self._clock.utc_offset_s(wall_ns))
        if is_after(record.sampled, now):
            reason = f"lies in the future (it is {record.sampled_at}, and now it is "
            reason += f"{now.isoformat(timespec='minutes')}); correct it"
            told = f"The record is not valid: sampled_at {reason}."
            raise InvalidRecordError(told, [{"field": "sampled_at", "reason": reason}])

    def check(self, run_id: str, order: Mapping[str, Any]) -> Dict[str, Any]:
        """Return what stands in the way of a bundle, and what is doubtful.

        Nothing is written.

        Raises
        ------
        InvalidShareError
            When the order is none.
        NotFoundError
            When there is no such run.
        """
        parsed = parse_order(order)
        destination = DESTINATIONS[parsed.destination]
        with self._subject(run_id) as subject:
            found = found_of(subject, parsed)
            is_ready = not any(finding.blocks for finding in found)
            needed = destination.bytes_needed(subject, parsed) if is_ready else None
        return {
            "destination": destination.name,
            "title": destination.title,
            "ready": is_ready,
            "findings": [finding.to_json() for finding in found],
            "bytes_needed": needed,
        }

    def choices(self, run_id: str, order: Mapping[str, Any]) -> Dict[str, Any]:
        """Return which stills we suggest, and which movies may go along.

        Raises
        ------
        InvalidShareError
            When the order is none.
        NotFoundError
            When there is no such run.
        """
        parsed = parse_order(order)
        with self._subject(run_id) as subject:
            return choices_of(subject, parsed)

    def _subject(self, run_id: str) -> ContextManager[Subject]:
        """Open a run in order to share it."""
        folder = self._library.folder(run_id)
        return open_subject(folder, self._taxa, self._tallies)

    def share(self, run_id: str, order: Mapping[str, Any]) -> Dict[str, Any]:
        """Queue a bundle.

        Raises
        ------
        InvalidShareError
            When something stands in the way, with an entry for each; nothing is queued.
        NotFoundError
            When there is no such run.
        """
        parsed = parse_order(order)
        with self._subject(run_id) as subject:
            check_share(subject, parsed)
        parts = (run_id, self._library, parsed, self._taxa, self._tallies, self._disk)
        return {"job": self._queue.add("share", lambda name: ShareJob(name, *parts))}

    def taxa(self, query: str, limit: int) -> Dict[str, Any]:
        """Return names of organisms that begin so, from the person's own list.

        Raises
        ------
        NotReadyError
            While a long list is being read.
        StorageError
            When the list cannot be read or understood.
        """
        found = self._taxa.find(query, checked_limit(limit)) if query.strip() else []
        return {
            "source": self._taxa.source,
            "taxa": [taxon.to_json() for taxon in found],
        }

    def close(self) -> None:
        """Forget the list of names."""
        self._taxa.close()


def _told(moment: Optional[datetime]) -> Optional[str]:
    """Return a time to the second; None for none."""
    return None if moment is None else moment.isoformat(timespec="seconds")
