"""The document of the API (OpenAPI 3.1), made from its routes: what their handlers take, and the structs of bodies."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final, TypeAlias, get_args, get_origin

import msgspec
from pydantic import TypeAdapter

from agentic_atlas._version import __version__
from agentic_atlas.backend.rights import Principal
from agentic_atlas.http.messages import BODILESS
from agentic_atlas.http.routes import RequestParameter, Route
from agentic_atlas.protocol.caller.values import ErrorAnswer, Listing, Page
from agentic_atlas.protocol.tasks import TaskState

Json: TypeAlias = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/"
_LISTS: Final[Mapping[object, str]] = {Page: "Page", Listing: "List"}
# Besides those of the routes: what the list of tasks is asked by.
_KINDS: Final = (ErrorAnswer, TaskState)


class Document:
    """The document of the API; made when it is first asked for."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [route for route in routes if route.listed]

    @cached_property
    def value(self) -> Json:
        """All of it."""
        paths: dict[str, Json] = {}
        for route in self._routes:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
        kinds = {kind for route in self._routes for kind in (route.takes, route.answers) if kind}
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Agentic Atlas",
                "description": "A network of local agents: agents, tokens, tasks and their events.",
                "version": __version__,
            },
            "paths": paths,
            "components": {
                "schemas": _schemas({*kinds, *_KINDS}),
                "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"apiKey": []}],
        }


def _schemas(kinds: Iterable[type]) -> Json:
    made = list(kinds)
    references, schemas = msgspec.json.schema_components(made, ref_template=_SCHEMAS + "{name}")
    for kind, reference in zip(made, references, strict=True):
        schema = schemas.pop(reference["$ref"].removeprefix(_SCHEMAS))
        schemas[_name(kind)] = schema | {"title": _name(kind)}
    return schemas


def _name(kind: type) -> str:
    """Return what a struct is called: a page of `AgentSummary` is an AgentPage, a list of `TokenInfo` a TokenList."""
    word = _LISTS.get(get_origin(kind))
    if word is None:
        return kind.__name__
    of: type = get_args(kind)[0]
    return of.__name__.removesuffix("Summary").removesuffix("Info") + word


def _operation(route: Route) -> Json:
    name = route.handler.__name__
    parameters = [*_in_path(route), *(one for parameter in route.parameters for one in _of_request(parameter))]
    content = _content(route.answers) | ({route.text: {"schema": {"type": "string"}}} if route.text else {})
    described: Json = {
        "tags": [route.tag],
        "summary": _title(name),
        "description": inspect.getdoc(route.handler),
        "operationId": re.sub(r"\W", "_", f"{name}{route.path}_{route.method.lower()}"),
        "parameters": sorted(parameters, key=lambda one: ("path", "query", "header").index(one["in"])),
        "responses": {
            **dict(_answered(status, content) for status in (route.status, route.instead) if status is not None),
            **dict(_answered(status, _content(ErrorAnswer)) for status in _refusals(route)),
        },
    }
    if not parameters:
        del described["parameters"]
    if route.takes is not None:
        # Without a body a request has an empty object for one.
        required = any(field.required for field in msgspec.structs.fields(route.takes))
        described["requestBody"] = {"required": required, "content": _content(route.takes)}
    if all(kind is not Principal for _, kind in route.types):
        described["security"] = []
    return described


def _answered(status: int, content: Json) -> tuple[str, Json]:
    told = {"content": content} if content and status not in BODILESS else {}
    return str(int(status)), {"description": HTTPStatus(status).phrase, **told}


def _refusals(route: Route) -> list[HTTPStatus]:
    """Return with what a request may be refused here, besides what no handler sees (`http.errors`)."""
    known = any(kind is Principal for _, kind in route.types)
    changes, takes = route.method != "GET", route.takes is not None
    said: dict[HTTPStatus, bool] = {
        HTTPStatus.BAD_REQUEST: True,
        HTTPStatus.UNAUTHORIZED: known or takes,
        HTTPStatus.FORBIDDEN: known or changes,
        HTTPStatus.NOT_FOUND: known or takes,
        HTTPStatus.CONFLICT: changes,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: takes,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: takes,
        HTTPStatus.MISDIRECTED_REQUEST: True,
        HTTPStatus.UNPROCESSABLE_ENTITY: takes or bool(route.parameters) or bool(route.names()),
        HTTPStatus.TOO_MANY_REQUESTS: True,
        HTTPStatus.SERVICE_UNAVAILABLE: True,
        HTTPStatus.INSUFFICIENT_STORAGE: changes,
    }
    return [status for status, may in said.items() if may]


def _in_path(route: Route) -> Iterator[Json]:
    for name in route.names():
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "title": _title(name)}}


def _of_request(parameter: RequestParameter) -> Iterator[Json]:
    """Yield a parameter as the document has it; one that takes the whole query is as many as it has members."""
    schema = TypeAdapter(parameter.kind).json_schema(ref_template=_SCHEMAS + "{model}")
    schema.pop("$defs", None)
    if parameter.members is None:
        yield _described(parameter, parameter.said, {**schema, "default": parameter.default})
    else:
        for name, member in schema["properties"].items():
            yield _described(parameter, name, member)


def _described(parameter: RequestParameter, name: str, schema: Json) -> Json:
    schema["title"] = _title(name)
    if schema.get("default", 0) is None:
        del schema["default"]
    described = {"name": name, "in": parameter.place, "required": False, "schema": schema}
    return described | ({"description": schema["description"]} if "description" in schema else {})


def _title(name: str) -> str:
    return name.replace("_", " ").title()


def _content(kind: type | None) -> Json:
    return {} if kind is None else {"application/json": {"schema": {"$ref": _SCHEMAS + _name(kind)}}}
