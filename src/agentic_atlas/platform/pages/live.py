"""What pages are told while they are open: which of what they show has changed, so that they look at it again."""

from collections.abc import AsyncGenerator
from typing import Annotated, Final

import msgspec
from pydantic import Field

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import changes
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import AtlasError
from agentic_atlas.http.accept import prefers
from agentic_atlas.http.messages import Answered, Request, StreamingResponse, json
from agentic_atlas.http.routes import HEADER, WHOLE
from agentic_atlas.http.streams import KEEP_ALIVE, OF_STREAM, SILENCE, refused
from agentic_atlas.platform.page import PageGroup
from agentic_atlas.protocol.caller.changes import ChangeSignal

pages = PageGroup()

_AGAIN: Final = b"retry: 1000\n\n"
"""Milliseconds after which a browser comes back whose stream was cut."""
_MOST: Final = 2**53


@pages.at("GET", "/events", listed=False)
async def events(
    request: Request,
    application: Application,
    who: Principal,
    after: Annotated[int | None, Field(ge=0, le=_MOST), WHOLE] = None,
    last_event_id: Annotated[int | None, Field(ge=0, le=_MOST), WHOLE, HEADER] = None,
) -> Answered:
    """Stream what changes after this number as server-sent events; without `Accept` for that, what has by now.

    Resumes after `Last-Event-ID`. The last event is `refused` when a session ends.
    """
    since = after if last_event_id is None else last_event_id
    if not prefers(request.all("accept"), "text/event-stream", "application/json"):
        return json(await changes.missed(who, application, since))
    place, signals = await changes.watch(who, application, since, KEEP_ALIVE)
    return StreamingResponse(OF_STREAM, _stream(signals), place)


async def _stream(signals: AsyncGenerator[ChangeSignal | None, None]) -> AsyncGenerator[bytes, None]:
    yield _AGAIN
    try:
        async for signal in signals:
            if signal is None:
                yield SILENCE
            else:
                yield b"id: %d\ndata: %b\n\n" % (signal.seq, msgspec.json.encode(signal))
    except AtlasError as error:
        yield refused(error)
