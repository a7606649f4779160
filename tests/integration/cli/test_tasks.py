from __future__ import annotations

import json

import pytest

from tests.integration.cli.platform_server import Platform, atlas, complained, event, printed

FAULT = {"code": "handler_error", "message": "boom"}


def test_tasks_are_listed(platform: Platform) -> None:
    platform.task = {"state": "failed", "error": FAULT}
    lines = printed(atlas("tasks", "list", "--agent", "hello", "--state", "failed", "--limit", "1")).splitlines()
    assert lines[1].split()[:4] == ["t1", "ada/hello", "greet", "failed"]
    assert lines[1].split()[-3:] == ["1.9", "s", "handler_error"]
    assert platform.server.asked[0].query == {"agent": "hello", "state": "failed", "limit": "1"}
    assert json.loads(printed(atlas("tasks", "list", "--json")))["items"][0]["error"]["code"] == "handler_error"


def test_a_task_is_shown_with_input_and_output(platform: Platform) -> None:
    shown = printed(atlas("tasks", "show", "t1"))
    assert '{"name":"Ada"}' in shown
    assert '"Hello, Ada!"' in shown
    assert json.loads(printed(atlas("tasks", "show", "t1", "--json")))["state"] == "completed"


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ({"state": "working"}, "Task t1 is asked to stop."),
        ({"state": "canceled"}, "Task t1 is cancelled."),
        ({"state": "completed"}, "Task t1 was completed already."),
    ],
)
def test_cancel_says_what_became_of_it(platform: Platform, task: dict[str, str], sentence: str) -> None:
    platform.task = dict(task)
    assert printed(atlas("tasks", "cancel", "t1", "--reason", "wrong file")).strip() == sentence
    assert platform.server.asked[0].body == {"reason": "wrong file"}


def test_retry_prints_the_new_task(platform: Platform) -> None:
    assert printed(atlas("tasks", "retry", "t1")) == "t2\n"
    assert json.loads(printed(atlas("tasks", "retry", "t1", "--json")))["retry_of"] == "t1"


def test_watch_prints_events_until_the_end(platform: Platform) -> None:
    platform.stream = event(1, "progress", fraction=0.5) + event(2, "state", state="completed")
    lines = printed(atlas("tasks", "watch", "t1")).splitlines()
    assert [line.split()[1:] for line in lines] == [["progress", "50%"], ["state", "completed"]]
    told = [json.loads(line) for line in printed(atlas("tasks", "watch", "t1", "--json")).splitlines()]
    assert [event["seq"] for event in told] == [1, 2]


def test_watch_fails_when_the_task_does(platform: Platform) -> None:
    platform.task = {"state": "failed", "error": FAULT}
    platform.stream = event(1, "state", state="failed", code="handler_error")
    result = atlas("tasks", "watch", "t1")
    assert result.exit_code == 1
    assert result.stderr.strip() == "the task ended failed (handler_error): boom"


def test_an_id_that_is_none_is_told(platform: Platform) -> None:
    assert complained(atlas("tasks", "show", "..")) == "an id or a name is empty, too long, or not one"
