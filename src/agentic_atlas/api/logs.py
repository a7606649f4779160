"""Routes of agents' logs."""

from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec
from pydantic import AwareDatetime, BaseModel, Field

from agentic_atlas.backend.domain.logs import LogFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import logs
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.logs import LogNews, LogsOf
from agentic_atlas.errors import AtlasError
from agentic_atlas.http.accept import prefers
from agentic_atlas.http.messages import Answered, Request, Response, StreamingResponse, json
from agentic_atlas.http.routes import WHOLE, After, Limit, RouteGroup
from agentic_atlas.http.streams import KEEP_ALIVE, OF_STREAM, SILENCE, refused
from agentic_atlas.http.turns import Turns
from agentic_atlas.protocol.caller.logs import LOOKED_FOR, MOST_LAST, LogPage, LogSkip
from agentic_atlas.protocol.messages import LogLevel, LogSource

routes = RouteGroup("logs", "/api/v1/logs")


class WantedLines(BaseModel):
    """Which lines; everything that is given narrows."""

    agent: Annotated[str | None, Field(max_length=129, description="`name`, or `owner/name`.")] = None
    task: Annotated[str | None, Field(max_length=64, description="Id of a task.")] = None
    trace: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$")] = None
    level: Annotated[LogLevel | None, Field(description="This one, and more severe ones.")] = None
    source: list[LogSource] = []
    since: Annotated[AwareDatetime | None, Field(description="Only what was said from then on.")] = None
    text: Annotated[
        str | None,
        Field(max_length=LOOKED_FOR, description="In the message, logger, traceback or fields; in capitals or not."),
    ] = None


class FoundLines(WantedLines):
    """Which lines to list."""

    until: Annotated[AwareDatetime | None, Field(description="Only what was said before then.")] = None


@routes.at("GET", "", answers=LogPage)
async def find(
    application: Application, who: Principal, turns: Turns, wanted: FoundLines, limit: Limit = 100, after: After = None
) -> Response:
    """List lines of agents' logs, newest first.

    What was said to a task (`ctx.log`) is shown to whoever may see the task, all else to whoever manages the agent.
    Where much is looked at for little that fits, a part may be short or empty, though `next` leads on; `searched_to`
    says back to when it has looked.
    """
    which = msgspec.structs.replace(_filter(wanted), until=wanted.until.timestamp() if wanted.until else None)
    async with turns.turn(who.user.id):
        return json(await logs.find(who, application, which, _of(wanted), limit=limit, before=after))


@routes.at("GET", "/stream", answers=LogPage, text="text/event-stream")
async def stream(
    request: Request,
    application: Application,
    who: Principal,
    turns: Turns,
    wanted: WantedLines,
    last: Annotated[int, Field(ge=0, le=MOST_LAST, description="Lines of the past to begin with."), WHOLE] = 0,
) -> Answered:
    """Stream lines of agents' logs as server-sent events (WHATWG HTML §9.2): the last ones, and those that come.

    An event `line` is a line, `skipped` says that lines were left out since they were not read fast enough, and how
    many. `refused` is an error and the last: the API key is good no more. The stream ends when the server stops, or
    when what one sees has changed: ask again then. With `Accept: application/json`: the last ones alone, newest first.
    """
    which, of = _filter(wanted), _of(wanted)
    if prefers(request.all("accept"), "application/json", "text/event-stream"):
        async with turns.turn(who.user.id):
            return json(await logs.find(who, application, which, of, limit=max(last, 1)))
    place, news = await logs.watch(who, application, which, of, last=last, keep_alive=KEEP_ALIVE)
    return StreamingResponse(OF_STREAM, _stream(news), place)


def _filter(wanted: WantedLines) -> LogFilter:
    return LogFilter(
        level=wanted.level,
        sources=tuple(wanted.source),
        since=wanted.since.timestamp() if wanted.since else None,
        text=wanted.text or "",
    )


def _of(wanted: WantedLines) -> LogsOf:
    return LogsOf(wanted.agent, wanted.task, wanted.trace)


async def _stream(news: AsyncGenerator[LogNews, None]) -> AsyncGenerator[bytes, None]:
    try:
        async for told in news:
            yield b"".join(map(_frame, told)) or SILENCE
    except AtlasError as error:
        # The head of the answer is sent long ago, so that an event has to say why no other follows.
        yield refused(error)


def _frame(told: object) -> bytes:
    kind = b"skipped" if isinstance(told, LogSkip) else b"line"
    return b"event: %s\ndata: %s\n\n" % (kind, msgspec.json.encode(told))
