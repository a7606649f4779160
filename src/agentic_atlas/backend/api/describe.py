"""OpenAPI of bodies and answers, made from the structs the routes read and write."""

from http import HTTPStatus
from typing import Any, TypedDict

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from agentic_atlas.backend.api.answers import ErrorView

_TEMPLATE = "#/components/schemas/{name}"
_KINDS: set[type] = {ErrorView}


class Description(TypedDict, total=False):
    """Arguments of a FastAPI route that describe it."""

    openapi_extra: dict[str, Any]
    responses: dict[int | str, dict[str, Any]]
    status_code: int


def describe(*, takes: type | None = None, answers: type | None = None, status: int = HTTPStatus.OK) -> Description:
    """Describe a route by the struct it takes as its body and the one it answers with."""
    described = Description(
        status_code=status,
        responses={
            int(status): {"description": HTTPStatus(status).phrase, **_content(answers)},
            "default": {"description": "Not carried out", **_content(ErrorView)},
        },
    )
    if takes is not None:
        described["openapi_extra"] = {"requestBody": {"required": True, **_content(takes)}}
    return described


def install(app: FastAPI) -> None:
    """Have the application's OpenAPI document name the structs."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, components = msgspec.json.schema_components(_KINDS, ref_template=_TEMPLATE)
            schema.setdefault("components", {})["schemas"] = components
            schema["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
            schema["security"] = [{"apiKey": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _content(kind: type | None) -> dict[str, Any]:
    if kind is None:
        return {}
    _KINDS.add(kind)
    return {"content": {"application/json": {"schema": {"$ref": _TEMPLATE.format(name=kind.__name__)}}}}
