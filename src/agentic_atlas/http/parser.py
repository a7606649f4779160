"""Reads requests from the bytes of a connection (RFC 9112). httptools does the reading; here are its bounds. Pure.

By itself it takes addresses and heads of any size, and stops at a request for another protocol.
"""

import re
from collections.abc import Callable
from typing import Final

import httptools

from agentic_atlas.errors import AtlasError
from agentic_atlas.http import errors
from agentic_atlas.http.messages import Request, RequestBody

MAX_HEAD = 64 * 1024
"""Bytes of a head, however many pieces it comes in."""

_ABSOLUTE: Final = re.compile(r"https?://([^/?#]*)(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE)
_FRAMING: Final = ("content-length", "transfer-encoding")
_CODINGS: Final[tuple[list[str], ...]] = ([], ["chunked"])
_PIECES: Final = 4096
_PIECE: Final = 64
"""Bytes that a piece of a body has to have on average, once there are so many: each costs the same."""
_PER_FIELD: Final = len(": \r\n")


class RequestParser:
    """One connection's requests, one after the other.

    Attributes:
        in_head: what comes next is the head of a request, or the rest of it.
        unfinished: bytes of a head, or of what follows a body, that have come and are no whole one yet.
    """

    def __init__(self, begins: Callable[[Request], None]) -> None:
        """`begins`: told when the head of a request is whole; its body is given what follows."""
        self.in_head = True
        self.unfinished = 0
        self._begins = begins
        self._body = RequestBody()
        self._advanced = False
        self._begun = False
        self._refusal: AtlasError | None = None
        """Why the parser was stopped from here: it wraps whatever is raised in the methods that it calls."""
        self._pieces = 0
        self._brought = 0
        self._deaf = False
        self._url = b""
        self._size = 0
        self._fields: dict[str, list[str]] = {}
        self._parser = self._new_parser()

    def feed(self, data: bytes | memoryview) -> None:
        """Read on.

        Raises:
            InvalidInput: it is no request (`malformed_request`), or its head, or what follows its body, is longer than
                it may be (`head_too_long`).
        """
        self._advanced = False
        fault = self._read(data)
        if fault is not None:
            raise fault
        # What brought neither a whole head nor a piece of a body is a part of a head, or of trailers.
        self.unfinished = int(self._begun) if self._advanced else self.unfinished + len(data)
        if self.unfinished > MAX_HEAD:
            raise errors.head_too_long(MAX_HEAD)

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._deaf:
            self._url, self._size, self._fields = b"", 0, {}
            self._begun, self._pieces, self._brought = True, 0, 0

    def on_url(self, url: bytes) -> None:
        """Its target, or a part of it, is there."""
        if not self._deaf:
            self._url += url
            self._grows(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its fields is there; those behind the body are none of its head (RFC 9110, 6.5.1), and nobody's."""
        if self._deaf:
            return
        self._grows(len(name) + len(value) + _PER_FIELD)
        if self.in_head:
            self._fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        if self._deaf:
            return
        parser = self._parser
        version = parser.get_http_version()
        method = parser.get_method().decode("ascii")
        authority, path, query = self._target(method)
        request = Request(method, path, query, self._fields, authority=authority, version=version)
        if [coding.lower() for coding in request.all("transfer-encoding")] not in _CODINGS:
            self._stop(errors.transfer_encoding())
        request.last = version == "1.0" or not parser.should_keep_alive()
        # HTTP/1.0 knows none, and would take what we say to it for the answer (RFC 9110, 10.1.1).
        request.expects = version != "1.0" and (request.first("expect") or "").lower() == "100-continue"
        self.in_head, self._advanced, self._begun = False, True, False
        self._begins(request)
        self._body = request.body

    def on_body(self, body: bytes) -> None:
        """A piece of its body is there."""
        self._advanced = True
        self._pieces += 1
        self._brought += len(body)
        if self._pieces > _PIECES and self._brought < self._pieces * _PIECE:
            self._stop(errors.too_many_pieces(_PIECE))
        self._body.feed(body)

    def on_message_complete(self) -> None:
        """It is whole; one that asks for another protocol has a body all the same, which is not read yet."""
        if not self._parser.should_upgrade():
            self.in_head, self._advanced = True, True
            self._body.end()

    def _read(self, data: bytes | memoryview) -> AtlasError | None:
        """Read on; return why it could not be. Raised outside, for what it was raised in would hold what was read."""
        try:
            rest = self._fed(data)
            while rest:
                rest = self._fed(rest)
        except httptools.HttpParserError:
            return self._refusal or errors.malformed()
        return None

    def _fed(self, data: bytes | memoryview) -> bytes | memoryview:
        """Feed the parser; return what comes after a head that asks for another protocol, which it stops at."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            self._decline()
            return data[stopped.args[0] :]
        return b""

    def _decline(self) -> None:
        """Go on in HTTP/1.1 after a request for another protocol (RFC 9110, 7.8): its body is one like any other."""
        framing = [f"{name}: {value}\r\n" for name in _FRAMING for value in self._fields.get(name, ())]
        self._parser = self._new_parser()
        # The new parser has to know how its body ends, and nobody needs to hear of the head again.
        self._deaf = True
        self._parser.feed_data(f"POST / HTTP/1.1\r\nhost: again\r\n{''.join(framing)}\r\n".encode("latin-1"))
        self._deaf = False

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _grows(self, size: int) -> None:
        self._size += size
        if self._size > MAX_HEAD:
            self._stop(errors.head_too_long(MAX_HEAD))

    def _stop(self, why: AtlasError) -> None:
        self._refusal = why
        raise why

    def _target(self, method: str) -> tuple[str | None, str, str]:
        """Return authority, path and query of the request's target."""
        if not self._url.isascii():
            raise errors.malformed()
        text = self._url.decode("ascii").partition("#")[0]
        if text[:1] == "/" or (text == "*" and method == "OPTIONS"):
            path, _, query = text.partition("?")
            return None, path, query
        absolute = _ABSOLUTE.fullmatch(text)
        if absolute is None:
            raise errors.malformed()
        return absolute[1], absolute[2] or "/", absolute[3] or ""
