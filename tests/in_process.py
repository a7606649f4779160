"""Asks what answers requests over HTTP without a socket between."""

from __future__ import annotations

from contextlib import aclosing
from urllib.parse import urlsplit

import httpx

from agentic_atlas.compose.http import Handler
from agentic_atlas.http import errors
from agentic_atlas.http.messages import Request, RequestBody, Response, StreamingResponse


class InProcess(httpx.AsyncBaseTransport):
    """Hands a client's requests to a handler; a stream is read to its end.

    Attributes:
        handler: what answers.
        raises: whether what nobody foresaw is raised, or answered as the server does.
    """

    def __init__(self, handler: Handler, *, raises: bool = False) -> None:
        self.handler = handler
        self.raises = raises

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            answered = await self.handler(await read(request))
            if isinstance(answered, StreamingResponse):
                body = await _all(answered, bodiless=request.method == "HEAD")
                return httpx.Response(200, headers=list(answered.fields), content=body)
        except Exception as error:
            if self.raises:
                raise
            answered = errors.answer(error)
        return _told(answered, bodiless=request.method == "HEAD")


async def read(request: httpx.Request) -> Request:
    """Return a client's request as a handler gets it."""
    assert isinstance(request.stream, httpx.AsyncByteStream)
    target = urlsplit(request.url.raw_path.decode("ascii"))
    fields: dict[str, list[str]] = {}
    for name, value in request.headers.raw:
        fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    asked = Request(request.method, target.path, target.query, fields)
    body = RequestBody()
    async for piece in request.stream:
        body.feed(piece)
    body.end()
    asked.received("127.0.0.1", body, None)
    return asked


async def _all(answered: StreamingResponse, *, bodiless: bool) -> bytes:
    async with aclosing(answered.parts) as parts:
        with answered.place:
            return b"" if bodiless else b"".join([part async for part in parts])


def _told(answered: Response, *, bodiless: bool) -> httpx.Response:
    fields = [*answered.fields, ("content-length", str(len(answered.body)))]
    return httpx.Response(answered.status, headers=fields, content=b"" if bodiless else answered.body)
