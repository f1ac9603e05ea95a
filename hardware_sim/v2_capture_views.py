"""What the simulated server v2 answers about captures."""

from typing import Any, Dict, List, Tuple

from flask import Response, abort, request, send_file, url_for
from labthings import Schema, fields, find_component
from labthings.marshalling import marshal_with, use_args
from labthings.utilities import description_from_view
from labthings.views import PropertyView, View
from marshmallow import pre_dump

from hardware_sim.v2_captures import CaptureObject

__all__ = ["CAPTURE_VIEWS", "CaptureSchema"]

COMPONENT = "org.openflexure.microscope"
YES = ("true", "True", "1")


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
    links = fields.Dict()

    @pre_dump
    def add_links(self, data: Any, **_: Any) -> Any:
        """Say where the capture's parts are found."""
        told = data if isinstance(data, dict) else vars(data)
        ids = {"id_": told.get("id")}
        told["links"] = {
            "self": _link(CaptureView, "application/json", ids),
            "tags": _link(CaptureTags, "application/json", ids),
            "annotations": _link(CaptureAnnotations, "application/json", ids),
            "download": _link(
                CaptureDownload, "image/jpeg", {**ids, "filename": told.get("name")}
            ),
        }
        return data


class _FullCaptureSchema(CaptureSchema):
    """What is told of one capture: also what stands in its file."""

    metadata = fields.Dict()


def _link(view: Any, mimetype: str, values: Dict[str, Any]) -> Dict[str, Any]:
    """Describe one view of a capture."""
    href = url_for(view.endpoint, _external=True, **values)
    return {"href": href, "mimetype": mimetype, **description_from_view(view)}


class CaptureList(PropertyView):
    """All captures."""

    tags = ("captures",)
    schema = CaptureSchema(many=True)

    def get(self) -> List[CaptureObject]:
        """List the captures."""
        return list(_images().values())


class CaptureView(View):
    """One capture."""

    tags = ("captures",)

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

    tags = ("captures",)

    def get(self, id_: str, filename: str) -> Response:  # noqa: ARG002
        """Return the file, under whatever name is asked for, or its thumbnail."""
        capture = _found(id_)
        small = request.args.get("thumbnail", "") in YES
        data = capture.thumbnail if small and capture.exists else capture.data
        return send_file(data or abort(404), mimetype="image/jpeg")


class CaptureTags(View):
    """The tags of a capture."""

    tags = ("captures",)

    def get(self, id_: str) -> List[str]:
        """List the tags."""
        return _found(id_).tags

    @use_args(fields.List(fields.String(), required=True))
    def put(self, args: List[str], id_: str) -> List[str]:
        """Add tags."""
        capture = _found(id_)
        capture.put_tags(args)
        return capture.tags

    @use_args(fields.List(fields.String(), required=True))
    def delete(self, args: List[str], id_: str) -> List[str]:
        """Take tags away."""
        capture = _found(id_)
        for tag in args:
            capture.delete_tag(tag)
        return capture.tags


class CaptureAnnotations(View):
    """The annotations of a capture."""

    tags = ("captures",)

    def get(self, id_: str) -> Dict[str, str]:
        """Return the annotations."""
        return _found(id_).annotations

    @use_args(fields.Dict())
    def put(self, args: Dict[str, str], id_: str) -> Dict[str, str]:
        """Add annotations."""
        capture = _found(id_)
        capture.put_annotations(args)
        return capture.annotations


CAPTURE_VIEWS: List[Tuple[Any, str]] = [
    (CaptureList, "/captures"),
    (CaptureView, "/captures/<id_>"),
    (CaptureDownload, "/captures/<id_>/download/<filename>"),
    (CaptureTags, "/captures/<id_>/tags"),
    (CaptureAnnotations, "/captures/<id_>/annotations"),
]
