"""The verbs over HTTP under server v3, at the addresses that server v2 has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import labthings_fastapi as lt
from fastapi import Depends, Request, Response
from fastapi.responses import FileResponse

from openflexure_timelapse.hosts.openapi import described
from openflexure_timelapse.hosts.requests import Asked, json_bytes
from openflexure_timelapse.hosts.routes import ROUTES, Handler, Route, answered
from openflexure_timelapse.hosts.verbs import Verbs

__all__ = ["Endpoints"]

NOT_MODIFIED = 304


class _Answers:
    """What answers all endpoints; `verbs` is the Thing's."""

    verbs: Verbs

    def answer(self, handler: Handler, request: Request, body: bytes) -> Response:
        """Answer a request to one of the endpoints.

        Parameters
        ----------
        handler : callable
            Of the table of routes.
        request : Request
            FastAPI's.
        body : bytes
            Of the request.
        """
        path = {name: str(value) for name, value in request.path_params.items()}
        asked = Asked(path, dict(request.query_params), body)
        status, reply = answered(handler, self.verbs, asked)
        if isinstance(reply, Path):
            return _file(reply, request)
        linked = {**reply, "links": {"self": {"href": str(request.url)}}}
        return Response(json_bytes(linked), status, media_type="application/json")


async def _body_of(request: Request) -> bytes:
    """Return the body of a request."""
    return bytes(await request.body())


def _endpoint(route: Route, method: str, handler: Handler) -> Any:
    """Return the descriptor of one address and method."""

    def answer(
        self: _Answers, request: Request, body: bytes = Depends(_body_of)
    ) -> Response:
        return self.answer(handler, request, body)

    answer.__doc__ = handler.__doc__
    answer.__name__ = f"{route.name}_{method.lower()}"
    path = route.rule.replace("<path:name>", "{name:path}")
    path = path.replace("<", "{").replace(">", "}")
    told = {
        "operation_id": answer.__name__,
        "response_class": Response,
        "openapi_extra": described(route, method),
    }
    return lt.endpoint(method.lower(), path, **told)(answer)


def _endpoints() -> Iterator[tuple[str, Any]]:
    """Yield an endpoint for each row and method of the table."""
    for route in ROUTES:
        for method, handler in route.handlers.items():
            yield (
                f"verb_{route.name}_{method.lower()}",
                _endpoint(route, method, handler),
            )


def _file(path: Path, request: Request) -> Response:
    """Return a file, whole or the range that was asked for."""
    headers = {"Cache-Control": "no-cache"}
    response = FileResponse(path, headers=headers, stat_result=path.stat())
    if request.headers.get("if-none-match") == response.headers["etag"]:
        kept = {"etag": response.headers["etag"], **headers}
        return Response(status_code=NOT_MODIFIED, headers=kept)
    return response


Endpoints: Any = type("Endpoints", (_Answers,), dict(_endpoints()))
"""The verbs as a Thing's endpoints; what derives from this has the `verbs`."""
