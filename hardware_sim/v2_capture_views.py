"""What the simulated server v2 answers about captures."""

from typing import Any, Dict, List, Tuple

from flask import Response, abort, request, send_file, url_for
from labthings import Schema, fields, find_component
from labthings.marshalling import marshal_with
from labthings.views import PropertyView, View
from marshmallow import post_dump

from hardware_sim.v2_captures import CaptureObject

__all__ = ["CAPTURE_VIEWS", "CaptureSchema"]

COMPONENT = "org.openflexure.microscope"


def _images() -> Any:
    """Return the captures of the app that is being asked."""
    return find_component(COMPONENT).captures.images


def _found(id_: str) -> CaptureObject:
    """Return a capture, or answer 404."""
    capture: CaptureObject = _images().get(id_) or abort(404)
    return capture


class _DatasetSchema(Schema):
    """What the list tells of a dataset."""

    id = fields.UUID()
    name = fields.String()
    type = fields.String()


class CaptureSchema(Schema):
    """What the list tells of a capture."""

    id = fields.UUID()
    time = fields.String()
    format = fields.String()
    name = fields.String()
    tags = fields.List(fields.String())
    annotations = fields.Dict(keys=fields.Str(), values=fields.Str())
    dataset = fields.Nested(_DatasetSchema())
    file = fields.String(data_key="path")

    @post_dump
    def add_links(self, told: Dict[str, Any], **_: Any) -> Dict[str, Any]:
        """Say where the capture and its picture are found."""
        id_ = told["id"]
        own = url_for(CaptureView.endpoint, id_=id_, _external=True)
        picture = url_for(
            CaptureDownload.endpoint, id_=id_, filename=told["name"], _external=True
        )
        links = {
            "self": {"href": own, "mimetype": "application/json"},
            "download": {"href": picture, "mimetype": "image/jpeg"},
        }
        return {**told, "links": links}


class _FullCaptureSchema(CaptureSchema):
    """What is told of one capture: also what stands in its file."""

    metadata = fields.Dict()


class CaptureList(PropertyView):
    """All captures."""

    schema = CaptureSchema(many=True)

    def get(self) -> List[CaptureObject]:
        """List the captures."""
        return list(_images().values())


class CaptureView(View):
    """One capture."""

    @marshal_with(_FullCaptureSchema())
    def get(self, id_: str) -> CaptureObject:
        """Describe a capture."""
        return _found(id_)

    def delete(self, id_: str) -> Tuple[str, int]:
        """Remove a capture and its file."""
        _found(id_).delete()
        _images().pop(id_, None)
        return "", 204


class CaptureDownload(View):
    """The file of a capture."""

    def get(self, id_: str, filename: str) -> Response:  # noqa: ARG002
        """Return the file, under whatever name is asked for, or its thumbnail."""
        capture = _found(id_)
        small = request.args.get("thumbnail") == "true" and capture.exists
        data = capture.thumbnail if small else capture.data
        return send_file(data or abort(404), mimetype="image/jpeg")


CAPTURE_VIEWS: List[Tuple[Any, str]] = [
    (CaptureList, "/captures"),
    (CaptureView, "/captures/<id_>"),
    (CaptureDownload, "/captures/<id_>/download/<filename>"),
]
