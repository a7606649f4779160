"""Two tasks beside each other: what differs in what was asked, in what came of it, and in how long it took."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import tasks, traces
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.page import PageGroup, View
from agentic_atlas.platform.task.attempts import Times, times
from agentic_atlas.platform.task.differences import DifferencesView, differences
from agentic_atlas.protocol.caller.tasks import TaskInfo

pages = PageGroup("tasks")


class ComparedTask(View, frozen=True):
    """One of the two.

    Attributes:
        task: as it is.
        times: how long it took, and what for.
    """

    task: TaskInfo
    times: Times


class ComparisonView(View, frozen=True):
    """Two tasks.

    Attributes:
        this: the one that somebody came from.
        other: the one that it is compared with; None: it is not said yet, and it repeats none.
        input: where their inputs differ.
        output: where their outputs differ.
    """

    this: ComparedTask
    other: ComparedTask | None
    input: DifferencesView | None
    output: DifferencesView | None


@pages.page("GET", "/tasks/{task_id}/compare", "comparison.html")
async def compare(
    task_id: str,
    application: Application,
    who: Principal,
    turns: Turns,
    other: Annotated[str, Field(max_length=64)] = "",
) -> ComparisonView:
    """Compare a task with another one: the one that it repeats, unless another is said."""
    async with turns.turn(who.user.id):
        this = await _compared(who, application, task_id)
        with_id = other.strip() or this.task.retry_of
        if not with_id:
            return ComparisonView(this=this, other=None, input=None, output=None)
        second = await _compared(who, application, with_id)
        return ComparisonView(
            this=this,
            other=second,
            input=differences(bytes(second.task.input), bytes(this.task.input)),
            output=differences(_output(second.task), _output(this.task)),
        )


async def _compared(who: Principal, application: Application, task_id: str) -> ComparedTask:
    found = await tasks.show(who, application, task_id)
    trace = await traces.show(who, application, task_id)
    here = next(one for one in trace.tasks if one.task.id == task_id)
    return ComparedTask(task=found, times=times(here, datetime.fromtimestamp(application.now(), UTC)))


def _output(task: TaskInfo) -> bytes | None:
    return None if task.output is None else bytes(task.output)
