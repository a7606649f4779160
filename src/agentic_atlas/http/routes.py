"""Runs the routes that FastAPI describes.

Our handlers are declared as FastAPI's are, and it makes the document of the API from them. What it would do for each
request besides costs as much as the rest of a task: bodies are read by `answers.read`, errors answered by `errors`, and
what is left is to find the handler and to read a few parameters.
"""

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from re import Pattern
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi import FastAPI
from fastapi.params import Depends, Header, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from agentic_atlas.errors import AtlasError
from agentic_atlas.http import errors

Given = Mapping[str, Sequence[str]]
"""Parameters of a query, each with all its values."""
Fault = dict[str, object]
"""What is wrong with a parameter, as Pydantic tells it."""
Made = dict[Callable[..., Awaitable[object]], object]
"""What handlers depend on and was made for one request, by what made it."""


@dataclass(frozen=True)
class _Parameter:
    """One parameter of a handler that comes from the query or from a header."""

    name: str
    place: str
    """`query` or `header`."""
    said: str
    """Its name in the request."""
    adapter: TypeAdapter[object]
    lists: Mapping[str, bool] | None
    """Of one that takes the whole query, its fields: whether each may come more than once."""
    default: object

    def read(self, request: Request, query: Given, faults: list[Fault]) -> object:
        """Return its value; when that is not acceptable, say so in `faults`."""
        if self.lists is not None:
            found: object = {
                name: list(query[name]) if many else query[name][-1]
                for name, many in self.lists.items()
                if name in query
            }
        elif self.place == "header":
            found = request.headers.get(self.said)
        else:
            found = query[self.said][-1] if self.said in query else None
        if found is None:
            return self.default
        where = (self.place,) if self.lists is not None else (self.place, self.said)
        try:
            return self.adapter.validate_python(found)
        except ValidationError as error:
            faults += [{**fault, "loc": where + fault["loc"]} for fault in error.errors(include_url=False)]
            return None


class _Endpoint:
    """A handler, or what one depends on, and where its arguments come from."""

    def __init__(self, function: Callable[..., Awaitable[object]], in_path: Collection[str] = ()) -> None:
        self._function = function
        self._takes_request: list[str] = []
        self._provided: list[tuple[str, _Endpoint]] = []
        self._parameters: list[_Parameter] = []
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
            if name not in in_path:
                self._take(name, parameter.annotation, parameter.default)

    def _take(self, name: str, annotation: object, default: object) -> None:
        marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
        depends = next((mark.dependency for mark in marks if isinstance(mark, Depends)), None)
        if annotation is Request:
            self._takes_request.append(name)
        elif depends is not None:
            self._provided.append((name, _Endpoint(depends)))
        else:
            self._parameters.append(_parameter(name, annotation, marks, default))

    async def call(self, request: Request, path: Mapping[str, str], made: Made) -> Any:
        """Return what it makes of a request; what it depends on is made once for each.

        Raises:
            InvalidInput: a parameter is not acceptable.
            Exception: whatever the function raises.
        """
        arguments: dict[str, Any] = dict(path)
        for name in self._takes_request:
            arguments[name] = request
        for name, needed in self._provided:
            if needed._function not in made:
                made[needed._function] = await needed.call(request, {}, made)
            arguments[name] = made[needed._function]
        if self._parameters:
            query = _query(request.scope["query_string"])
            faults: list[Fault] = []
            for parameter in self._parameters:
                arguments[parameter.name] = parameter.read(request, query, faults)
            if faults:
                raise errors.parameters(faults)
        return await self._function(**arguments)


class Routes:
    """The routes of an application that FastAPI describes, as an ASGI application."""

    def __init__(self, described: FastAPI) -> None:
        self._described = described
        self._plain: dict[str, dict[str, _Endpoint]] = {}
        self._patterns: list[tuple[Pattern[str], dict[str, _Endpoint]]] = []
        for route in described.routes:
            assert isinstance(route, APIRoute)
            of_path: dict[str, _Endpoint] = dict.fromkeys(
                route.methods or (), _Endpoint(route.endpoint, route.param_convertors)
            )
            if route.param_convertors:
                self._patterns.append((route.path_regex, of_path))
            else:
                self._plain.setdefault(route.path, {}).update(of_path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever goes wrong; what nobody foresaw is raised after that, for the server's log."""
        scope["app"] = self._described
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            response = await self._answer(Request(scope, receive, send))
            await response(scope, receive, sending)
        except Exception as error:  # whatever it is, the caller has to be answered
            if not begun:
                await errors.answer(error)(scope, receive, send)
            if begun or not isinstance(error, AtlasError):
                raise

    async def _response(self, endpoint: _Endpoint, request: Request, path: Mapping[str, str]) -> Response:
        response: Response = await endpoint.call(request, path, {})
        return response

    async def _answer(self, request: Request) -> Response:
        path, method = request.scope["path"], request.scope["method"]
        plain = self._plain.get(path, {})
        if method in plain:
            return await self._response(plain[method], request, {})
        allowed = set(plain)
        for pattern, endpoints in self._patterns:
            found = pattern.fullmatch(path)
            if found is not None and method in endpoints:
                return await self._response(endpoints[method], request, found.groupdict())
            if found is not None:
                allowed |= endpoints.keys()
        return errors.not_allowed(allowed) if allowed else errors.no_route()


def _parameter(name: str, annotation: Any, marks: Sequence[object], default: object) -> _Parameter:
    mark = next((mark for mark in marks if isinstance(mark, Query | Header)), None)
    place = "header" if isinstance(mark, Header) else "query"
    kind = get_args(annotation)[0] if marks else annotation
    lists = None
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        lists = {field: get_origin(info.annotation) is list for field, info in kind.model_fields.items()}
    said = name.replace("_", "-") if place == "header" else name
    return _Parameter(name, place, said, TypeAdapter(annotation), lists, default)


def _query(text: bytes) -> Given:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found
