"""Requests and responses (RFC 9110), as every door over HTTP sees them. Pure, but for the wait for more of a body."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from agentic_atlas.errors import InvalidInput

Fields: TypeAlias = Mapping[str, Sequence[str]]
"""Names in small letters, each with the values of all its fields; octets beyond ASCII as in Latin-1."""

_BODILESS: Final = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_FIRST_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus
}


class RequestBody:
    """A request's body, piece by piece as it comes in."""

    __slots__ = ("_cut", "_dropped", "_pieces", "_waiting", "_wanted", "_whole")

    def __init__(self, wanted: Callable[[], None] = lambda: None) -> None:
        """`wanted`: called when somebody waits for more of it."""
        self._pieces = bytearray()
        self._whole = False
        self._cut = False
        self._dropped = False
        self._wanted = wanted
        self._waiting: asyncio.Future[None] | None = None

    def feed(self, piece: bytes) -> int:
        """More of it has come; return how many bytes wait to be read."""
        if self._dropped:
            return 0
        self._pieces += piece
        self._wake()
        return len(self._pieces)

    def end(self) -> None:
        """That was all of it."""
        self._whole = True
        self._wake()

    def cut(self) -> None:
        """The rest will not come, if it has not yet."""
        self._cut = True
        self._wake()

    def drop(self) -> None:
        """Nobody reads the rest."""
        self._dropped = True
        self._pieces.clear()

    async def read(self) -> bytes:
        """Return what has come since the last time, at least one byte; nothing once all of it was read.

        Raises:
            InvalidInput: it was cut off (`malformed_request`); nobody is there to read an answer.
        """
        while not self._pieces:
            if self._whole:
                return b""
            if self._cut:
                raise InvalidInput("the body was cut off", code="malformed_request")
            self._wanted()
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
        asker: id of the user who asks, once that is known; before, nothing.
    """

    __slots__ = ("_introduced", "address", "asker", "authority", "body", "fields", "method", "path", "query", "version")

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
        self.asker = ""
        self._introduced: Callable[[], None] | None = None

    def received(self, address: str, body: RequestBody, introduced: Callable[[], None] | None) -> None:
        """Take over what only the connection knows that it came on; `introduced` is called when it is known who asks,
        and None where that is known already."""
        self.address = address
        self.body = body
        self._introduced = introduced

    def introduce(self, user_id: str) -> None:
        """This user asks."""
        self.asker = user_id
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
        if self.status not in _BODILESS:
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
