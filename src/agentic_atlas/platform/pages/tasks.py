"""Tasks: what was asked of agents, and what came of it."""

from collections.abc import Sequence

from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import tasks
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import task_summary
from agentic_atlas.http.routes import After
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.page import PageGroup, View
from agentic_atlas.protocol.caller.tasks import TaskSummary

pages = PageGroup("tasks")

IN_PAGE = 50
"""Tasks in one page of the list."""


class TasksView(View, frozen=True):
    """Part of the list of tasks, newest first.

    Attributes:
        tasks: those that somebody sees.
        after: the cursor of this part; empty: it is the newest.
        next: the cursor of the part that follows; empty: there is none.
    """

    tasks: Sequence[TaskSummary]
    after: str
    next: str


@pages.page("GET", "/tasks", "tasks.html")
async def tasks_list(application: Application, who: Principal, turns: Turns, after: After = None) -> TasksView:
    """List tasks, newest first."""
    async with turns.turn(who.user.id):
        found, more = await tasks.find(who, application, TaskFilter(), limit=IN_PAGE, after=after)
    return TasksView(tasks=[task_summary(one) for one in found], after=after or "", next=more or "")
