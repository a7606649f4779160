"""What a request has to be, and which handler it finds: one table for everything that is answered over HTTP.

It is for this network and no web page of somebody else sent it (`auth.hosts`), and is of a version of HTTP that we
speak. HEAD is answered wherever GET is, as GET without the body (RFC 9110 section 9.3.2). A handler is a coroutine
function; what it takes is read off its signature:

- a name in the route's path: that segment, decoded; an encoded slash does not end it
- a type that is given to the table, or `Request`
- `Principal`: who asks, as they are once the body is there, and the handler is not reached without
- another struct: the body, as JSON, or the form of a page (`Route.form`); with `| UnfitForm`, one that does not fit too
- else, a parameter of the query, or of a field of the head (`HEADER`), checked as Pydantic does
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Annotated, Any, Final, TypedDict, TypeVar, Unpack, get_args, get_origin
from urllib.parse import parse_qsl, unquote

import msgspec
from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from agentic_atlas.auth import TokenRefused, read_bearer
from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.backend.asked_from import ADDRESS
from agentic_atlas.backend.rights import SEND_A_KEY, Principal
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import AtlasError, InvalidInput, Unauthenticated
from agentic_atlas.http import errors
from agentic_atlas.http.cookies import SESSION, Cookies
from agentic_atlas.http.forms import UnfitForm, read_any_form, read_form
from agentic_atlas.http.messages import MAX_BODY, Answered, Request, Response, read
from agentic_atlas.http.turns import Turns

Handler = Callable[..., Awaitable[Answered]]
Declared = TypeVar("Declared", bound=Handler)
Refusal = Callable[[Request, Exception], Response]
"""What a request is answered with that ended in an error, ours or one that nobody foresaw."""
Fault = dict[str, object]
"""What is wrong with a parameter, as Pydantic tells it."""

HEADER: Final = "header"
"""Marks a parameter that is a field of the head; its name is the field's, with dashes."""

_VERSIONS: Final = ("1.0", "1.1")
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_FROM_TEXT: Final = (str, int, float)
_SHORT: Final = 100
"""Characters of a query that is remembered."""


def _written(text: object, form: re.Pattern[str], what: str) -> object:
    """Let a number pass that is written in digits; Python also takes signs, spaces, underscores, and other scripts."""
    if isinstance(text, str) and form.fullmatch(text) is None:
        raise PydanticCustomError("number", "Input should be a valid {what}", {"what": what})
    return text


WHOLE: Final = BeforeValidator(partial(_written, form=re.compile("[0-9]+"), what="integer"))
"""Of a parameter that is a whole number."""
NUMBER: Final = BeforeValidator(partial(_written, form=re.compile(r"[0-9]+(\.[0-9]+)?(e-?[0-9]+)?"), what="number"))
"""Of a parameter that is any."""

Limit = Annotated[int, Field(ge=1, le=500, description="Most items of the answer."), WHOLE]
After = Annotated[str | None, Field(max_length=200, description="`next` of the page before.")]
Wait = Annotated[float, Field(ge=0, le=60, description="Seconds to wait for the task's end."), NUMBER]


@dataclass(frozen=True)
class RequestParameter:
    """One parameter of a handler that comes from the query or from a field of the head.

    Attributes:
        name: the handler's.
        place: `query` or `header`.
        said: its name in the request.
        kind: its annotation.
        default: what it is when it is not said; `inspect.Parameter.empty` for what has to be.
        members: of one that takes the whole query, its members: whether each may come more than once.
    """

    name: str
    place: str
    said: str
    kind: Any
    default: object
    members: Mapping[str, bool] | None
    adapter: TypeAdapter[object]

    def read(self, request: Request, query: Mapping[str, Sequence[str]], faults: list[Fault]) -> object:
        """Return its value; when that is not acceptable, say so in `faults`."""
        found = self._found(request, query)
        if found is None:
            return self.default
        where = (self.place,) if self.members is not None else (self.place, self.said)
        try:
            return self.adapter.validate_python(found)
        except ValidationError as error:
            faults += [{**fault, "loc": where + fault["loc"]} for fault in error.errors(include_url=False)]
            return None

    def _found(self, request: Request, query: Mapping[str, Sequence[str]]) -> object:
        if self.members is not None:
            return {
                name: list(query[name]) if many else query[name][-1]
                for name, many in self.members.items()
                if name in query
            }
        if self.place == HEADER:
            return request.first(self.said)
        return query[self.said][-1] if self.said in query else None


@dataclass(frozen=True)
class Route:
    """A method at a path, and what is said of it in the document of the API.

    Attributes:
        method: in capital letters.
        path: `{name}` in it is one segment, which is given to the handler.
        handler: see the module; its docstring is for callers.
        tag: what it has to do with.
        answers: the struct that is answered.
        text: media type of another answer, which is text.
        status: of the answer when all went well.
        instead: another status of an answer when all went well; 204 and 304 have no body.
        listed: it stands in the document.
        most: bytes of its body.
        takes: the struct that its body is read as; said only by one whose handler reads it by itself.
        form: its body is a form of a page of ours, and not JSON.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    answers: type | None = None
    text: str = ""
    status: int = HTTPStatus.OK
    instead: int | None = None
    listed: bool = True
    most: int = MAX_BODY
    takes: type | None = None
    form: bool = False
    body: str | None = field(init=False, repr=False, default=None)
    """What the handler calls the body that it is given."""
    unfit: bool = field(init=False, repr=False, default=False)
    """The handler takes a form that does not fit as well."""
    types: Sequence[tuple[str, type]] = field(init=False, repr=False)
    """Names and types of what the handler is given."""
    parameters: Sequence[RequestParameter] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        signature = inspect.signature(self.handler, eval_str=True)
        rest = [one for name, one in signature.parameters.items() if name not in self.names()]
        unfit = {one.name for one in rest if UnfitForm in get_args(one.annotation)}
        rest = [one.replace(annotation=get_args(one.annotation)[0]) if one.name in unfit else one for one in rest]
        object.__setattr__(self, "unfit", bool(unfit))
        given = [(one.name, one.annotation) for one in rest if _is_given(one.annotation)]
        body = next((one for one in given if issubclass(one[1], msgspec.Struct) and one[1] is not Principal), None)
        if body is not None:
            given.remove(body)
            object.__setattr__(self, "body", body[0])
            object.__setattr__(self, "takes", body[1])
        object.__setattr__(self, "types", given)
        parameters = [_parameter(one) for one in rest if not _is_given(one.annotation)]
        object.__setattr__(self, "parameters", parameters)

    def names(self) -> list[str]:
        """Return the names of the segments that are given to the handler, in its order."""
        return [name for name in inspect.signature(self.handler).parameters if f"{{{name}}}" in self.path]


class Said(TypedDict, total=False):
    """What is said of a route where it is declared; see `Route`."""

    answers: type | None
    text: str
    status: int
    instead: int | None
    listed: bool
    most: int
    takes: type | None
    form: bool


class RouteGroup:
    """Routes with one prefix and one tag, as they are declared."""

    def __init__(self, tag: str, prefix: str = "") -> None:
        self.routes: list[Route] = []
        self._tag = tag
        self._prefix = prefix

    def at(self, method: str, path: str, **said: Unpack[Said]) -> Callable[[Declared], Declared]:
        """Declare the decorated function as the handler of a method at a path; see `Route` for what is said of it."""

        def declare(handler: Declared) -> Declared:
            self.routes.append(Route(method, self._prefix + path, handler, self._tag, **said))
            return handler

        return declare


class Routes:
    """All routes, as what answers requests."""

    def __init__(
        self, routes: Iterable[Route], given: Mapping[type, Any], hosts: Hosts, refusal: Refusal | None = None
    ) -> None:
        """Make a table of them.

        Args:
            routes: all there are.
            given: what handlers may take, by its type; `Turns` and `Cookies` are among it, and `Application` where one
                takes who asks.
            hosts: the names that requests may be for.
            refusal: what errors are answered with; without it, JSON.
        """
        self.refusal = refusal or in_json
        self._hosts = hosts
        self._application: Application | None = given.get(Application)
        self._cookies: Cookies = given[Cookies]
        self._plain: dict[_Segments, _Methods] = {}
        self._patterns: dict[_Segments, _Methods] = {}
        for route in routes:
            segments = tuple(route.path.split("/"))
            found = (self._patterns if route.names() else self._plain).setdefault(segments, {})
            found[route.method] = _Endpoint(route, given)

    async def __call__(self, request: Request) -> Answered:
        """Answer a request. Raises whatever nobody foresaw; our own errors are answered."""
        ADDRESS.set(request.address)
        try:
            self._check(request)
        except AtlasError as error:
            return self.refusal(request, error)
        answered = await self._answered(request)
        if (self._cookies.behind_tls or request.first("origin")) and (more := self._cookies.tls_alone(request)):
            answered.fields = (*answered.fields, *more)
        return answered

    async def _answered(self, request: Request) -> Answered:
        try:
            segments = tuple(request.path.split("/"))
            if "%" in request.path:
                segments = tuple(unquote(one) for one in segments)
            method = "GET" if request.method == "HEAD" else request.method
            allowed: set[str] = set()
            for methods, in_path in self._at(segments):
                if method in methods:
                    request.route = methods[method].path
                    return await methods[method].answer(request, in_path)
                allowed |= methods.keys()
        except AtlasError as error:
            return await self._refuse(request, error)
        return errors.not_allowed(allowed) if allowed else await self._refuse(request, errors.no_route())

    async def _refuse(self, request: Request, error: AtlasError) -> Response:
        """Answer with an error; whoever is logged in is known by then, even where nobody had to know it."""
        unknown = request.who is None and not isinstance(error, Unauthenticated)
        if unknown and self._application is not None and self._cookies.value(request, SESSION):
            with suppress(AtlasError):
                await principal_of(request, self._application, self._cookies)
        return self.refusal(request, error)

    def _check(self, request: Request) -> None:
        """Raise the error of a request that no handler sees."""
        if request.version not in _VERSIONS:
            raise InvalidInput("HTTP/1.1 is spoken here", code="http_version")
        hosts = request.all("host")
        if request.authority is not None and (len(hosts) == 1 or (request.version == "1.0" and not hosts)):
            hosts = (request.authority,)
        # Only HTTP/1.0 knows requests without a host; health checks send them, and no page can.
        authority = self._hosts.check(hosts) if hosts or request.version == "1.1" else ""
        if request.method not in _SAFE:
            self._hosts.check_page(authority, request.all("origin"), request.all("sec-fetch-site"))

    def _at(self, segments: "_Segments") -> Iterator[tuple["_Methods", Mapping[str, str]]]:
        """Yield what there is at a path, and what stands in it for the handler."""
        if segments in self._plain:
            yield self._plain[segments], {}
        for pattern, methods in self._patterns.items():
            in_path = _matched(pattern, segments)
            if in_path is not None:
                yield methods, in_path


class _Endpoint:
    """A handler, and where its arguments come from.

    Attributes:
        path: the template of those that it answers at.
    """

    def __init__(self, route: Route, given: Mapping[type, Any]) -> None:
        self.path = route.path
        self._handler = route.handler
        self._parameters = route.parameters
        self._fixed = {name: given[kind] for name, kind in route.types if kind in given}
        self._request = next((name for name, kind in route.types if kind is Request), None)
        self._who = next(((name, given[Application]) for name, kind in route.types if kind is Principal), None)
        self._body = (route.body, route.takes, route.most) if route.body and route.takes else None
        read_as: Callable[..., Awaitable[Any]] = (read_any_form if route.unfit else read_form) if route.form else read
        self._read = read_as
        self._turns: Turns = given[Turns]
        self._cookies: Cookies = given[Cookies]

    async def answer(self, request: Request, in_path: Mapping[str, str]) -> Answered:
        """Return what the handler makes of a request.

        Raises:
            Unauthenticated: nobody knows who asks, or does any more once the body is there, and the handler takes it.
            InvalidInput: a parameter is not acceptable.
            Exception: whatever the handler raises.
        """
        arguments: dict[str, Any] = {**self._fixed, **in_path}
        if self._request is not None:
            arguments[self._request] = request
        if self._who is None:
            return await self._carried_out(request, arguments)
        name, application = self._who
        arguments[name] = await principal_of(request, application, self._cookies)
        asking = self._turns.asking
        asking[request.asker] += 1
        try:
            return await self._carried_out(request, arguments)
        finally:
            asking[request.asker] -= 1
            if not asking[request.asker]:
                del asking[request.asker]

    async def _carried_out(self, request: Request, arguments: dict[str, Any]) -> Answered:
        if self._parameters:
            query = _query(request.query)
            faults: list[Fault] = []
            for parameter in self._parameters:
                arguments[parameter.name] = parameter.read(request, query, faults)
            if faults:
                raise errors.parameters(faults)
        if self._body is not None:
            name, kind, most = self._body
            arguments[name] = await self._read(request, self._turns, kind, most=most)
            if self._who is not None and request.body.awaited:
                who, application = self._who
                arguments[who] = await application.again(arguments[who])
        return await self._handler(**arguments)


_Segments = tuple[str, ...]
_Methods = dict[str, _Endpoint]


async def principal_of(request: Request, application: Application, cookies: Cookies) -> Principal:
    """Return who asks, by their API key, or by the session of their browser where they show none.

    Raises:
        Unauthenticated: nobody knows. Forbidden: a session is shown, and no page of ours has sent it (`cross_site`).
    """
    values = request.all("authorization")
    session = "" if values else cookies.value(request, SESSION)
    if session:
        cookies.check_own_page(request)
        principal = await application.recognise(session)
    else:
        try:
            secret = read_bearer(values) if values else None
        except TokenRefused as error:
            raise Unauthenticated(f"{error.reason}: {SEND_A_KEY}") from None
        principal = await application.authenticate(secret)
    request.introduce(principal)
    return principal


def in_json(_: Request, error: Exception) -> Response:
    """Return what programs are answered when something went wrong."""
    return errors.answer(error)


def _matched(pattern: _Segments, segments: _Segments) -> dict[str, str] | None:
    """Return what stands in a path where a pattern has names; None when it is another path."""
    if len(pattern) != len(segments):
        return None
    found = {}
    for name, segment in zip(pattern, segments, strict=True):
        if name.startswith("{"):
            if not segment:
                return None
            found[name[1:-1]] = segment
        elif name != segment:
            return None
    return found


def _is_given(kind: object) -> bool:
    """Tell whether what is of this type is given to a handler, and does not come from the query or the head."""
    return inspect.isclass(kind) and kind not in _FROM_TEXT and not issubclass(kind, BaseModel)


def _parameter(one: inspect.Parameter) -> RequestParameter:
    marks = get_args(one.annotation)[1:] if get_origin(one.annotation) is Annotated else ()
    kind = get_args(one.annotation)[0] if marks else one.annotation
    members = None
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        members = {name: get_origin(info.annotation) is list for name, info in kind.model_fields.items()}
    in_head = HEADER in marks
    said = one.name.replace("_", "-") if in_head else one.name
    place = HEADER if in_head else "query"
    return RequestParameter(one.name, place, said, one.annotation, one.default, members, TypeAdapter(one.annotation))


def _query(text: str) -> "_Query":
    """Return what is said in a query; of short ones, most of which come again and again, what was found before."""
    return _found(text) if len(text) <= _SHORT else _found.__wrapped__(text)


@lru_cache(maxsize=256)
def _found(text: str) -> "_Query":
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


_Query = Mapping[str, Sequence[str]]
