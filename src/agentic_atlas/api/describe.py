"""OpenAPI of bodies and answers, made from the structs the routes read and write."""

from http import HTTPStatus
from typing import TypedDict

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.responses import Response

from agentic_atlas.http.requests import principal_of
from agentic_atlas.protocol.caller.values import ErrorAnswer
from agentic_atlas.protocol.tasks import TaskState

_TEMPLATE = "#/components/schemas/{name}"
# Besides those of the routes: what the list of tasks is asked by.
_KINDS: set[type] = {ErrorAnswer, TaskState}


class Description(TypedDict, total=False):
    """Arguments of a FastAPI route that describe it."""

    openapi_extra: dict[str, object]
    responses: dict[int | str, dict[str, object]]
    status_code: int
    response_class: type[Response]


def describe(
    *, takes: type | None = None, answers: type | None = None, text: str = "", status: int = HTTPStatus.OK
) -> Description:
    """Describe a route by the struct it takes as its body and the one it answers with; `text`: media type of another
    answer, which is text."""
    as_text = {text: {"schema": {"type": "string"}}} if text else {}
    content = {**_content(answers), **as_text}
    described = Description(
        status_code=status,
        response_class=Response,
        responses={
            int(status): {"description": HTTPStatus(status).phrase, **({"content": content} if content else {})},
            "default": {"description": "Not carried out", "content": _content(ErrorAnswer)},
        },
    )
    if takes is not None:
        # Without a body a request has an empty object for one.
        required = any(field.required for field in msgspec.structs.fields(takes))
        described["openapi_extra"] = {"requestBody": {"required": required, "content": _content(takes)}}
    return described


def install(app: FastAPI) -> None:
    """Have the application's OpenAPI document name the structs."""

    def document() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, components = msgspec.json.schema_components(_KINDS, ref_template=_TEMPLATE)
            schema.setdefault("components", {})["schemas"] = components
            schema["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
            schema["security"] = [{"apiKey": []}]
            for route in app.routes:
                if isinstance(route, APIRoute) and route.include_in_schema and not _asks_who(route):
                    for method in route.methods or ():
                        schema["paths"][route.path_format][method.lower()]["security"] = []
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _content(kind: type | None) -> dict[str, object]:
    if kind is None:
        return {}
    _KINDS.add(kind)
    return {"application/json": {"schema": {"$ref": _TEMPLATE.format(name=kind.__name__)}}}


def _asks_who(route: APIRoute) -> bool:
    return any(needed.call is principal_of for needed in route.dependant.dependencies)
