"""What becomes of the attempts of processes that have ended, when the next one with their token arrives.

The newcomer says which processes have ended for certain, and which results they left. Whose attempts those are is for
the store to say: a process of another token is none of the newcomer's business.
"""

from collections.abc import Sequence
from functools import partial

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.messages import Predecessor, RunningAttempt
from agentic_atlas.protocol.tasks import Loss


async def succeed(
    engine: Engine, heir: InstanceRef, token_id: str, predecessors: Sequence[Predecessor]
) -> tuple[RunningAttempt, ...]:
    """Hand the attempts whose results are here to the heir, and lose the others at once; return the lost ones.

    Doing it again changes nothing more, so a `hello` that got no `welcome` may be repeated.
    """
    results = {(one.task, one.attempt) for predecessor in predecessors for one in predecessor.results}
    named = {predecessor.instance for predecessor in predecessors} - {heir.instance_id}
    ended = await engine.store.agents.departed(heir.agent_id, token_id, sorted(named)) if named else []
    left = await engine.store.tasks.held_by(*ended) if ended else []
    now = engine.clock()
    changes = {
        task.id: engine.dispatcher.apply(
            task.id,
            partial(_inherit, was=task, heir=heir.instance_id, now=now)
            if (task.id, task.attempt) in results
            else partial(_lose, was=task, now=now),
        )
        for task in left
    }
    changed = {task_id: (await change).changed for task_id, change in changes.items()}
    return tuple(
        RunningAttempt(task.id, task.attempt)
        for task in left
        if changed[task.id] and (task.id, task.attempt) not in results
    )


def _inherit(task: Task, *, was: Task, heir: str, now: float) -> Change | None:
    return lifecycle.inherit(task, was.attempt, was.instance_id or "", heir, now)


def _lose(task: Task, *, was: Task, now: float) -> Change | None:
    return lifecycle.lose(task, was.attempt, now, Loss.ENDED) if task.instance_id == was.instance_id else None
