"""The verbs over HTTP: one table of addresses for every server.

A server turns each row into its own kind of view. A handler takes the verbs and what
was asked; it returns JSON-able data or the path of a file, and raises our errors.
"""

import functools
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Tuple, Union

from openflexure_timelapse.errors import NotFoundError, TimelapseError
from openflexure_timelapse.hosts.forms import plan_of_form, tidied
from openflexure_timelapse.hosts.mover import Target
from openflexure_timelapse.hosts.requests import Asked, error_json
from openflexure_timelapse.hosts.verbs import Verbs
from openflexure_timelapse.plan import Plan
from openflexure_timelapse.recipe import Recipe
from openflexure_timelapse.record import Record
from openflexure_timelapse.share.order import ShareOrder

__all__ = ["ROUTES", "Handler", "Reply", "Route", "answered"]

LOG = logging.getLogger(__name__)

Reply = Union[Dict[str, Any], Path]
Handler = Callable[[Verbs, Asked], Reply]

WEB = Path(__file__).resolve().parent.parent / "web"
PAGE = "index.html"
LOOKS, STATUSES = threading.BoundedSemaphore(3), threading.BoundedSemaphore(3)
"""Turns of requests: who asks how the run goes must not wait for a slow disk."""
OK = 200
INTERNAL_ERROR = 500


@dataclass(frozen=True)
class Route:
    """One address.

    Attributes
    ----------
    name : str
        Of the endpoint; unique.
    rule : str
        The address below the extension's own; ``<name>`` stands for a part without
        slashes, ``<path:name>`` for one with them.
    handlers : mapping of str to callable
        By the HTTP method, in capitals.
    """

    name: str
    rule: str
    handlers: Mapping[str, Handler]


# ------------------------------------------------------------------------ run control


def _status(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Tell how the run goes."""
    return verbs.status()


def _microscope(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Tell what the microscope is and where its stage stands."""
    return verbs.service.microscope()


def _plan_schema(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Return the JSON Schema of a plan."""
    return verbs.service.plan_schema()


def _estimate(verbs: Verbs, asked: Asked) -> Reply:
    """Tell what a plan would take."""
    return verbs.service.estimate(tidied(Plan, asked.document()))


def _start(verbs: Verbs, asked: Asked) -> Reply:
    """Start a run of a plan."""
    return verbs.start(tidied(Plan, asked.document()))


def _start_form(verbs: Verbs, asked: Asked) -> Reply:
    """Start a run as the short form asks for it."""
    return verbs.start(plan_of_form(asked.document()))


def _pause(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Pause the run."""
    return verbs.pause()


def _resume(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Go on with the run."""
    return verbs.resume()


def _stop(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """End the run."""
    return verbs.stop()


def _go_to(verbs: Verbs, asked: Asked) -> Reply:
    """Move the stage, while no run does."""
    return verbs.service.go_to(tidied(Target, asked.document()))


def _latest(verbs: Verbs, asked: Asked) -> Reply:
    """Return the newest frame."""
    return verbs.service.latest(asked.optional_number("width"))


def _preferences(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Return what is remembered between visits."""
    return verbs.service.preferences.read().to_json()


def _set_preferences(verbs: Verbs, asked: Asked) -> Reply:
    """Change what is remembered between visits."""
    return verbs.service.preferences.change(asked.document())


def _notify_test(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Send a message that only says that messages arrive."""
    return verbs.service.notifier.test()


# ----------------------------------------------------------------------- looking at it


def _runs(verbs: Verbs, asked: Asked) -> Reply:
    """Return a page of runs, newest first."""
    limit = asked.number("limit", 50)
    return verbs.service.runs(asked.query.get("after", ""), limit)


def _run(verbs: Verbs, asked: Asked) -> Reply:
    """Return everything about a run but its frames."""
    return verbs.service.run(asked.path["run"])


def _delete(verbs: Verbs, asked: Asked) -> Reply:
    """Delete a run."""
    return verbs.service.delete(asked.path["run"], asked.query.get("confirm", ""))


def _frames(verbs: Verbs, asked: Asked) -> Reply:
    """Return a page of a run's frames."""
    after, limit = asked.number("after", 0), asked.number("limit", 100)
    position, slot = asked.query.get("position") or None, asked.optional_number("slot")
    return verbs.service.frames(asked.path["run"], after, limit, position, slot)


def _frame(verbs: Verbs, asked: Asked) -> Reply:
    """Return the picture of a frame."""
    n, width = asked.number("n", 0), asked.optional_number("width")
    return verbs.service.frame(asked.path["run"], n, width)


def _slots(verbs: Verbs, asked: Asked) -> Reply:
    """Return a page of a run's slots and their outcomes."""
    after, limit = asked.number("after", 0), asked.number("limit", 100)
    return verbs.service.slots(asked.path["run"], after, limit)


def _positions(verbs: Verbs, asked: Asked) -> Reply:
    """Return a run's positions with their newest frames."""
    return verbs.service.overview.positions(asked.path["run"])


def _timeline(verbs: Verbs, asked: Asked) -> Reply:
    """Return how many slots ended how, along the run."""
    bins = asked.number("bins", 200)
    return verbs.service.overview.timeline(asked.path["run"], bins)


def _visits(verbs: Verbs, asked: Asked) -> Reply:
    """Return a page of a run's visits with their focus and drift."""
    after, limit = asked.number("after", 0), asked.number("limit", 100)
    position = asked.query.get("position") or None
    return verbs.service.overview.visits(asked.path["run"], after, limit, position)


def _series(verbs: Verbs, asked: Asked) -> Reply:
    """Return a curve of focus, drift or lateness along the run."""
    what, points = asked.query.get("what", ""), asked.number("points", 200)
    return verbs.service.overview.series(asked.path["run"], what, points)


def _verify(verbs: Verbs, asked: Asked) -> Reply:
    """Check a run in the background."""
    return verbs.service.verify(asked.path["run"])


def _make_movie(verbs: Verbs, asked: Asked) -> Reply:
    """Make a movie of a run."""
    recipe = tidied(Recipe, asked.document())
    return verbs.service.make_movie(asked.path["run"], recipe)


def _record(verbs: Verbs, asked: Asked) -> Reply:
    """Return the record of a run's sample, and what the run knows by itself."""
    return verbs.service.sharing.record(asked.path["run"])


def _set_record(verbs: Verbs, asked: Asked) -> Reply:
    """Keep another record of a run's sample."""
    record = tidied(Record, asked.document())
    return verbs.service.sharing.set_record(asked.path["run"], record)


def _share(verbs: Verbs, asked: Asked) -> Reply:
    """Make a bundle of a run for one destination."""
    order = tidied(ShareOrder, asked.document())
    return verbs.service.sharing.share(asked.path["run"], order)


def _share_check(verbs: Verbs, asked: Asked) -> Reply:
    """Tell what stands in the way of a bundle; nothing is written."""
    order = tidied(ShareOrder, asked.document())
    return verbs.service.sharing.check(asked.path["run"], order)


def _share_choices(verbs: Verbs, asked: Asked) -> Reply:
    """Return which stills and movies a person may choose for a bundle."""
    order = tidied(ShareOrder, asked.document())
    return verbs.service.sharing.choices(asked.path["run"], order)


def _taxa(verbs: Verbs, asked: Asked) -> Reply:
    """Return names of organisms that begin as asked."""
    limit = asked.number("limit", 12)
    return verbs.service.sharing.taxa(asked.query.get("query", ""), limit)


def _files(verbs: Verbs, asked: Asked) -> Reply:
    """Return the names of a run's files that are not frames."""
    return verbs.service.files(asked.path["run"])


def _file(verbs: Verbs, asked: Asked) -> Reply:
    """Return one of a run's files."""
    return verbs.service.file(asked.path["run"], asked.path["name"])


def _delete_bundle(verbs: Verbs, asked: Asked) -> Reply:
    """Delete a bundle of a run, and nothing else of it."""
    name, confirm = asked.path["name"], asked.query.get("confirm", "")
    return verbs.service.delete_bundle(asked.path["run"], name, confirm)


def _jobs(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Return the movies and bundles that are being made, and the checks."""
    return verbs.service.jobs()


def _cancel_job(verbs: Verbs, asked: Asked) -> Reply:
    """Cancel a movie, a bundle or a check."""
    return verbs.service.cancel_job(asked.path["job"])


def _page(verbs: Verbs, asked: Asked) -> Reply:  # noqa: ARG001
    """Return the page or one of its files."""
    name = asked.path.get("name", PAGE)
    if name not in {path.name for path in WEB.iterdir()}:
        raise NotFoundError(f"The page has no file {name!r}; open page/ itself.")
    return WEB / name


def _few(handler: Handler, turns: threading.BoundedSemaphore) -> Handler:
    """Return a handler that lets few requests work at once; the others wait asleep.

    Each thread that works keeps the one that captures from its turn with Python's
    lock for some milliseconds, and a server has forty threads for fifty browsers.
    """

    @functools.wraps(handler)
    def in_turn(verbs: Verbs, asked: Asked) -> Reply:
        with turns:
            return handler(verbs, asked)

    return in_turn


def _look(handler: Handler) -> Handler:
    """Return a handler that reads a run, of which few work at once."""
    return _few(handler, LOOKS)


ROUTES: Tuple[Route, ...] = (
    Route("status", "status", {"GET": _few(_status, STATUSES)}),
    Route("microscope", "microscope", {"GET": _microscope}),
    Route("plan_schema", "plan_schema", {"GET": _plan_schema}),
    Route("estimate", "estimate", {"POST": _estimate}),
    Route("start", "start", {"POST": _start}),
    Route("start_form", "start_form", {"POST": _start_form}),
    Route("pause", "pause", {"POST": _pause}),
    Route("resume", "resume", {"POST": _resume}),
    Route("stop", "stop", {"POST": _stop}),
    Route("go_to", "go_to", {"POST": _go_to}),
    Route("latest", "latest", {"GET": _look(_latest)}),
    Route("preferences", "preferences", {"GET": _preferences, "PUT": _set_preferences}),
    Route("notify_test", "notify_test", {"POST": _notify_test}),
    Route("runs", "runs", {"GET": _look(_runs)}),
    Route("run", "runs/<run>", {"GET": _look(_run), "DELETE": _delete}),
    Route("frames", "runs/<run>/frames", {"GET": _look(_frames)}),
    Route("frame", "runs/<run>/frames/<n>", {"GET": _look(_frame)}),
    Route("slots", "runs/<run>/slots", {"GET": _look(_slots)}),
    Route("positions", "runs/<run>/positions", {"GET": _look(_positions)}),
    Route("timeline", "runs/<run>/timeline", {"GET": _look(_timeline)}),
    Route("visits", "runs/<run>/visits", {"GET": _look(_visits)}),
    Route("series", "runs/<run>/series", {"GET": _look(_series)}),
    Route("verify", "runs/<run>/verify", {"POST": _verify}),
    Route("movies", "runs/<run>/movies", {"POST": _make_movie}),
    Route("record", "runs/<run>/record", {"GET": _look(_record), "PUT": _set_record}),
    Route("share", "runs/<run>/share", {"POST": _share}),
    Route("share_check", "runs/<run>/share/check", {"POST": _look(_share_check)}),
    Route("share_choices", "runs/<run>/share/choices", {"POST": _look(_share_choices)}),
    Route("taxa", "taxa", {"GET": _look(_taxa)}),
    Route("files", "runs/<run>/files", {"GET": _look(_files)}),
    Route(
        "file",
        "runs/<run>/files/<path:name>",
        {"GET": _file, "DELETE": _delete_bundle},
    ),
    Route("jobs", "jobs", {"GET": _jobs}),
    Route("job", "jobs/<job>", {"DELETE": _cancel_job}),
    Route("page", "page/", {"GET": _page}),
    Route("page_file", "page/<name>", {"GET": _page}),
)


def answered(handler: Handler, verbs: Verbs, asked: Asked) -> Tuple[int, Reply]:
    """Return the HTTP status and what is answered, also for an error.

    Parameters
    ----------
    handler : callable
        Of a route.
    verbs : Verbs
        Of this server.
    asked : Asked
        The request.
    """
    try:
        return OK, handler(verbs, asked)
    except TimelapseError as exc:
        return exc.http_status, error_json(exc, exc.http_status)
    except Exception as exc:
        # The outer edge of a request: a defect of ours is answered, logged and told.
        LOG.exception("A request to the time-lapse failed.")
        return INTERNAL_ERROR, error_json(exc, INTERNAL_ERROR)
