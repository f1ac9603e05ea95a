"""The job of checking one run."""

from typing import Any, ClassVar, Dict, Optional, Tuple

from openflexure_timelapse.hosts.job import Job
from openflexure_timelapse.hosts.library import Library
from openflexure_timelapse.store.verify import verify

__all__ = ["VerifyJob"]


class _CancelledError(Exception):
    """Somebody does not want the report any more."""


class VerifyJob(Job):
    """A check of a run: every byte is read, nothing is changed.

    Parameters
    ----------
    job_id, run_id
        As for `Job`.
    library : Library
        Where the run is.
    """

    kind: ClassVar[str] = "verify"

    def __init__(self, job_id: str, run_id: str, library: Library) -> None:
        super().__init__(job_id, run_id)
        self._library = library
        self._done, self._total = 0, 0
        self._report: Optional[Dict[str, Any]] = None

    def to_json(self) -> Dict[str, Any]:
        """Return what the API shows; ``report`` is null until the job is done."""
        done, total = self._done, self._total
        fraction = done / total if total else 0.0
        return {
            **super().to_json(),
            "done": done,
            "total": total,
            "fraction": 1.0 if self.state == "done" else round(fraction, 4),
            "report": self._report if self.is_over else None,
        }

    def work(self) -> Tuple[str, str]:
        """Check the run; one that is being recorded is checked as far as it is."""
        try:
            found = verify(self._library.folder(self.run_id), self._look_up)
        except _CancelledError:
            return "cancelled", "The check was cancelled; ask for it again."
        self._library.folder(self.run_id)  # one that was deleted meanwhile is no loss
        self._report = {"ok": found.ok, "lines": found.lines()}
        return "done", ""

    def _look_up(self, done: int, total: int) -> None:
        """Take note of the progress, and end when nobody waits for it."""
        if self.is_cancelled:
            raise _CancelledError
        self._done, self._total = done, total
