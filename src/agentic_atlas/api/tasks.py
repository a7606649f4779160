"""Routes of tasks."""

from collections.abc import AsyncGenerator
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated

import msgspec
from pydantic import AwareDatetime, BaseModel, Field

from agentic_atlas.backend.domain.records import Submitted, TaskEvent
from agentic_atlas.backend.ports import Summary, TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import tasks, traces
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import event_info, summary_of, task_summary
from agentic_atlas.errors import AtlasError, InvalidInput
from agentic_atlas.http.accept import prefers
from agentic_atlas.http.errors import error_info
from agentic_atlas.http.messages import Answered, Request, Response, StreamingResponse, json, read
from agentic_atlas.http.routes import HEADER, WHOLE, After, Limit, RouteGroup, Wait
from agentic_atlas.http.streams import KEEP_ALIVE, OF_STREAM, SILENCE, refused
from agentic_atlas.http.turns import Turns
from agentic_atlas.protocol.caller.tasks import (
    AnswerRequest,
    BatchAnswer,
    BatchItem,
    BatchRequest,
    CancelRequest,
    EventPage,
    SubmitRequest,
    TaskInfo,
    TaskPage,
)
from agentic_atlas.protocol.caller.traces import TraceInfo
from agentic_atlas.protocol.caller.values import Page
from agentic_atlas.protocol.tasks import TaskState

_MOST_DIGITS = 15

routes = RouteGroup("tasks", "/api/v1/tasks")


@routes.at("POST", "", answers=TaskInfo, status=HTTPStatus.CREATED, instead=HTTPStatus.OK)
async def submit(
    ask: SubmitRequest,
    application: Application,
    who: Principal,
    wait: Wait = 0,
    traceparent: Annotated[str | None, Field(max_length=200), HEADER] = None,
) -> Response:
    """Submit a task; with `wait`, answer when it has ended or the time is over."""
    task, created = await tasks.submit(who, application, ask, trace=traceparent, wait=wait)
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    return json(task, ("location", f"/api/v1/tasks/{task.id}"), status=status)


@routes.at("POST", "/batch", answers=BatchAnswer)
async def batch(body: BatchRequest, application: Application, who: Principal) -> Response:
    """Submit several tasks; each is accepted or refused by itself."""
    outcomes = await tasks.submit_all(who, application, body.tasks)
    return json(BatchAnswer(results=[_item(outcome) for outcome in outcomes]))


class WantedTasks(BaseModel):
    """Which tasks to list; everything that is given narrows."""

    agent: Annotated[str | None, Field(max_length=129, description="`name`, or `owner/name`.")] = None
    skill: Annotated[str | None, Field(max_length=64)] = None
    state: list[TaskState] = []
    since: Annotated[AwareDatetime | None, Field(description="Only what was made from then on.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Only what was made before then.")] = None
    caller: Annotated[
        str | None,
        Field(
            max_length=129,
            description="Who asked: a user (`NAME`, or what was asked for in their name), an agent or an API key "
            "(`OWNER/NAME`), or the id of one of these.",
        ),
    ] = None
    error: Annotated[str | None, Field(max_length=64, description="The code of its error.")] = None
    prefix: Annotated[str | None, Field(pattern="^[0-9a-z_]{1,64}$", description="How the id begins.")] = None
    parent: Annotated[str | None, Field(max_length=64)] = None
    trace: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$")] = None


@routes.at("GET", "", answers=TaskPage)
async def find(
    application: Application,
    who: Principal,
    turns: Turns,
    wanted: WantedTasks,
    limit: Limit = 50,
    after: After = None,
) -> Response:
    """List tasks, newest first.

    Where many are looked at for few that fit, a part may be shorter than asked for, or empty, though `next` leads on.
    """
    which = TaskFilter(
        states=tuple(wanted.state),
        parent_id=wanted.parent,
        trace_id=wanted.trace,
        skill=wanted.skill,
        prefix=wanted.prefix,
        error=wanted.error,
        since=wanted.since.timestamp() if wanted.since else None,
        until=wanted.until.timestamp() if wanted.until else None,
    )
    async with turns.turn(who.user.id):
        found, more = await tasks.find(
            who, application, which, agent=wanted.agent, caller=wanted.caller, limit=limit, after=after
        )
        return json(Page(items=[_listed(summary) for summary in found], next=more))


@routes.at("GET", "/{task_id}", answers=TaskInfo)
async def show(task_id: str, application: Application, who: Principal, wait: Wait = 0) -> Response:
    """Show a task; with `wait`, when it has ended or the time is over."""
    return json(await tasks.show(who, application, task_id, wait=wait))


@routes.at("GET", "/{task_id}/events", answers=EventPage, text="text/event-stream", instead=HTTPStatus.NO_CONTENT)
async def events(
    task_id: str,
    request: Request,
    application: Application,
    who: Principal,
    turns: Turns,
    after: Annotated[int, Field(ge=0, le=2**53), WHOLE] = 0,
    last_event_id: Annotated[str | None, Field(max_length=20), HEADER] = None,
) -> Answered:
    """Stream a task's events as server-sent events (WHATWG HTML §9.2) until it has ended.

    Resumes after `Last-Event-ID`; 204 when the task has ended and no event follows, so that nobody tries again.
    With `Accept: application/json`: a page of those that are there now. An event `refused` is an error and
    the last: the API key is good no more, or the task is not seen any more (`task_not_found`).
    """
    start = _number(last_event_id) if last_event_id else after
    if prefers(request.all("accept"), "application/json", "text/event-stream"):
        async with turns.turn(who.user.id):
            found, more = await tasks.page(who, application, task_id, start)
            return json(EventPage(items=[event_info(event) for event in found], next=more))
    following = await tasks.follow(who, application, task_id, start, KEEP_ALIVE)
    if following is None:
        return Response(HTTPStatus.NO_CONTENT, [("cache-control", "no-store")])
    place, pages = following
    return StreamingResponse(OF_STREAM, _stream(pages), place)


@routes.at("GET", "/{task_id}/trace", answers=TraceInfo)
async def trace(task_id: str, application: Application, who: Principal, turns: Turns) -> Response:
    """Show all tasks of a task's trace that one sees, with their attempts, for a timeline."""
    async with turns.turn(who.user.id):
        return json(await traces.show(who, application, task_id))


@routes.at("POST", "/{task_id}/cancel", answers=TaskInfo)
async def cancel(task_id: str, body: CancelRequest, application: Application, who: Principal) -> Response:
    """Cancel a task and what it called; one that has ended stays as it is."""
    return json(await tasks.cancel(who, application, task_id, body.reason))


@routes.at("POST", "/{task_id}/input", takes=AnswerRequest, answers=TaskInfo)
async def answer(task_id: str, request: Request, turns: Turns, application: Application, who: Principal) -> Response:
    """Answer a question that a task asks; who may see the task may answer it."""
    # To whoever may not see it, it is not there, whatever else is wrong with the request.
    await tasks.standing(who, application, task_id)
    body = await read(request, turns, AnswerRequest)
    who = await application.again(who)
    return json(await tasks.answer(who, application, task_id, bytes(body.answer), body.question))


@routes.at("POST", "/{task_id}/retry", answers=TaskInfo, status=HTTPStatus.CREATED)
async def retry(task_id: str, application: Application, who: Principal) -> Response:
    """Do again what an ended task asked for, as a new task."""
    return json(await tasks.retry(who, application, task_id), status=HTTPStatus.CREATED)


@lru_cache(maxsize=1_000)
def _listed(summary: Summary) -> msgspec.Raw:
    # Remembered, for lists are looked at again and again, and most of what is in them stays as it is.
    return msgspec.Raw(msgspec.json.encode(task_summary(summary)))


def _item(outcome: Submitted | AtlasError) -> BatchItem:
    if isinstance(outcome, AtlasError):
        return BatchItem(error=error_info(outcome))
    return BatchItem(task=summary_of(outcome.task))


async def _stream(pages: AsyncGenerator[list[TaskEvent], None]) -> AsyncGenerator[bytes, None]:
    try:
        async for page in pages:
            yield b"".join(map(_frame, page)) or SILENCE
    except AtlasError as error:
        # The head of the answer is sent long ago, so that an event has to say why no other follows.
        yield refused(error)


@lru_cache(maxsize=32)
def _frame(event: TaskEvent) -> bytes:
    # Remembered, for all who stand at the same number are told the same.
    data = msgspec.json.encode(event_info(event))
    # JSON by msgspec has no line breaks outside strings, but payloads are passed on as their sender wrote them.
    lines = b"\n".join(b"data: " + line for line in data.splitlines())
    return b"id: %d\nevent: %s\n%s\n\n" % (event.seq, event.kind.value.encode(), lines)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidInput("Last-Event-ID is the `id` of an event: a number")
    return int(text)
