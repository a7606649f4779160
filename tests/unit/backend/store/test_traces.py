"""A trace takes no more room than what is told of it, whatever its tasks reported and however many events they have."""

from __future__ import annotations

from functools import partial
from secrets import token_bytes

import pytest

from agentic_atlas.auth.sealing import SEALING_KEY_BYTES, Seal
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import Task, TaskEventKind
from agentic_atlas.backend.store import traces
from agentic_atlas.backend.store.database import open_store
from tests.conformance.store.samples import NOW, Numbered, claimed, submitted


def artifact(n: int, task: Task) -> lifecycle.Change | None:
    return lifecycle.report(task, 1, n, TaskEventKind.ARTIFACT, b'"%b"' % (b"x" * 1_000), NOW + n)


@pytest.mark.anyio
async def test_of_a_trace_of_many_events_few_are_told_of_each_further_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "MANY", 30)
    async with open_store(
        None, clock=lambda: NOW, ids=Numbered(), seal=Seal(bytes(SEALING_KEY_BYTES), token_bytes)
    ) as store:
        lasts = [(f"task_{number:08}", 32) for number in (1, 2, 3)]
        for number, (task_id, _) in enumerate(lasts, 1):
            await store.tasks.add(submitted(number))
            await store.tasks.change(task_id, claimed)
            for n in range(1, 31):
                await store.tasks.change(task_id, partial(artifact, n))
        found = await store.traces.steps(lasts, cuts_of="task_00000003")
        told = {task_id: [one.seq for one in found if one.task_id == task_id] for task_id, _ in lasts}
        assert told == {
            "task_00000001": [*range(1, 33)],
            "task_00000002": [*range(1, 11), *range(23, 33)],
            "task_00000003": [*range(1, 33)],
        }
        others = [one for one in found if one.task_id != "task_00000003" and one.kind is TaskEventKind.ARTIFACT]
        assert sum(len(one.data) for one in others) == 2 * 48
