"""The Thing of OpenFlexure Microscope server v3: the verbs as endpoints and actions.

With `v3_http`, the only module that knows labthings-fastapi. It runs under OpenFlexure
Microscope's server and under a plain ``labthings-server``; which Things it works with
is found by their names, and one that is missing is told by the status instead of
stopping the server.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, TypeVar

import labthings_fastapi as lt
from labthings_fastapi.exceptions import InvocationError
from typing_extensions import Self

from openflexure_timelapse.errors import HardwareError, TimelapseError
from openflexure_timelapse.hosts.service import Service
from openflexure_timelapse.hosts.system import RealClock
from openflexure_timelapse.hosts.telling import line_of, progress_of
from openflexure_timelapse.hosts.v3_door import Door
from openflexure_timelapse.hosts.v3_gallery import RunCards
from openflexure_timelapse.hosts.v3_http import Endpoints
from openflexure_timelapse.hosts.v3_microscope import V3Microscope
from openflexure_timelapse.hosts.verbs import Verbs
from openflexure_timelapse.run_state import Phase
from openflexure_timelapse.store.disk import RealDisk

try:
    from openflexure_microscope_server.gallery_db import GalleryEntryModel as _Card
    from openflexure_microscope_server.things import OFMThing as _Host
    from openflexure_microscope_server.ui import ActionButton as _Button
except ImportError:  # a plain labthings-server
    _Host = lt.Thing
    _Card = _Button = None

__all__ = ["TimelapseThing"]

Result = TypeVar("Result")

LOOK_S = 0.5
CLOSE_S = 10.0
ENDED = ("idle", "unavailable", Phase.ENDED.value)


class TimelapseThing(Endpoints, _Host):
    """Time-lapse: exact times, safe frames, honest movies.

    Parameters
    ----------
    thing_server_interface
        The server's.
    camera, stage, autofocus, illumination : str
        Names of the Things to work with; where a slot of the same name is configured,
        that counts.
    data_folder : str, optional
        Where the runs are kept; None for the server's own place for this Thing.
    """

    _class_settings: ClassVar[lt.ThingClassSettings] = {
        "validate_properties_on_set": True
    }

    _show_data_in_gallery = True

    camera: lt.Thing | None = lt.thing_slot(None)
    stage: lt.Thing | None = lt.thing_slot(None)
    autofocus: lt.Thing | None = lt.thing_slot(None)
    illumination: lt.Thing | None = lt.thing_slot(None)
    neighbours: Mapping[str, lt.Thing] = lt.thing_slot(...)

    phase: str = lt.property(default="idle", readonly=True, use_global_lock=False)
    """Where the run is in its life; observable."""

    progress: float = lt.property(default=0.0, readonly=True, use_global_lock=False)
    """The part of the run that is done, 0 to 1; observable."""

    def __init__(  # noqa: PLR0913 (names of Things, each with a default)
        self,
        thing_server_interface: lt.ThingServerInterface,
        *,
        camera: str = "camera",
        stage: str = "stage",
        autofocus: str = "autofocus",
        illumination: str = "illumination",
        data_folder: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(thing_server_interface, **kwargs)
        self._names = {
            "camera": camera,
            "stage": stage,
            "autofocus": autofocus,
            "illumination": illumination,
        }
        self._given_folder = data_folder
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None
        self._stale = ""
        self.verbs = Verbs(self._data_folder, self._make_service, self._remarks)
        self._cards = RunCards(self.verbs, thing_server_interface.name, _Card)

    # -------------------------------------------------------------------------- life

    def attach_to_server(self, server: lt.ThingServer) -> None:
        """Have a run go on only while all Things of the server are there.

        Things start and end one after another. One that starts must not find the lock
        taken, or the server would not start; and a camera that has ended fails visits.

        Parameters
        ----------
        server : lt.ThingServer
            The server, which makes its Things before it starts them.
        """
        super().attach_to_server(server)
        server.app.add_middleware(Door, prefix=self.path)
        router = server.app.router
        things = router.lifespan_context

        @contextlib.asynccontextmanager
        async def around(app: Any) -> AsyncIterator[Any]:
            async with things(app) as state:
                self.verbs.begin()
                try:
                    yield state
                finally:
                    await asyncio.to_thread(self.verbs.close)

        router.lifespan_context = around

    def __enter__(self) -> Self:
        """Publish where the run is; the run goes on when all Things are there."""
        enter = getattr(super(), "__enter__", None)
        if enter is not None:
            enter()
        self._ended.clear()
        self._watcher = threading.Thread(
            target=self._watch, name="timelapse-watch", daemon=True
        )
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave a run under way to the next server."""
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join(CLOSE_S)
        self.verbs.close()
        leave = getattr(super(), "__exit__", None)
        if leave is not None:
            leave(kind, error, trace)

    def _watch(self) -> None:
        """Keep phase and progress up to date."""
        while not self._ended.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        """Publish what has changed; what hinders that is told, and looked at again."""
        try:
            self._publish()
        except Exception as exc:  # whatever it is, the next look may succeed
            if not self._stale:
                self.logger.exception("Phase and progress could not be published.")
            told = f"The properties phase and progress are out of date: {exc!r}; "
            self._stale = told + "the server's log says more."
        else:
            self._stale = ""

    def _publish(self) -> None:
        """Publish phase and progress when they have changed."""
        told = self.verbs.status()
        progress = progress_of(told)
        if told["phase"] != self.phase:
            self.phase = told["phase"]
        if progress != self.progress:
            self.progress = progress

    def _remarks(self) -> list[str]:
        """Return what the status should say of this Thing itself."""
        return [self._stale] if self._stale else []

    # ---------------------------------------------------------------- the microscope

    def _thing(self, role: str) -> Any:
        """Return the Thing for a role; None where there is none."""
        slot = getattr(self, role)
        return self.neighbours.get(self._names[role]) if slot is None else slot

    def _required(self, role: str) -> Any:
        """Return the Thing for a role.

        Raises
        ------
        HardwareError
            When the server has none.
        """
        found = self._thing(role)
        if found is None:
            name = self._names[role]
            told = f"The server has no Thing {name!r} to be the {role}; give its name "
            raise HardwareError(told + f"as {role!r} in the Thing's configuration.")
        return found

    def _data_folder(self) -> Path:
        """Return where the runs are kept."""
        if self._given_folder is not None:
            return Path(self._given_folder).expanduser().absolute()
        own = getattr(self, "data_dir", None)
        if own is not None:
            return Path(own)
        config = self._thing_server_interface.application_config or {}
        if "data_folder" in config:
            return Path(config["data_folder"], self.name).absolute()
        return Path(self._thing_server_interface.settings_folder, "data").absolute()

    def _make_service(self, folder: Path) -> Service:
        """Return the service for a data folder."""
        camera = self._required("camera")
        clock = getattr(camera, "clock", None) or RealClock()

        def um_per_pixel() -> float | None:
            return service.preferences.scale()

        microscope = V3Microscope(
            camera,
            self._required("stage"),
            clock,
            autofocus=self._thing("autofocus"),
            illumination=self._thing("illumination"),
            global_lock=lambda: self._thing_server_interface.global_lock,
            um_per_pixel=um_per_pixel,
            make_path=getattr(self, "create_data_path", None),
        )
        service = Service(folder, microscope, clock, RealDisk())
        return service

    # ------------------------------------------------------------------- the gallery

    @property
    def gallery_db_engine(self) -> RunCards:
        """What OpenFlexure's gallery asks for our cards."""
        return self._cards

    def delete_all_gallery_items(self) -> None:
        """Delete every finished run; the web app has asked before."""
        for run_id in self._cards.finished_ids():
            self.verbs.service.delete(run_id, run_id)

    def get_gallery_bulk_actions(self) -> list[Any]:
        """Return the buttons that the gallery shows for all our cards."""
        button = _Button(
            thing=self.name,
            action="render_missing_movies",
            submit_label="Make missing time-lapse movies",
            can_terminate=True,
        )
        return [button]

    # --------------------------------------------------------- things of the web of it

    @lt.property
    def timelapse_status(self) -> dict[str, Any]:
        """Return how the run goes: the same as the verb ``status``."""
        return self.verbs.status()

    @lt.property
    def default_plan(self) -> dict[str, Any]:
        """Return what forms show before anything is typed: the last plan, or none."""
        try:
            plan = self.verbs.service.preferences.read().plan
        except TimelapseError:  # the status tells it, and a property never fails
            plan = None
        return {} if plan is None else plan.to_json()

    @default_plan.setter
    def _set_default_plan(self, plan: dict[str, Any]) -> None:
        """Keep another one; an empty one for none."""
        self.verbs.service.preferences.change({"plan": plan or None})

    # The decorator of a property with a getter has no argument for it.
    default_plan.use_global_lock = False

    @property
    def thing_state(self) -> Mapping[str, Any]:
        """What the server writes into each picture: small, and never an error."""
        try:
            told = self.verbs.status()
        except Exception:  # noqa: BLE001 - every capture of the server would fail
            return {}
        return {name: told.get(name) for name in ("run_id", "phase", "slot")}

    @lt.action(use_global_lock=False)
    def start_timelapse(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Start a time-lapse; the plan is that of the verb ``start``."""
        return _done(lambda: self.verbs.start(plan))

    @lt.action(use_global_lock=False)
    def pause_timelapse(self) -> dict[str, Any]:
        """Pause the time-lapse."""
        return _done(self.verbs.pause)

    @lt.action(use_global_lock=False)
    def resume_timelapse(self) -> dict[str, Any]:
        """Go on with the time-lapse."""
        return _done(self.verbs.resume)

    @lt.action(use_global_lock=False)
    def stop_timelapse(self) -> dict[str, Any]:
        """End the time-lapse."""
        return _done(self.verbs.stop)

    @lt.action(use_global_lock=False)
    def render_movie(
        self, run: str, recipe: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make a movie of a run; cancelling this cancels the movie."""
        service = _done(lambda: self.verbs.service)
        jobs = _done(lambda: service.make_movie(run, recipe or {}))["jobs"]
        return {"jobs": _wait_for(service, jobs)}

    @lt.action(use_global_lock=False)
    def render_missing_movies(self) -> dict[str, Any]:
        """Make a movie of each finished run that has none."""
        service = _done(lambda: self.verbs.service)
        jobs: list[dict[str, Any]] = []
        for run_id in _done(self._cards.finished_ids):
            if not service.run(run_id)["movies"]:
                jobs += _done(lambda: service.make_movie(run_id, {}))["jobs"]  # noqa: B023 (called at once)
        return {"jobs": _wait_for(service, jobs)}

    @lt.action(use_global_lock=False)
    def follow_timelapse(self) -> dict[str, Any]:
        """Log what happens until the run has ended; cancelling this leaves the run."""
        last: tuple[Any, ...] = ()
        while True:
            told = self.verbs.status()
            now = (told.get("run_id"), told["phase"], told.get("slot"))
            if now != last:
                self.logger.info(line_of(told))
                last = now
            if told["phase"] in ENDED:
                return told
            lt.cancellable_sleep(LOOK_S)


def _done(verb: Callable[[], Result]) -> Result:
    """Return what a verb returns; its errors as the server tells an action's."""
    try:
        return verb()
    except TimelapseError as exc:
        raise InvocationError(str(exc)) from exc


def _wait_for(service: Service, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return jobs when they have ended; who cancels this cancels them."""
    try:
        while True:
            states = {job["job"]: job for job in service.jobs()["jobs"]}
            jobs = [states.get(job["job"], job) for job in jobs]
            if all(job["state"] not in ("queued", "running") for job in jobs):
                return jobs
            lt.cancellable_sleep(LOOK_S)
    finally:
        for job in jobs:
            service.cancel_job(job["job"])  # an ended one stays as it is
