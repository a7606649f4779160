"""The head of a request for a WebSocket (RFC 9112), and the answer to one that is not let in. Pure.

It is read here so that every answer to it is ours: whatever is wrong is told in one form, and nothing that the peer
sent is said back.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from agentic_atlas.errors import AtlasError

MAX_HEAD: Final = 16 * 1024
"""Bytes of a head: a token has 4 KiB at most."""
MAX_FIELDS: Final = 128
"""Fields of a head."""
LINGER: Final = 2 * 1024 * 1024
"""Bytes dropped after the last answer, for a peer that still sends would be reset before it has read it; none is kept.
A token of a megabyte is somebody's mistake, and is told so."""

_TOKEN: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET: Final = re.compile(rb"[\x21-\x7e]+")
_ABSOLUTE: Final = re.compile(r"(?:http|ws)s?://([^/?#]*)(.*)", re.IGNORECASE)
_VERSIONS: Final = (b"HTTP/1.1", b"HTTP/1.0")
_KEY_BYTES: Final = 16
_END: Final = b"\r\n\r\n"
_TLS_HANDSHAKE: Final = 0x16
"""First byte of a client that speaks TLS (RFC 8446 section 5.1), and of no request."""
_ROOM: Final = 2 * 1024


class HandshakeDenied(AtlasError):
    """The answer is no upgrade: what came is no head, asks for what is not done here, or is not let in.

    Attributes:
        status: that of HTTP.
        headers: of the answer.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.headers = headers


class Head(msgspec.Struct, frozen=True):
    """A request, but for its body; there is none."""

    method: str
    path: str
    """Without the query."""
    modern: bool
    """HTTP/1.1, not 1.0."""
    fields: tuple[tuple[str, str], ...]
    """Names in small letters; values as they are, octets beyond ASCII as in Latin-1."""
    authority: str | None = None
    """Of a target in absolute form, which counts in place of `Host` (RFC 9112 section 3.2.2)."""

    def all(self, name: str) -> list[str]:
        """Return the values of all fields of this name."""
        return [value for field, value in self.fields if field == name]

    def listed(self, name: str) -> Iterator[str]:
        """Return the members of a list that may stand in one field or in several (RFC 9110 section 5.6.1)."""
        return (member.strip() for value in self.all(name) for member in value.split(","))

    def hosts(self) -> list[str]:
        """Return the hosts that the request names; one, in a request that is right."""
        return self.all("host") if self.authority is None else [self.authority]


class HttpAnswer(msgspec.Struct, frozen=True):
    """What a request is answered that does not become a WebSocket; it ends the connection."""

    status: HTTPStatus
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def encode(self, *, bodiless: bool) -> bytes:
        """Return its bytes; for HEAD without the body, of which only the length is told."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {len(self.body)}", "Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1") + (b"" if bodiless else self.body)


class Incoming:
    """The bytes of one connection before its upgrade: gathered until the head is whole, dropped after a refusal.

    An answer has to reach its reader: whoever still sends when we close gets a reset from the system, which throws away
    what was not read yet. So after a refusal the rest is read and dropped, within bounds, until the peer has gone.
    """

    def __init__(self) -> None:
        self._room = bytearray(_ROOM)
        self._head = bytearray()
        self._dropped = 0

    def room(self) -> bytearray:
        """Return where the next bytes go."""
        return self._room

    def take(self, nbytes: int) -> tuple[bytes, bytes] | None:
        """Take so many bytes from the room; return the head and what came after it, once the head is whole.

        Raises:
            HandshakeDenied: it is longer than it may be (`head_too_long`), or the beginning of TLS (`no_tls`).
        """
        searched = max(0, len(self._head) - len(_END) + 1)
        self._head += self._room[:nbytes]
        if self._head[0] == _TLS_HANDSHAKE:
            # Else it would wait for the end of a head that never comes; what is not TLS tells the peer at once.
            raise no_tls()
        end = self._head.find(_END, searched)
        if end > MAX_HEAD or (end < 0 and len(self._head) > MAX_HEAD):
            raise too_long()
        return None if end < 0 else (bytes(self._head[:end]), bytes(self._head[end + len(_END) :]))

    def drop(self, nbytes: int) -> bool:
        """Drop so many bytes; True when it has been enough."""
        self._head.clear()
        self._dropped += nbytes
        return self._dropped > LINGER


def read_head(data: bytes) -> Head:
    """Return the head in `data`, which holds all of it but the empty line.

    Raises:
        HandshakeDenied: it is malformed (400), announces a body (400), or is of another version of HTTP (505).
    """
    line, *lines = data.split(b"\r\n")
    parts = line.split(b" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not _TARGET.fullmatch(parts[1]):
        raise _malformed("its first line is not METHOD TARGET HTTP/1.1")
    if parts[2] not in _VERSIONS:
        if not parts[2].startswith(b"HTTP/"):
            raise _malformed("its first line is not METHOD TARGET HTTP/1.1")
        raise HandshakeDenied(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "http_version", "HTTP/1.1 is spoken here")
    if len(lines) > MAX_FIELDS:
        raise HandshakeDenied(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_long", f"it has more than {MAX_FIELDS} header fields"
        )
    authority, path = _target(parts[1].decode("ascii"))
    head = Head(
        parts[0].decode("ascii"), path, parts[2] == _VERSIONS[0], tuple(_field(one) for one in lines), authority
    )
    if head.all("transfer-encoding") or any(value.strip("0") or not value for value in head.all("content-length")):
        raise HandshakeDenied(HTTPStatus.BAD_REQUEST, "unexpected_body", "a request has no body here")
    return head


def upgrade_key(head: Head) -> str:
    """Return the key of a request for a WebSocket (RFC 6455 section 4.2.1).

    Raises:
        HandshakeDenied: it is another method (405), no request for an upgrade or one of another version (426), or its
            key is none (400).
    """
    if head.method not in ("GET", "HEAD"):
        allowed = (("Allow", "GET, HEAD"),)
        raise HandshakeDenied(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "agents connect with GET", allowed)
    able = head.method == "GET" and head.modern
    if not (able and _names(head, "upgrade", "websocket") and _names(head, "connection", "upgrade")):
        raise _upgrade_required("upgrade_required", "agents connect by WebSocket: ask for an upgrade")
    if head.all("sec-websocket-version") != ["13"]:
        raise _upgrade_required("websocket_version", "the WebSocket spoken here is version 13 (RFC 6455)")
    keys = head.all("sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise HandshakeDenied(
            HTTPStatus.BAD_REQUEST, "bad_websocket_key", "Sec-WebSocket-Key is 16 bytes in base64, once"
        )
    return keys[0]


def too_long() -> HandshakeDenied:
    """Return the refusal of a head that does not end within the bound."""
    return HandshakeDenied(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "head_too_long",
        f"the request's head is longer than {MAX_HEAD} bytes; a token of ours has 4,096 at most",
    )


def _target(target: str) -> tuple[str | None, str]:
    """Return the authority, if the target has one, and the path."""
    absolute = _ABSOLUTE.fullmatch(target)
    authority, rest = (absolute[1], absolute[2]) if absolute else (None, target)
    return authority, rest.partition("?")[0] or "/"


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    value = value.strip(b" \t")
    # A line that begins with a space would continue the one before: nobody may send that any more (RFC 9112, 5.2).
    if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise _malformed("one of its header fields is not NAME: VALUE")
    return name.decode("ascii").lower(), value.decode("latin-1")


def _names(head: Head, field: str, word: str) -> bool:
    return word in (member.lower() for member in head.listed(field))


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def no_tls() -> HandshakeDenied:
    """Return the refusal of TLS where it is not spoken."""
    return HandshakeDenied(HTTPStatus.BAD_REQUEST, "no_tls", "TLS is not spoken here: use ws://, or http://")


def _malformed(why: str) -> HandshakeDenied:
    return HandshakeDenied(HTTPStatus.BAD_REQUEST, "malformed_request", f"this is no request of HTTP: {why}")


def _upgrade_required(code: str, message: str) -> HandshakeDenied:
    headers = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))
    return HandshakeDenied(HTTPStatus.UPGRADE_REQUIRED, code, message, headers)
