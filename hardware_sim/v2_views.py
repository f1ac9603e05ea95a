"""What the simulated server v2 answers: streams, instrument, stage and camera."""

from typing import Any, ClassVar, Dict, Iterator, List, Tuple

from flask import Response, abort
from labthings import Schema, fields, find_component
from labthings.marshalling import use_args
from labthings.utilities import create_from_path, get_by_path, set_by_path
from labthings.views import ActionView, PropertyView, View

from hardware_sim.v2_capture_views import CaptureSchema
from hardware_sim.v2_objects import Microscope

__all__ = ["ACTIONS", "VIEWS"]

COMPONENT = "org.openflexure.microscope"
LOCK_S = 1


def _microscope() -> Microscope:
    """Return the microscope of the app that is being asked."""
    microscope: Microscope = find_component(COMPONENT)
    return microscope


# ---------------------------------------------------------------------------- streams


def _parts(microscope: Microscope) -> Iterator[bytes]:
    """Yield the frames of the live view, as parts of a message, until it is closed."""
    while not microscope.camera.closed:
        frame = microscope.camera.stream.getframe()
        yield b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + frame + b"\r\n"


class MjpegStream(PropertyView):
    """The live view."""

    def get(self) -> Response:
        """Return JPEGs one after another, without end."""
        mimetype = "multipart/x-mixed-replace; boundary=frame"
        return Response(_parts(_microscope()), mimetype=mimetype)


class SnapshotStream(PropertyView):
    """One frame of the live view."""

    def get(self) -> Response:
        """Return the next frame."""
        return Response(_microscope().camera.stream.getframe(), mimetype="image/jpeg")


# ------------------------------------------------------------------------- instrument


def _at(root: Dict[str, Any], route: str) -> Any:
    """Return the part of a dictionary that a path names, or answer 404."""
    try:
        return get_by_path(root, route.split("/"))
    except KeyError:
        return abort(404)


class SettingsProperty(PropertyView):
    """The settings."""

    def get(self) -> Dict[str, Any]:
        """Return all settings."""
        return _microscope().read_settings()

    @use_args(fields.Dict())
    def put(self, args: Dict[str, Any]) -> Dict[str, Any]:
        """Apply settings and save them."""
        _microscope().update_settings(args)
        _microscope().save_settings()
        return self.get()


class NestedSettingsProperty(View):
    """A part of the settings."""

    def get(self, route: str) -> Any:
        """Return a part of the settings."""
        return _at(_microscope().read_settings(), route)

    @use_args(fields.Dict())
    def put(self, args: Dict[str, Any], route: str) -> Any:
        """Apply a part of the settings and save all."""
        keys = route.split("/")
        settings: Dict[str, Any] = create_from_path(keys)
        set_by_path(settings, keys, args)
        _microscope().update_settings(settings)
        _microscope().save_settings()
        return self.get(route)


class StateProperty(PropertyView):
    """Where the stage is."""

    def get(self) -> Dict[str, Any]:
        """Return the state."""
        return _microscope().state


class NestedStateProperty(View):
    """A part of the state."""

    def get(self, route: str) -> Any:
        """Return a part of the state."""
        return _at(_microscope().state, route)


class ConfigurationProperty(PropertyView):
    """What the microscope is made of."""

    def get(self) -> Dict[str, Any]:
        """Return the configuration."""
        return _microscope().configuration


# ---------------------------------------------------------------------------- actions


class MoveStageAPI(ActionView):
    """Moves of the stage."""

    args: ClassVar[Dict[str, Any]] = {
        "absolute": fields.Boolean(missing=False),
        "x": fields.Int(missing=None, allow_none=False),
        "y": fields.Int(missing=None, allow_none=False),
        "z": fields.Int(missing=None, allow_none=False),
    }

    def post(self, args: Dict[str, Any]) -> Any:
        """Move by steps, or to a place. The way there is found before the lock is."""
        stage = _microscope().stage
        here = stage.position if args["absolute"] else (0, 0, 0)
        wanted = (args["x"], args["y"], args["z"])
        way = [0 if to is None else to - at for to, at in zip(wanted, here)]
        with stage.lock(timeout=LOCK_S):
            stage.move_rel(way)
        return _microscope().state["stage"]["position"]


class ZeroStageAPI(ActionView):
    """Calls to count from here."""

    def post(self) -> Any:
        """Count steps from where the stage is."""
        stage = _microscope().stage
        with stage.lock(timeout=LOCK_S):
            stage.zero_position()
        return _microscope().state["stage"]


class _ResizeSchema(Schema):
    """A size in pixels."""

    width = fields.Integer(required=True)
    height = fields.Integer(required=True)


class _CaptureArgs(Schema):
    """What a capture may be told."""

    use_video_port = fields.Boolean(missing=False)
    bayer = fields.Boolean(missing=False)
    resize = fields.Nested(_ResizeSchema(), required=False)
    filename = fields.String()
    temporary = fields.Boolean(missing=False)
    annotations = fields.Dict(missing=dict)
    tags = fields.List(fields.String, missing=list)


class CaptureAPI(ActionView):
    """Captures that are kept."""

    args = _CaptureArgs()
    schema = CaptureSchema()

    def post(self, args: Dict[str, Any]) -> Any:
        """Take a picture and keep it."""
        wanted = dict(args)
        size = wanted.pop("resize", None)
        microscope = _microscope()
        # The lock comes first, so that nobody who waits for it lists an empty capture.
        with microscope.camera.lock:
            return microscope.capture(
                resize=(size["width"], size["height"]) if size else None, **wanted
            )


VIEWS: List[Tuple[Any, str]] = [
    (SettingsProperty, "/instrument/settings"),
    (NestedSettingsProperty, "/instrument/settings/<path:route>"),
    (StateProperty, "/instrument/state"),
    (NestedStateProperty, "/instrument/state/<path:route>"),
    (ConfigurationProperty, "/instrument/configuration"),
    (MjpegStream, "/streams/mjpeg"),
    (SnapshotStream, "/streams/snapshot"),
]

ACTIONS: List[Tuple[Any, str]] = [
    (CaptureAPI, "/actions/camera/capture/"),
    (MoveStageAPI, "/actions/stage/move/"),
    (ZeroStageAPI, "/actions/stage/zero/"),
]
