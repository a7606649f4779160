"""What somebody looks for in the list of tasks, as what the store is asked."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.platform.pages.tasks import SoughtTasks, sought
from agentic_atlas.protocol.tasks import TaskState


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, TaskFilter()),
        ({"skill": " ", "error": "", "prefix": " "}, TaskFilter()),
        ({"state": "failed"}, TaskFilter(states=(TaskState.FAILED,))),
        ({"state": "open"}, TaskFilter(states=(TaskState.SUBMITTED, TaskState.WORKING, TaskState.INPUT_REQUIRED))),
        ({"state": "unheard of", "period": "unheard of"}, TaskFilter()),
        ({"period": "hour"}, TaskFilter(since=400.0)),
        ({"skill": " plan ", "error": "agent_lost"}, TaskFilter(skill="plan", error="agent_lost")),
        ({"prefix": "tsk_1", "trace": "0" * 32, "parent": "tsk_0"},
         TaskFilter(prefix="tsk_1", trace_id="0" * 32, parent_id="tsk_0")),
    ],
)  # fmt: skip
def test_what_is_looked_for_narrows_and_what_is_empty_does_not(wanted: dict[str, str], found: TaskFilter) -> None:
    assert sought(SoughtTasks(**wanted), 4_000.0) == found
