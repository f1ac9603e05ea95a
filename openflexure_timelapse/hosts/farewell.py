"""Leaving a run in good order when the program ends by itself.

A server closes its camera in an ``atexit`` handler that it registers after extensions
were loaded, so that ours would come too late: a visit under way would fail. Python
joins the threads that are no daemons before it calls any such handler; one of them
waits for the end of the main thread.
"""

import threading
import weakref
from typing import List

from openflexure_timelapse.hosts.verbs import Verbs

__all__ = ["before_exit"]

_LOCK = threading.Lock()
_OPEN: "weakref.WeakSet[Verbs]" = weakref.WeakSet()
_THREADS: List[threading.Thread] = []


def before_exit(verbs: Verbs) -> None:
    """Close `verbs` when the main thread has ended.

    Parameters
    ----------
    verbs : Verbs
        Known by a weak reference only.
    """
    with _LOCK:
        _OPEN.add(verbs)
        if not _THREADS:
            thread = threading.Thread(target=_wait, name="timelapse-leave")
            thread.daemon = False
            thread.start()
            _THREADS.append(thread)


def _wait() -> None:
    """Wait for the main thread's end and close what is open."""
    threading.main_thread().join()
    for verbs in list(_OPEN):
        verbs.close()
