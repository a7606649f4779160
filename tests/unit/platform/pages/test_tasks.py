"""What somebody looks for in the list of tasks, as what the store is asked."""

from __future__ import annotations

import pytest

from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.errors import InvalidInput
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
        ({"since": "1970-01-01T00:10", "until": "1970-01-01T02:00+01:00"}, TaskFilter(since=600.0, until=3_600.0)),
        ({"period": "hour", "since": "1970-01-01T00:10:00Z"}, TaskFilter(since=600.0)),
        ({"skill": " plan ", "error": "agent_lost"}, TaskFilter(skill="plan", error="agent_lost")),
        ({"prefix": "tsk_1", "trace": "0" * 32, "parent": "tsk_0"},
         TaskFilter(prefix="tsk_1", trace_id="0" * 32, parent_id="tsk_0")),
    ],
)  # fmt: skip
def test_what_is_looked_for_narrows_and_what_is_empty_does_not(wanted: dict[str, str], found: TaskFilter) -> None:
    assert sought(SoughtTasks(**wanted), 4_000.0) == found


@pytest.mark.parametrize(
    "wanted",
    [
        {"since": "yesterday"},
        {"until": "9999-12-31T23:59-14:00"},
        {"since": "1970-01-02T00:00", "until": "1970-01-01T00:00"},
    ],
)
def test_a_time_that_is_none_is_told_and_looks_for_nothing(wanted: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        sought(SoughtTasks(**wanted), 4_000.0)
