"""Routes of tasks."""

from collections.abc import AsyncIterator
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from agentic_atlas.api.describe import describe
from agentic_atlas.backend.domain.records import Submitted, TaskEvent
from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.backend.usecases import tasks
from agentic_atlas.backend.usecases.shown import event_info, summary_of, task_info, task_summary
from agentic_atlas.errors import AtlasError, InvalidInput
from agentic_atlas.http.accept import prefers
from agentic_atlas.http.answers import Json, read
from agentic_atlas.http.errors import error_info
from agentic_atlas.http.requests import After, Limit, OwnTurn, Parts, Wait, WantedTasks, Who
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

KEEP_ALIVE = 15.0
"""Seconds of silence after which a stream of events sends a comment, for idle timers in between."""

_MOST_DIGITS = 15

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])


@router.post("", **describe(takes=SubmitRequest, answers=TaskInfo, status=HTTPStatus.CREATED))
async def submit(
    request: Request,
    application: Parts,
    who: Who,
    wait: Wait = 0,
    traceparent: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Submit a task; with `wait`, answer when it has ended or the time is over."""
    ask = await read(request, SubmitRequest)
    made = await tasks.submit(who, application, ask, trace=traceparent, wait=wait)
    status = HTTPStatus.CREATED if made.created else HTTPStatus.OK
    return Json(_view(made), status=status, headers={"Location": f"/api/v1/tasks/{made.task.id}"})


@router.post("/batch", **describe(takes=BatchRequest, answers=BatchAnswer))
async def batch(request: Request, application: Parts, who: Who) -> Response:
    """Submit several tasks; each is accepted or refused by itself."""
    body = await read(request, BatchRequest)
    outcomes = await tasks.submit_all(who, application, body.tasks)
    return Json(BatchAnswer(results=[_item(outcome) for outcome in outcomes]))


@router.get("", **describe(answers=TaskPage))
async def find(
    application: Parts,
    who: Who,
    turn: OwnTurn,
    wanted: Annotated[WantedTasks, Query()],
    limit: Limit = 50,
    after: After = None,
) -> Response:
    """List tasks, newest first."""
    which = TaskFilter(
        states=tuple(wanted.state),
        parent_id=wanted.parent,
        trace_id=wanted.trace,
        skill=wanted.skill,
        prefix=wanted.prefix,
        since=wanted.since.timestamp() if wanted.since else None,
    )
    async with turn:
        page = await tasks.find(who, application, which, agent=wanted.agent, limit=limit, after=after)
        return Json(TaskPage(items=[task_summary(summary) for summary in page.items], next=page.next))


@router.get("/{task_id}", **describe(answers=TaskInfo))
async def show(task_id: str, application: Parts, who: Who, wait: Wait = 0) -> Response:
    """Show a task; with `wait`, when it has ended or the time is over."""
    return Json(_view(await tasks.show(who, application, task_id, wait=wait)))


@router.get("/{task_id}/events", **describe(answers=EventPage, text="text/event-stream"))
async def events(
    task_id: str,
    request: Request,
    application: Parts,
    who: Who,
    turn: OwnTurn,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    """Stream a task's events as server-sent events (WHATWG HTML §9.2) until it has ended.

    Resumes after `Last-Event-ID`; 204 when the task has ended and no event follows, so that nobody tries again.
    With `Accept: application/json`: a page of those that are there now.
    """
    start = _number(last_event_id) if last_event_id else after
    if prefers(request.headers.getlist("accept"), "application/json", "text/event-stream"):
        async with turn:
            found, more = await tasks.page(who, application, task_id, start)
            return Json(EventPage(items=[event_info(event) for event in found], next=more))
    following = await tasks.follow(who, application, task_id, start, KEEP_ALIVE)
    if following is None:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": "no-store"})
    return Stream(following)


@router.post("/{task_id}/cancel", **describe(takes=CancelRequest, answers=TaskInfo))
async def cancel(task_id: str, request: Request, application: Parts, who: Who) -> Response:
    """Cancel a task and what it called; one that has ended stays as it is."""
    body = await read(request, CancelRequest)
    return Json(_view(await tasks.cancel(who, application, task_id, body.reason)))


@router.post("/{task_id}/input", **describe(takes=AnswerRequest, answers=TaskInfo))
async def answer(task_id: str, request: Request, application: Parts, who: Who) -> Response:
    """Answer a question that a task asks; who may see the task may answer it."""
    # To whoever may not see it, it is not there, whatever else is wrong with the request.
    await tasks.standing(who, application, task_id)
    body = await read(request, AnswerRequest)
    return Json(_view(await tasks.answer(who, application, task_id, bytes(body.answer), body.question)))


@router.post("/{task_id}/retry", **describe(answers=TaskInfo, status=HTTPStatus.CREATED))
async def retry(task_id: str, application: Parts, who: Who) -> Response:
    """Do again what an ended task asked for, as a new task."""
    return Json(_view(await tasks.retry(who, application, task_id)), status=HTTPStatus.CREATED)


def _item(outcome: Submitted | AtlasError) -> BatchItem:
    if isinstance(outcome, AtlasError):
        return BatchItem(error=error_info(outcome))
    return BatchItem(task=summary_of(outcome.task))


def _view(noted: tasks.Noted) -> TaskInfo:
    return task_info(noted.task, noted.note)


class Stream(StreamingResponse):
    """A task's events as server-sent events, in a watcher's place that ends with it."""

    media_type = "text/event-stream"

    def __init__(self, following: tasks.Following) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
        super().__init__(_stream(following), headers=headers)
        self._place = following.place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; raises Busy (`too_many_watchers`) before the first byte."""
        with self._place:
            await super().__call__(scope, receive, send)


async def _stream(following: tasks.Following) -> AsyncIterator[bytes]:
    async for page in following.pages:
        yield b"".join(map(_frame, page)) or b": keep-alive\n\n"


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
