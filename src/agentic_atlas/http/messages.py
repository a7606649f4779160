"""Requests and responses (RFC 9110), as every door over HTTP sees them, and their bodies as JSON, within bounds."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec

from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import AtlasError, InvalidInput, PayloadTooLarge
from agentic_atlas.http.turns import LONG, BodyPlace, Turns
from agentic_atlas.protocol.codec import ProtocolError, check_nesting
from agentic_atlas.protocol.refusals import refusal

T = TypeVar("T")
Fields: TypeAlias = Mapping[str, Sequence[str]]
"""Names in small letters, each with the values of all its fields; octets beyond ASCII as in Latin-1."""

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request's body."""

MAX_DEPTH = 64
"""Deepest nesting of arrays and objects in a body."""

JSON: Final = "application/json"
_MOST_DIGITS = 15
_OF_JSON: Final = (
    ("content-type", JSON),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
)
BODILESS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
"""Statuses of answers that have no body."""
_FIRST_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus
}


class RequestBody:
    """A request's body, piece by piece as it comes in.

    Attributes:
        awaited: others had their turn while it was read: what its sender may do can have changed since its head.
    """

    __slots__ = ("_cut", "_dropped", "_pieces", "_waiting", "_wanted", "_whole", "awaited")

    def __init__(self, wanted: Callable[[], None] = lambda: None) -> None:
        """`wanted`: called when somebody waits for more of it."""
        self.awaited = False
        self._pieces = bytearray()
        self._whole = False
        self._cut: AtlasError | None = None
        self._dropped = False
        self._wanted = wanted
        self._waiting: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> int:
        """Bytes that have come and were not read."""
        return len(self._pieces)

    def feed(self, piece: bytes) -> None:
        """More of it has come."""
        if not self._dropped:
            self._pieces += piece
            self._wake()

    def end(self) -> None:
        """That was all of it."""
        self._whole = True
        self._wake()

    def cut(self, why: AtlasError | None = None) -> None:
        """The rest will not come, if it has not yet; `why` is raised to who reads it."""
        self._cut = why or InvalidInput("the body was cut off", code="malformed_request")
        self._wake()

    def drop(self) -> None:
        """Nobody reads the rest."""
        self._dropped = True
        self._pieces.clear()

    async def read(self) -> bytes:
        """Return what has come since the last time, at least one byte; nothing once all of it was read.

        Raises:
            AtlasError: it was cut off; by its peer (`malformed_request`) where nothing else was said.
        """
        while not self._pieces:
            if self._whole:
                return b""
            if self._cut is not None:
                raise self._cut
            self._wanted()
            self.awaited = True
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        pieces, self._pieces = self._pieces, bytearray()
        return bytes(pieces)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Request:
    """One request.

    Attributes:
        method: in capital letters, as it came; HEAD is handled as GET.
        path: as it came: percent-encoded, without the query.
        query: likewise, without the question mark.
        fields: of its head.
        authority: of a target in absolute form, which counts in place of `Host` (RFC 9112 section 3.2.2).
        version: of HTTP, for instance `1.1`.
        address: of the peer, without its port; empty when that is not known.
        body: what follows the head.
        last: its connection ends with the answer.
        expects: its body comes when it is asked for (100-continue).
        asker: id of the user who asks, once that is known; before, nothing.
        who: likewise, with what they have shown; None: nobody knows.
        route: the template of its path, once that is known to be one; else nothing.
    """

    __slots__ = (
        "_introduced",
        "address",
        "asker",
        "authority",
        "body",
        "expects",
        "fields",
        "last",
        "method",
        "path",
        "query",
        "route",
        "version",
        "who",
    )

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        fields: Fields | None = None,
        *,
        authority: str | None = None,
        version: str = "1.1",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields or {}
        self.authority = authority
        self.version = version
        self.address = ""
        self.body = RequestBody()
        self.last = False
        self.expects = False
        self.asker = self.route = ""
        self.who: Principal | None = None
        self._introduced: Callable[[], None] | None = None

    def received(self, address: str, body: RequestBody, introduced: Callable[[], None] | None) -> None:
        """Take over what only the connection knows that it came on; `introduced` is called when it is known who asks,
        and None where nobody wants to know."""
        self.address = address
        self.body = body
        self._introduced = introduced

    def introduce(self, who: Principal) -> None:
        """They ask."""
        self.asker, self.who = who.user.id, who
        if self._introduced is not None:
            self._introduced()

    def all(self, name: str) -> Sequence[str]:
        """Return the values of all fields of this name, given in small letters."""
        return self.fields.get(name, ())

    def first(self, name: str) -> str | None:
        """Return the value of the first field of this name, given in small letters."""
        values = self.fields.get(name)
        return values[0] if values else None

    @property
    def host(self) -> str:
        """Host and port that it is for, as its peer calls them; only HTTP/1.0 knows requests that do not say so."""
        return (self.first("host") or "") if self.authority is None else self.authority

    @property
    def hostname(self) -> str:
        """The same without the port, and an IPv6 address without its brackets."""
        return urlsplit(f"//{self.host}").hostname or ""


class Response:
    """The answer to a request.

    Attributes:
        status: its code.
        fields: of its head, but those that say where it ends.
        body: all of it.
    """

    __slots__ = ("body", "fields", "status")

    def __init__(self, status: int = HTTPStatus.OK, fields: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        self.status = status
        self.fields = fields
        self.body = body

    def encode(self, *more: str, bodiless: bool = False) -> bytes:
        """Return its bytes, with `more` lines in the head; for HEAD without the body, of which the length is told."""
        if self.status not in BODILESS:
            more += (f"content-length: {len(self.body)}",)
        head = encode_head(self.status, self.fields, more)
        return head if bodiless else head + self.body


class StreamingResponse:
    """An answer whose body is made while it is sent.

    Attributes:
        fields: of its head, but those that say where it ends.
        parts: of its body. They are closed whenever the peer goes away.
        place: is held from before the head until the end; what it raises is answered instead.
    """

    __slots__ = ("fields", "parts", "place")

    def __init__(
        self,
        fields: Iterable[tuple[str, str]],
        parts: AsyncGenerator[bytes, None],
        place: AbstractContextManager[object] | None = None,
    ) -> None:
        self.fields = fields
        self.parts = parts
        self.place = place or nullcontext()


Answered: TypeAlias = Response | StreamingResponse


def encode_head(status: int, fields: Iterable[tuple[str, str]], more: Iterable[str]) -> bytes:
    """Return the head of a response with these fields, and with `more` lines; there is at least one of them."""
    lines = [*more, *[f"{name}: {value}" for name, value in fields]]
    head = "\r\n".join(lines)
    if head.count("\n") >= len(lines):
        raise ValueError("a line break in a field of a response")  # it would begin another field, or the body
    return b"%b%b\r\n\r\n" % (_FIRST_LINES[status], head.encode("latin-1"))


def json(view: object, *more: tuple[str, str], status: int = 200) -> Response:
    """Return the response with a struct as JSON, and `more` fields."""
    return Response(status, (*_OF_JSON, *more), msgspec.json.encode(view))


async def read(request: Request, turns: Turns, kind: type[T], *, most: int = MAX_BODY) -> T:
    """Return the request's body, of at most so many bytes, as a struct.

    Raises:
        PayloadTooLarge: longer than `most`; what is over is not read.
        InvalidInput: not said to be JSON, not JSON, nested too deeply, not of this shape, or cut off.
        Busy: too many long bodies of this user are on their way.
    """
    check_type(request, JSON)
    if _announced(request) < min(LONG, most):
        body = await body_of(request, most, None)
        _check(body)
        return _read(body, kind)
    request.body.awaited = True
    with turns.place(request.asker) as place:
        body = await body_of(request, most, place)
        async with place.turn() as step:
            _check(body)
            await step()
            found = _read(body, kind)
            await step()  # what is done with it takes as long again
            return found


def _announced(request: Request) -> int:
    """Return how many bytes the body has, as far as its head says; else as many as none may have."""
    length = request.first("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) <= _MOST_DIGITS else sys.maxsize


def _check(body: bytes) -> None:
    try:
        body.decode("utf-8")
        check_nesting(body, MAX_DEPTH)
    except ProtocolError as error:
        raise InvalidInput(f"the body is not acceptable: {error.message}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error}", code="invalid_json") from None


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        found = refusal(error, kind, _untyped(body))
        detail = [{"path": found.path, "message": found.message}]
        raise InvalidInput(f"the body is not acceptable: {found.sentence}", detail=detail) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}", code="invalid_json") from None


def _untyped(body: bytes) -> object:
    """Return a body as JSON values; None for a long one, and for one that is no JSON behind what was refused."""
    if len(body) >= LONG:
        return None  # Built as values, four megabytes of brackets keep everybody waiting for a third of a second.
    try:
        return msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError):
        return None


async def body_of(request: Request, most: int, place: BodyPlace | None) -> bytes:
    """Return the whole body; raises PayloadTooLarge over `most` bytes, and as `RequestBody.read` does."""
    parts: list[bytes] = []
    size = 0
    while part := await request.body.read():
        size += len(part)
        if size > most:
            raise PayloadTooLarge(f"the body has more than the {most} bytes allowed: send less, or a link to it")
        if place is not None:
            place.grows(size)
        parts.append(part)
    return b"".join(parts)


def check_type(request: Request, kind: str) -> None:
    """Raise InvalidInput for a body that is compressed, or that is not said to be of this media type.

    A web page of another site can send a body of a few types without asking first; JSON is none of them.
    """
    encodings = [one.strip().lower() for value in request.all("content-encoding") for one in value.split(",")]
    if not {"identity", ""}.issuperset(encodings):
        raise InvalidInput("compressed bodies are not taken: send the body as it is", code="unsupported_encoding")
    types = [value.partition(";")[0].strip().lower() for value in request.all("content-type")]
    if types == [kind]:
        return
    empty = request.first("content-length") in (None, "0") and request.first("transfer-encoding") is None
    if types or not empty:
        named = "JSON" if kind == JSON else "a form"
        raise InvalidInput(
            f"the body has to be {named}, and to say so: `Content-Type: {kind}`", code="unsupported_media_type"
        )
