"""The job of making one bundle: a zip file beside the run's movies."""

import functools
from typing import Any, ClassVar, Dict, Optional, Tuple

from openflexure_timelapse.errors import DiskFullError, ShareCancelledError
from openflexure_timelapse.hosts.job import Job
from openflexure_timelapse.hosts.library import BUNDLE_SUFFIX, Library
from openflexure_timelapse.ports import Disk
from openflexure_timelapse.share.archive import packed
from openflexure_timelapse.share.destinations import DESTINATIONS
from openflexure_timelapse.share.order import ShareOrder
from openflexure_timelapse.share.shared_log import note_shared
from openflexure_timelapse.share.sharing import bundle_name, free_name, make_bundle
from openflexure_timelapse.share.subject import open_subject
from openflexure_timelapse.share.tally import Tallies
from openflexure_timelapse.share.taxa import Taxa
from openflexure_timelapse.store import layout

__all__ = ["ShareJob"]

WRITING = 0.8
"""The part of the time that writing takes, about; the rest is packing."""


class ShareJob(Job):
    """One bundle, made in the queue's own thread.

    Parameters
    ----------
    job_id, run_id
        As for `Job`.
    library : Library
        Where the run is.
    order : ShareOrder
        Where to, and what goes along.
    taxa : Taxa
        The names that the person has given.
    tallies : Tallies
        What was counted of runs before.
    disk : Disk
        Writes durably.
    """

    kind: ClassVar[str] = "share"

    def __init__(  # noqa: PLR0913, PLR0917 (what a bundle is made of)
        self,
        job_id: str,
        run_id: str,
        library: Library,
        order: ShareOrder,
        taxa: Taxa,
        tallies: Tallies,
        disk: Disk,
    ) -> None:
        super().__init__(job_id, run_id)
        self.order = order
        self.file: Optional[str] = None
        self._library = library
        self._taxa = taxa
        self._tallies = tallies
        self._disk = disk
        self._keep_free_mb = 0
        self._done, self._total, self._fraction = 0, 0, 0.0
        self._doubts: Tuple[Dict[str, object], ...] = ()

    def to_json(self) -> Dict[str, Any]:
        """Return what the API shows; ``file`` is null until the job is done."""
        return {
            **super().to_json(),
            "destination": self.order.destination,
            "order": self.order.to_json(),
            "done": self._done,
            "total": self._total,
            "fraction": 1.0 if self.state == "done" else round(self._fraction, 4),
            "findings": [dict(doubt) for doubt in self._doubts],
            "file": self.file if self.is_over else None,
        }

    def work(self) -> Tuple[str, str]:
        """Make the bundle; nothing of one that is not whole is left."""
        try:
            return self._made()
        except ShareCancelledError as exc:
            return "cancelled", str(exc)
        except DiskFullError as exc:
            return "failed", f"The bundle was given up: {exc}"

    def _made(self) -> Tuple[str, str]:
        """Make the bundle."""
        folder = self._library.folder(self.run_id)
        self._taxa.wait()
        with open_subject(folder, self._taxa, self._tallies) as subject:
            self._keep_free_mb = subject.plan.keep_free_mb
            destination = DESTINATIONS[self.order.destination]
            needed_bytes = destination.bytes_needed(subject, self.order)
            self._library.check_space(self._keep_free_mb, needed_bytes)
            self._disk.make_folder(str(folder / layout.SHARE))
            name = bundle_name(subject, self.order) + BUNDLE_SUFFIX
            out = free_name(folder / layout.SHARE, name)
            doubts = make_bundle(
                subject,
                self.order,
                out,
                self._look_up,
                lambda: self.is_cancelled,
                functools.partial(packed, tell=self._look_up_packing),
            )
        self._doubts = tuple(doubt.to_json() for doubt in doubts)
        self.file = f"{layout.SHARE}/{out.name}"
        note_shared(folder, self.order.destination, self._disk)
        return "done", ""

    def _look_up(self, done: int, total: int) -> None:
        """Take note of the progress; give up before the disk is full."""
        self._library.check_space(self._keep_free_mb)
        self._done, self._total = done, total
        self._fraction = WRITING * done / max(total, 1)

    def _look_up_packing(self, done: int, total: int) -> None:
        """Take note of the progress of packing."""
        if self.is_cancelled:
            raise ShareCancelledError("The bundle was cancelled; order it again.")
        self._library.check_space(self._keep_free_mb)
        self._fraction = WRITING + (1 - WRITING) * done / max(total, 1)
