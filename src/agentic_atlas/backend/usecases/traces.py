"""The trace of a task: what it called and what called it, over all agents, as far as one sees it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from agentic_atlas.backend.domain.attempts import AttemptRecord, CutRecord, attempts
from agentic_atlas.backend.domain.records import AccessLevel, TaskEvent, TaskEventKind
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Summary, TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import maybe, moment, task_summary
from agentic_atlas.protocol.caller.traces import ArtifactInfo, TraceAttempt, TraceCut, TraceInfo, TraceStep, TraceTask
from agentic_atlas.protocol.caller.values import ErrorInfo

MOST_TASKS: Final = 1_000
"""Tasks of a trace that are shown."""

_MOST_HOSTS: Final = 20
_OF_ATTEMPTS: Final = (TaskEventKind.STATE, TaskEventKind.CONNECTION)


@use_case
async def show(who: Principal, engine: Engine, task_id: str) -> TraceInfo:
    """Return all tasks of a task's trace that are seen, with what became of each.

    Raises NotFound (`task_not_found`).
    """
    asked = await engine.access.standing(who.visible, task_id)
    trace_id = asked.task.trace_id
    found, more = await engine.store.tasks.find(TaskFilter(who.visible, trace_id=trace_id), limit=MOST_TASKS)
    known = {one.task.id: one for one in (*found, asked)}
    events: defaultdict[str, list[TaskEvent]] = defaultdict(list)
    lasts = [(one.task.id, one.task.last_seq) for one in known.values()]
    for event in await engine.store.traces.steps(lasts, cuts_of=task_id):
        events[event.task_id].append(event)
    hosts = await _hosts(who, engine, {one.task.agent_id: None for one in known.values()})
    tasks = [
        TraceTask(
            task=task_summary(one),
            depth=depth,
            attempts=[_attempt(attempt, hosts) for attempt in attempts(events[one.task.id])],
            steps=[_step(event) for event in events[one.task.id] if event.kind not in _OF_ATTEMPTS],
        )
        for one, depth in _in_order(known)
    ]
    return TraceInfo(trace_id=trace_id, tasks=tasks, more=more is not None)


def _in_order(known: Mapping[str, Summary]) -> Iterator[tuple[Summary, int]]:
    """Return tasks behind the one that called them, with how many there are above; ids sort by their making."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    for task_id in sorted(known, reverse=True):
        parent = known[task_id].task.parent_id or ""
        children[parent if parent in known else ""].append(task_id)
    waiting = [(task_id, 0) for task_id in children[""]]
    while waiting:
        task_id, depth = waiting.pop()
        yield known[task_id], depth
        waiting += [(child, depth + 1) for child in children[task_id]]


async def _hosts(who: Principal, engine: Engine, agent_ids: Mapping[str, None]) -> dict[str, str]:
    """Return where instances ran that are remembered, of as many agents as are asked about, and that they manage."""
    found: dict[str, str] = {}
    for agent_id in list(agent_ids)[:_MOST_HOSTS]:
        agent = await engine.store.agents.get(agent_id)
        if agent is not None and who.visible.may(agent, AccessLevel.MANAGE):
            found |= {one.id: one.host for one in await engine.store.agents.instances(agent_id)}
    return found


def _attempt(attempt: AttemptRecord, hosts: Mapping[str, str]) -> TraceAttempt:
    end = attempt.end
    return TraceAttempt(
        number=attempt.number,
        instance_id=attempt.instance_id,
        host=hosts.get(attempt.instance_id, ""),
        began_at=moment(attempt.began_at),
        accepted_at=maybe(attempt.accepted_at),
        ended_at=maybe(attempt.ended_at),
        end=None if end is None else end.state.value,
        error=None if end is None or end.code is None else ErrorInfo(code=end.code, message=end.message or ""),
        returned=None if end is None or end.returned is None else end.returned.value,
        cuts=tuple(_cut(cut) for cut in attempt.cuts),
    )


def _cut(cut: CutRecord) -> TraceCut:
    return TraceCut(
        began_at=moment(cut.began_at),
        ended_at=maybe(cut.ended_at),
        resumed=cut.resumed,
        why=None if cut.why is None else cut.why.value,
    )


def _step(event: TaskEvent) -> TraceStep:
    artifact = _artifact(event.data) if event.kind is TaskEventKind.ARTIFACT else None
    return TraceStep(
        seq=event.seq, at=moment(event.at), kind=event.kind.value, attempt=event.attempt, artifact=artifact
    )


def _artifact(data: bytes) -> ArtifactInfo | None:
    """Return what an agent told of a file; None where it did so in its own way."""
    try:
        return msgspec.json.decode(data, type=ArtifactInfo)
    except msgspec.MsgspecError:
        return None
