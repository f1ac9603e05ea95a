"""The extension of OpenFlexure Microscope server v2: the verbs as labthings views.

The only module that knows labthings. A server whose extension raises does not start,
and one bad page of metadata takes every extension's tab away: so nothing here raises
while the server starts, and what is wrong is told by the status and the page.
"""

import io
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Type

from flask import Response, request, send_file
from labthings import current_action, current_labthing
from labthings.extensions import BaseExtension
from labthings.views import ActionView, View
from werkzeug.exceptions import HTTPException, InternalServerError, default_exceptions
from werkzeug.wsgi import get_input_stream

from openflexure_timelapse import __version__
from openflexure_timelapse.errors import (
    HardwareError,
    InvalidRequestError,
    TimelapseError,
)
from openflexure_timelapse.hosts.farewell import before_exit
from openflexure_timelapse.hosts.follower import Follower
from openflexure_timelapse.hosts.forms import start_form
from openflexure_timelapse.hosts.requests import (
    SAFE_HEADERS,
    Asked,
    check_size,
    json_bytes,
)
from openflexure_timelapse.hosts.routes import ROUTES, Handler, Route, answered
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.v2_microscope import V2Microscope
from openflexure_timelapse.hosts.verbs import Verbs
from openflexure_timelapse.store.disk import RealDisk

__all__ = ["NAME", "TimelapseAction", "TimelapseExtension"]

LOG = logging.getLogger(__name__)

NAME = "org.openflexure.timelapse"
TITLE = "Time-lapse"
ICON = "timelapse"
MICROSCOPE = "org.openflexure.microscope"
AUTOFOCUS = "org.openflexure.autofocus"
ADDRESS = f"/api/v2/extensions/{NAME}"
DATA = "timelapse"
STOP_S = 20
CHUNK_BYTES = 65_536


class TimelapseExtension(BaseExtension):  # type: ignore[misc] # labthings has no types
    """Time-lapse: exact times, safe frames, honest movies."""

    def __init__(self) -> None:
        super().__init__(NAME, version=__version__)
        self._microscope: Any = None
        self._labthing: Any = None
        self.verbs = Verbs(self._data_folder, self._make_service, self._remarks)
        for route in ROUTES:
            self.add_view(_view(route), route.rule, endpoint=route.name)
        told = {"__doc__": TimelapseAction.__doc__}
        action = type("TimelapseAction", (TimelapseAction,), told)
        self.add_view(action, "timelapse", endpoint="timelapse")
        self.add_meta("gui", self._gui)
        self.on_component(MICROSCOPE, self._on_microscope)

    def close(self) -> None:
        """Leave a run that is under way to the next server."""
        self.verbs.close()

    # ------------------------------------------------------------------ the microscope

    def _on_microscope(self, microscope: Any) -> None:
        """Go on with what an earlier server left to do; never raises."""
        self._microscope = microscope
        try:
            self.verbs.begin()
            before_exit(self.verbs)
        except Exception:
            # The server's own loop of components calls this: it must go on.
            LOG.exception("An interrupted time-lapse waits for a request.")

    def _data_folder(self) -> Path:
        """Return the folder beside the captures, which a user may have moved.

        Not below them: the server reads each picture there when it starts, and does
        not start when one is damaged.
        """
        if self._microscope is None:
            told = "The server has no microscope yet; wait, or look into its log."
            raise HardwareError(told)
        captures = Path(self._microscope.captures.paths["default"])
        return captures.parent / DATA

    def _make_service(self, folder: Path) -> Service:
        """Return the service for a data folder."""
        clock = getattr(self._microscope, "clock", None) or RealClock()

        def um_per_pixel() -> Optional[float]:
            return service.preferences.scale()

        microscope = V2Microscope(
            self._microscope,
            clock,
            find_autofocus=self._find_autofocus,
            um_per_pixel=um_per_pixel,
        )
        service = Service(folder, microscope, clock, RealDisk())
        return service

    def _find_autofocus(self) -> Any:
        """Return the autofocus extension; None where there is none, or none yet.

        labthings tells its extensions only during a request; before the first one, a
        run that goes on by itself focuses with a sweep of our own.
        """
        labthing = self._labthing
        return None if labthing is None else labthing.extensions.get(AUTOFOCUS)

    def _remarks(self) -> Tuple[str, ...]:
        """Return what a user should know of the hardware."""
        found = []
        if not self._microscope.has_real_camera():
            told = "The server found no camera and draws its pictures itself; "
            found.append(told + "check the ribbon cable and restart the server.")
        if not self._microscope.has_real_stage():
            told = "The server found no stage, so nothing moves; "
            found.append(told + "check its cable and power and restart the server.")
        return tuple(found)

    # ----------------------------------------------------------------------- requests

    def answer(self, handler: Handler, path: Mapping[str, str]) -> Any:
        """Answer the request that labthings has at hand.

        Parameters
        ----------
        handler : callable
            Of the table of routes.
        path : mapping of str to str
            The parts of the address.
        """
        self.meet()
        status, reply = answered(
            lambda verbs, asked: handler(verbs, replace(asked, body=_body())),
            self.verbs,
            Asked(path, request.args.to_dict()),
        )
        return _file(reply) if isinstance(reply, Path) else _json(reply, status)

    def meet(self) -> None:
        """Remember the labthing that serves us, which only a request tells."""
        if self._labthing is None:
            self._labthing = current_labthing()

    def _gui(self) -> Dict[str, Any]:
        """Return what the web app shows; asked for at each look, and never raises."""
        try:
            fields = start_form(self.verbs.service.preferences.read().plan)
        except Exception as exc:  # noqa: BLE001 - every extension's tab would vanish
            LOG.info("The form shows its own values: %s", exc)
            fields = start_form(None)
        start = {
            "name": "Start a time-lapse",
            "route": f"/{NAME}/start_form",
            "isTask": False,
            "submitLabel": "Start time-lapse",
            "schema": fields,
        }
        stop = {
            "name": "Stop the time-lapse",
            "route": f"/{NAME}/stop",
            "isTask": False,
            "submitLabel": "Stop time-lapse",
            "schema": [],
        }
        return {
            "id": NAME,
            "version": __version__,
            "icon": ICON,
            "title": TITLE,
            "viewPanel": "stream",
            "frame": {"href": f"{ADDRESS}/page/"},
            "forms": [start, stop],
        }


def _view(route: Route) -> Type[View]:
    """Return a view class for one address; labthings allows a class one extension."""

    def method(handler: Handler) -> Callable[..., Any]:
        def answer(self: Any, **path: str) -> Any:
            return self.extension.answer(handler, path)

        answer.__doc__ = handler.__doc__
        return answer

    methods = {name.lower(): method(each) for name, each in route.handlers.items()}
    title = "".join(part.capitalize() for part in route.name.split("_"))
    told = next(iter(route.handlers.values())).__doc__
    parts = {**methods, "__doc__": told, "tags": [TITLE]}
    return type(f"Timelapse{title}", (View,), parts)


def _json(data: Mapping[str, Any], status: int) -> Response:
    """Return JSON with the link that the published Python client looks for."""
    linked = {**data, "links": {"self": {"href": request.url}}}
    content, kind = json_bytes(linked), "application/json"
    return Response(content, status, SAFE_HEADERS, mimetype=kind)


def _body() -> bytes:
    """Return the body of the request, which is not read beyond what may be.

    Raises
    ------
    InvalidRequestError
        When it is too large, or its sender breaks off.
    """
    check_size(request.content_length or 0)
    stream, found = get_input_stream(request.environ), bytearray()
    try:
        while True:
            more = stream.read(CHUNK_BYTES)
            if not more:
                return bytes(found)
            found += more
            check_size(len(found))
    except (OSError, ValueError) as exc:  # also what is no proper chunk
        told = "The request's body could not be read to its end; send it again, "
        raise InvalidRequestError(told + "with its Content-Length.") from exc


def _file(path: Path) -> Response:
    """Return a file, whole or the range that was asked for."""
    response = send_file(str(path), conditional=True, cache_timeout=0)
    response.headers.extend(SAFE_HEADERS)
    return response


def _http_error(error: TimelapseError) -> HTTPException:
    """Return what labthings answers for an error of an action, with its sentence."""
    return default_exceptions.get(error.http_status, InternalServerError)(str(error))


class TimelapseAction(ActionView):  # type: ignore[misc] # labthings has no types
    """Start a run of a plan and follow it to its end; stopping this stops the run."""

    default_stop_timeout = STOP_S

    def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse what labthings would read whole, and keep in its list of actions."""
        if request.method == "POST":
            try:
                body = _body()
                Asked(body=body).document()
            except TimelapseError as exc:
                raise _http_error(exc) from exc
            place = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
            request.environ.update(place)
            request.environ.pop("wsgi.input_terminated", None)
        return super().dispatch_request(*args, **kwargs)

    def post(self) -> Dict[str, Any]:
        """Start a time-lapse and follow it."""
        self.extension.meet()
        action = current_action()
        follower = Follower(
            self.extension.verbs,
            Asked({}, {}, request.get_data()),
            action.stopping,
            action.update_progress,
            action.update_data,
        )
        try:
            return follower.follow()
        except TimelapseError as exc:
            raise _http_error(exc) from exc
