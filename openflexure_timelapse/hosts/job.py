"""One piece of work of the queue: how it stands, and what each kind of it must do."""

import abc
import threading
from dataclasses import dataclass
from typing import Any, Callable, ClassVar, Dict, Optional, Tuple

from openflexure_timelapse.errors import TimelapseError

__all__ = ["Batch", "Job"]


@dataclass
class Batch:
    """The jobs of one request, and what is done when all of them have ended.

    Attributes
    ----------
    left : int
        How many have not ended yet.
    then : callable
        Called once, unless the queue was closed before.
    """

    left: int
    then: Callable[[], None]


class Job(abc.ABC):
    """A job on one run; a kind of job derives from this.

    Parameters
    ----------
    job_id : str
        Its name.
    run_id : str
        The run.
    batch : Batch or None
        What it belongs to.

    Attributes
    ----------
    kind : str
        As the API calls it.
    state : str
        ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``; changed by the
        queue, under its lock.
    message : str
        Why it failed, or a remark.
    tries : int
        How often it was begun, by this program or one before.
    """

    kind: ClassVar[str]

    def __init__(self, job_id: str, run_id: str, batch: Optional[Batch] = None) -> None:
        self.id = job_id
        self.run_id = run_id
        self.batch = batch
        self.state = "queued"
        self.message = ""
        self.tries = 0
        self._cancelled = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state not in ("queued", "running")

    @property
    def is_cancelled(self) -> bool:
        """Whether it should end."""
        return self._cancelled.is_set()

    def to_json(self) -> Dict[str, Any]:
        """Return what the API shows of every kind."""
        return {
            "job": self.id,
            "kind": self.kind,
            "run": self.run_id,
            "state": self.state,
            "message": self.message,
        }

    def cancel(self) -> None:
        """Ask a job that is under way to end; from any thread."""
        self._cancelled.set()

    def run(self) -> Tuple[str, str]:
        """Work, and return the last state and message; whatever happens is one."""
        try:
            return self.work()
        except TimelapseError as exc:
            return "failed", str(exc)
        except Exception as exc:  # noqa: BLE001 - the outer edge of the queue's thread
            return "failed", f"The {self.kind} job failed: {exc!r}."

    @abc.abstractmethod
    def work(self) -> Tuple[str, str]:
        """Do it all, on the queue's thread; return the last state and a remark.

        Raises
        ------
        TimelapseError
            Why it could not be done.
        """
