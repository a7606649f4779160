"""What a request has to be before any route sees it, and what is the same for all of them.

It is for this network and no web page of somebody else sent it (`auth.hosts`); its head is within bounds and of a
version of HTTP that we speak. HEAD is answered wherever GET is, as GET without the body (RFC 9110 section 9.3.2).
"""

from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.errors import AtlasError, InvalidInput
from agentic_atlas.http import errors

MAX_HEAD = 64 * 1024
"""Bytes of a head, however many pieces it comes in."""

_VERSIONS = ("1.0", "1.1")
_PER_FIELD = len(": \r\n")


class Front:
    """An application behind its front (ASGI)."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        answer = _Bodiless(send) if head else send
        try:
            self._check(scope)
        except AtlasError as error:
            await errors.answer(error)(scope, receive, answer)
            return
        await self._app({**scope, "method": "GET"} if head else scope, receive, answer)

    def _check(self, scope: Scope) -> None:
        """Raise the error of a request that is not handed on."""
        if scope["http_version"] not in _VERSIONS:
            raise InvalidInput("HTTP/1.1 is spoken here", code="http_version")
        if _size(scope) > MAX_HEAD:
            raise errors.head_too_long(MAX_HEAD)
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        # Only HTTP/1.0 knows requests without a host; health checks send them, and no page can.
        authority = self._hosts.check(hosts) if hosts or scope["http_version"] == "1.1" else ""
        if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            self._hosts.check_page(authority, headers.getlist("origin"), headers.getlist("sec-fetch-site"))


class _Bodiless:
    """Sends an answer's head, and ends it there: a stream's body, which may last, is never begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._ended = False

    async def __call__(self, message: Message) -> None:
        if self._ended:
            return
        await self._send(message)
        if message["type"] == "http.response.start":
            self._ended = True
            await self._send({"type": "http.response.body"})


def _size(scope: Scope) -> int:
    fields: Any = scope["headers"]
    target = len(scope["raw_path"]) + len(scope["query_string"])
    return target + sum(len(name) + len(value) + _PER_FIELD for name, value in fields)
