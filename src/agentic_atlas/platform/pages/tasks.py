"""Tasks: what was asked of agents, and what came of it, narrowed by what somebody looks for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, Field

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.ports import Summary, TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import tasks
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import task_summary
from agentic_atlas.errors import InvalidInput, NotFound
from agentic_atlas.http.routes import After
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.forms.times import instant
from agentic_atlas.platform.page import PageGroup, View
from agentic_atlas.platform.wording import duration
from agentic_atlas.protocol.caller.tasks import TaskSummary
from agentic_atlas.protocol.tasks import TERMINAL, TaskState

pages = PageGroup("tasks")

IN_PAGE = 50
"""Tasks in one page of the list."""

_OPEN: Final = "open"
_STATES: Final[Mapping[str, str]] = {"": "Any", _OPEN: "Not ended"} | {
    state.value: state.value.replace("_", " ").capitalize() for state in TaskState
}
_PERIODS: Final[Mapping[str, tuple[str, float]]] = {
    "": ("Any time", 0.0),
    "hour": ("Last hour", 3_600.0),
    "day": ("Last 24 hours", 86_400.0),
    "week": ("Last 7 days", 604_800.0),
    "month": ("Last 30 days", 2_592_000.0),
}


class SoughtTasks(BaseModel):
    """What somebody looks for; what is empty narrows nothing."""

    agent: Annotated[str, Field(max_length=129)] = ""
    skill: Annotated[str, Field(max_length=64)] = ""
    state: Annotated[str, Field(max_length=20)] = ""
    caller: Annotated[str, Field(max_length=129)] = ""
    error: Annotated[str, Field(max_length=64)] = ""
    period: Annotated[str, Field(max_length=10)] = ""
    since: Annotated[str, Field(max_length=40)] = ""
    until: Annotated[str, Field(max_length=40)] = ""
    prefix: Annotated[str, Field(max_length=64)] = ""
    trace: Annotated[str, Field(max_length=32)] = ""
    parent: Annotated[str, Field(max_length=64)] = ""


class SearchOption(View, frozen=True):
    """One of a few things that may be looked for.

    Attributes:
        value: as the query has it.
        label: for people.
        chosen: it is looked for.
    """

    value: str
    label: str
    chosen: bool


class TaskRow(View, frozen=True):
    """One task of the list.

    Attributes:
        task: it.
        took: from its making to its end, or until now.
    """

    task: TaskSummary
    took: str


class TasksView(View, frozen=True):
    """Part of the list of tasks, newest first.

    Attributes:
        rows: those that somebody sees.
        sought: what is looked for, by the names of the query.
        narrowed: something is.
        states: that may be looked for.
        periods: likewise.
        hears: what the list looks again for.
        since: from when on tasks are looked for; None: from the first.
        until: and until when; None: to the last.
        fault: why nothing can be found of this agent or who asked for it; empty: it can.
        no_time: why nothing can be found between these times; likewise.
        after: the cursor of this part; empty: it is the newest.
        next: the cursor of the part that follows; empty: there is none.
    """

    rows: Sequence[TaskRow]
    sought: Mapping[str, str]
    narrowed: bool
    states: Sequence[SearchOption]
    periods: Sequence[SearchOption]
    hears: str
    since: datetime | None
    until: datetime | None
    fault: str
    no_time: str
    after: str
    next: str


@pages.page("GET", "/tasks", "tasks.html")
async def tasks_list(
    application: Application, who: Principal, turns: Turns, wanted: SoughtTasks, after: After = None
) -> TasksView:
    """List tasks, newest first."""
    now = application.now()
    fault = no_time = ""
    found: Sequence[Summary] = ()
    more = None
    async with turns.turn(who.user.id):
        try:
            found, more = await tasks.find(
                who,
                application,
                sought(wanted, now),
                agent=wanted.agent.strip() or None,
                caller=wanted.caller.strip() or None,
                limit=IN_PAGE,
                after=after or None,
            )
        except NotFound as error:
            fault = error.message
        except InvalidInput as error:
            no_time = error.message
    said = {name: value for name, value in wanted.model_dump().items() if value}
    return TasksView(
        rows=[_row(one, now) for one in found],
        sought=SoughtTasks().model_dump() | said,
        narrowed=bool(said),
        states=[SearchOption(value=one, label=told, chosen=one == wanted.state) for one, told in _STATES.items()],
        periods=[
            SearchOption(value=one, label=told, chosen=one == wanted.period) for one, (told, _) in _PERIODS.items()
        ],
        hears=f"tasks:{wanted.agent.strip()}" if "/" in wanted.agent else "tasks",
        since=None if no_time else instant(wanted.since),
        until=None if no_time else instant(wanted.until),
        fault=fault,
        no_time=no_time,
        after=after or "",
        next=more or "",
    )


def sought(wanted: SoughtTasks, now: float) -> TaskFilter:
    """Return what is looked for, but for the names of agents and callers; what nobody knows narrows nothing.

    A time of day says more than a period. Raises InvalidInput for one that is none.
    """
    _, seconds = _PERIODS.get(wanted.period, _PERIODS[""])
    since, until = instant(wanted.since), instant(wanted.until)
    if since is not None and until is not None and until < since:
        raise InvalidInput("the end is before the beginning")
    return TaskFilter(
        states=_states(wanted.state),
        skill=wanted.skill.strip() or None,
        error=wanted.error.strip() or None,
        prefix=wanted.prefix.strip() or None,
        trace_id=wanted.trace or None,
        parent_id=wanted.parent or None,
        since=since.timestamp() if since is not None else now - seconds if seconds else None,
        until=None if until is None else until.timestamp(),
    )


def _states(wanted: str) -> tuple[TaskState, ...]:
    if wanted == _OPEN:
        return tuple(state for state in TaskState if state not in TERMINAL)
    return (TaskState(wanted),) if wanted in _STATES and wanted else ()


def _row(summary: Summary, now: float) -> TaskRow:
    return TaskRow(task=task_summary(summary), took=_took(summary.task, now))


def _took(task: Task, now: float) -> str:
    return duration((task.ended_at or now) - task.created_at)
