"""One task: what was asked, what came of it, when everything happened and why, and what may be done about it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta
from pydantic import Field

from agentic_atlas.backend.rights import Principal, Right, may
from agentic_atlas.backend.usecases import tasks, traces
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import event_info
from agentic_atlas.errors import NotFound
from agentic_atlas.http.messages import Response
from agentic_atlas.platform.page import PageGroup, View, see_other
from agentic_atlas.platform.task.artifacts import (
    ArtifactRow,
    artifact_rows,
    attachment,
    content_of,
    output_files,
)
from agentic_atlas.platform.task.attempts import AttemptRow, Times, attempt_rows, times
from agentic_atlas.platform.task.event_lines import EventLine, characters, event_lines
from agentic_atlas.platform.task.json_parts import PayloadView, payload
from agentic_atlas.platform.task.questions import Asking, SettledRow, answered_with, asking, settled
from agentic_atlas.platform.task.timeline import TimelineView, timeline
from agentic_atlas.platform.wording import visible
from agentic_atlas.protocol.caller.tasks import TaskInfo
from agentic_atlas.protocol.caller.traces import TraceInfo

pages = PageGroup("tasks")

MOST_EVENTS = 100
"""Events that are shown, the newest, unless somebody asks for more."""
ALL_EVENTS = 2_000
"""Events that are shown at the most."""
_OF_FILE = (
    ("content-type", "application/octet-stream"),
    # Whatever it is, no browser shows it as a page of ours.
    ("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
)
_MOST_PAGES = 40
"""Parts of a megabyte that are read of events; as many as usual are always in them."""
_MOST_MESSAGE = 2_000
_MOST_HEARD = 50
"""Tasks of a trace whose changes are heard of."""


class TaskView(View, frozen=True):
    """A task with its trace.

    Attributes:
        task: as it is.
        times: how long it took, and what for.
        note: what it does or waits for now, or how it ended.
        hears: what the page looks again for.
        asking: what it asks people; None: nothing.
        settled: what it asked before, and what was answered.
        input: what was asked.
        output: what came of it; None: nothing has.
        detail: of the error; None: there is none.
        attempts: each with the reason for its end.
        artifacts: files that it made.
        timeline: of all tasks that belong together.
        events: the newest.
        earlier: how many more events there are.
        further: how many are shown when more are asked for; 0: there are no more, or no more are shown.
        changes: who looks may cancel it, answer, and do it again.
    """

    task: TaskInfo
    times: Times
    note: str
    hears: str
    asking: Asking | None
    settled: Sequence[SettledRow]
    input: PayloadView
    output: PayloadView | None
    detail: PayloadView | None
    attempts: Sequence[AttemptRow]
    artifacts: Sequence[ArtifactRow]
    timeline: TimelineView
    events: Sequence[EventLine]
    earlier: int
    further: int
    changes: bool


@pages.page("GET", "/tasks/{task_id}", "task.html", in_turn=True)
async def task(
    task_id: str,
    application: Application,
    who: Principal,
    events: Annotated[int, Field(ge=1, le=ALL_EVENTS)] = MOST_EVENTS,
) -> TaskView:
    """Show a task with its trace."""
    found = await tasks.show(who, application, task_id)
    trace = await traces.show(who, application, task_id)
    lines, after = await _lines(who, application, found, events)
    return task_view(
        found,
        trace,
        lines,
        datetime.fromtimestamp(application.now(), UTC),
        earlier=after,
        changes=may(who, Right.WRITE_TASKS),
    )


async def _lines(who: Principal, application: Application, found: TaskInfo, wanted: int) -> tuple[list[EventLine], int]:
    """Return the newest events of a task, as they are shown, and how many are before them.

    They are read a megabyte at a time; of very long ones no more than usual are shown, however many are wanted.
    """
    after = more = max(0, found.last_seq - wanted)
    most = characters(wanted)
    lines: list[EventLine] = []
    for _ in range(_MOST_PAGES):
        events, next_ = await tasks.page(who, application, found.id, more)
        lines += event_lines([event_info(event) for event in events], found.created_at, most)
        if next_ is None or len(lines) >= ALL_EVENTS:
            return lines, after
        more = next_
    return await _lines(who, application, found, MOST_EVENTS) if wanted > MOST_EVENTS else (lines, after)


def task_view(
    found: TaskInfo, trace: TraceInfo, events: Sequence[EventLine], now: datetime, *, earlier: int, changes: bool
) -> TaskView:
    """Return what is seen of a task at a moment; `earlier` is how many events there are before these."""
    shown = max(0, found.last_seq - earlier)
    here = next(one for one in trace.tasks if one.task.id == found.id)
    error = found.error
    return TaskView(
        task=found,
        times=times(here, now),
        note=_note(found),
        hears=_hears(found.id, trace),
        asking=asking(found.question) if found.question and not found.done else None,
        settled=settled(found.questions),
        input=payload(bytes(found.input)),
        output=None if found.output is None else payload(bytes(found.output)),
        detail=None if error is None or bytes(error.detail) == b"null" else payload(bytes(error.detail)),
        attempts=attempt_rows(here, now),
        artifacts=artifact_rows(
            found.id, None if found.output is None else bytes(found.output), here.steps, here.attempts
        ),
        timeline=timeline(trace, found.id, now),
        events=events,
        earlier=earlier,
        further=min(5 * shown, ALL_EVENTS) if earlier and shown < ALL_EVENTS else 0,
        changes=changes,
    )


def _note(found: TaskInfo) -> str:
    if found.error is not None:
        return visible(found.error.message[:_MOST_MESSAGE], lines=True)
    at = "first attempt" if found.attempt == 1 else f"attempt {found.attempt}"
    note = found.note or {"completed": f"done, at its {at}", "working": "runs"}.get(found.state, "")
    return visible(note[:1].upper() + note[1:], lines=True)


def _hears(task_id: str, trace: TraceInfo) -> str:
    goes_on = [one.task.id for one in trace.tasks if not one.task.done and one.task.id != task_id]
    return " ".join(f"task:{one}" for one in (task_id, *goes_on[:_MOST_HEARD]))


@pages.at("GET", "/tasks/{task_id}/files/{number}", listed=False)
async def file(task_id: str, number: str, application: Application, who: Principal) -> Response:
    """Send a file that is part of a task's output to be saved, whatever it says of itself."""
    found = await tasks.show(who, application, task_id)
    files = output_files(None if found.output is None else bytes(found.output))
    wanted = next((one for place, one in enumerate(files, 1) if str(place) == number), None)
    content = None if wanted is None else content_of(wanted)
    if wanted is None or content is None:
        raise NotFound("the output of this task has no such file", code="file_not_found")
    named = ("content-disposition", attachment(wanted.name))
    return Response(HTTPStatus.OK, (*_OF_FILE, named), content)


@pages.at("POST", "/tasks/{task_id}/cancel", listed=False)
async def cancel(task_id: str, application: Application, who: Principal) -> Response:
    """Cancel a task and what it called, and show what becomes of it."""
    await tasks.cancel(who, application, task_id, f"canceled by {who.user.name}")
    return see_other(f"/tasks/{task_id}")


@pages.at("POST", "/tasks/{task_id}/retry", listed=False)
async def retry(task_id: str, application: Application, who: Principal) -> Response:
    """Do again what an ended task asked for, and show the new one."""
    made = await tasks.retry(who, application, task_id)
    return see_other(f"/tasks/{made.id}")


class SaidAnswer(msgspec.Struct, frozen=True):
    """What a person says to a question: `text` as it is, or `json`."""

    question: Annotated[int, Meta(ge=1, le=1_000)]
    text: str | None = None
    json: str | None = None


@pages.at("POST", "/tasks/{task_id}/answer", listed=False, form=True)
async def answer(task_id: str, said: SaidAnswer, application: Application, who: Principal) -> Response:
    """Answer a question of a task, and show how it goes on."""
    await tasks.standing(who, application, task_id)
    await tasks.answer(who, application, task_id, answered_with(said.text, said.json), said.question)
    return see_other(f"/tasks/{task_id}")
