"""What is asked of tasks and shown of them: one declaration, for everybody who says or reads it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from agentic_atlas.backend.domain.records import Role
from agentic_atlas.protocol.caller.people import RoleName
from agentic_atlas.protocol.caller.tasks import EventInfo, SubmitRequest, TaskInfo, TaskOptions, TaskSummary
from agentic_atlas.protocol.caller.values import Asked, Shown
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.tasks import TERMINAL, TaskState
from agentic_atlas.sdk.client.asynchronous import AsyncTasks
from agentic_atlas.sdk.client.task import TaskRequest
from agentic_atlas.testing import AsyncCaller
from tests.shown import filled


@pytest.mark.parametrize("submit", [AsyncTasks.submit, AsyncCaller.submit])
def test_every_option_of_a_task_can_be_given_to_submit(submit: Callable[..., object]) -> None:
    given = {
        name: parameter.default
        for name, parameter in inspect.signature(submit).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert given == {field.name: field.default for field in msgspec.structs.fields(TaskOptions)}


def test_what_is_left_out_is_not_sent_and_means_what_it_says() -> None:
    assert msgspec.json.encode(SubmitRequest("a", "b")) == b'{"agent":"a","skill":"b","input":{}}'
    assert msgspec.json.decode(b'{"agent":"a","skill":"b"}', type=SubmitRequest).priority == 0


def subclasses(kind: type) -> set[type]:
    return {one for below in kind.__subclasses__() for one in {below, *subclasses(below)}}


def test_what_is_asked_has_no_field_that_nobody_knows_and_what_is_shown_may_have_some() -> None:
    for kind in subclasses(Asked) - {TaskRequest}:
        if kind.__module__.startswith("agentic_atlas"):
            assert kind.__struct_config__.forbid_unknown_fields, kind  # type: ignore[attr-defined]
    for kind in subclasses(Shown):
        assert not kind.__struct_config__.forbid_unknown_fields, kind  # type: ignore[attr-defined]


def test_a_newer_server_may_show_more_and_other_words() -> None:
    shown = msgspec.to_builtins(filled(TaskInfo)) | {"state": "paused", "delivery": "twice", "new": 1}
    assert msgspec.convert(shown, TaskInfo).state == "paused"


def test_the_words_that_are_told_are_those_that_there_are() -> None:
    properties = msgspec.json.schema_components([TaskSummary])[1]["TaskSummary"]["properties"]
    assert properties["state"]["enum"] == [state.value for state in TaskState]
    assert properties["delivery"]["enum"] == [delivery.value for delivery in Delivery]
    literal = get_type_hints(TaskOptions)["delivery"]
    assert {word for part in get_args(literal) for word in get_args(part)} == {*map(str, Delivery)}
    assert set(get_args(RoleName)) == set(Role)


@pytest.mark.parametrize("state", TaskState)
def test_a_task_is_done_when_its_state_is_final_and_has_failed_unless_it_completed(state: TaskState) -> None:
    task = filled(TaskSummary, id="t1", state=state)
    assert task.done == (state in TERMINAL)
    assert (task.failure is not None) == (state in TERMINAL - {TaskState.COMPLETED})


@pytest.mark.parametrize(
    ("kind", "data", "ends"),
    [
        ("state", {"state": "failed"}, True),
        ("state", {"state": "working"}, False),
        ("chunk", {"state": "failed"}, False),
    ],
)
def test_the_last_event_of_a_task_says_so(kind: str, data: Any, ends: bool) -> None:
    event = EventInfo(seq=1, at=datetime(2026, 1, 1, tzinfo=UTC), kind=kind, attempt=1, data=data)
    assert event.ends is ends
