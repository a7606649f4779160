from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentic_atlas.sdk import environment
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import AT, Platform, event
from tests.integration.client.client_server import KEY, error

FAULT = {"code": "handler_error", "message": "boom"}


def test_tasks_are_listed(platform: Platform) -> None:
    platform.task = {"state": "failed", "error": FAULT}
    lines = printed(atlas("tasks", "list", "--agent", "hello", "--state", "failed", "--limit", "1")).splitlines()
    assert lines[1].split()[:4] == ["t1", "ada/hello", "greet", "failed"]
    assert lines[1].split()[-3:] == ["1.88", "s", "handler_error"]
    assert platform.server.asked[0].query == {"agent": "hello", "state": "failed", "limit": "1"}
    assert json.loads(printed(atlas("tasks", "list", "--json")))["items"][0]["error"]["code"] == "handler_error"


ONE, TWO = "tsk_01m8nc7znd88vky2p2n95413x8", "tsk_01m8nc7znd99vky2p2n95413x8"


def test_lists_go_on_where_they_ended(platform: Platform) -> None:
    platform.ids = [f"t{number:03}" for number in range(250)]
    first = atlas("tasks", "list", "--limit", "2")
    assert [line.split()[0] for line in printed(first).splitlines()] == ["TASK", "t000", "t001"]
    assert first.stderr == "There are older ones: --all, or --cursor 2\n"
    told = json.loads(printed(atlas("tasks", "list", "--limit", "2", "--cursor", "2", "--json")))
    assert ([task["id"] for task in told["items"]], told["next"]) == (["t002", "t003"], "4")
    assert len(printed(atlas("tasks", "list", "--all")).splitlines()) == 251
    assert json.loads(printed(atlas("tasks", "list", "--all", "--json")))["next"] is None


def test_a_list_is_narrowed(platform: Platform) -> None:
    words = ("--skill", "greet", "--state", "failed", "--state", "canceled", "--since", "2026-11-22T00:00:00Z")
    words += ("--until", "2026-11-23T00:00:00Z", "--caller", "ada/laptop", "--error", "timeout")
    printed(atlas("tasks", "list", *words))
    asked = platform.server.asked[-1].query
    assert (asked["skill"], asked["since"]) == ("greet", "2026-11-22T00:00:00+00:00")
    assert (asked["until"], asked["caller"], asked["error"]) == ("2026-11-23T00:00:00+00:00", "ada/laptop", "timeout")
    assert "`soon` is no time" in complained(atlas("tasks", "list", "--since", "soon"), 2)


def test_on_a_terminal_a_task_is_one_line_with_the_beginning_of_its_id(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.ids = [ONE, TWO]
    platform.task = {"state": "failed", "error": FAULT, "agent": "administrator/document-search", "skill": "search"}
    for columns in (80, 60):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = printed(atlas("tasks", "list", screen=True)).splitlines()
        assert len(lines) == 3
        assert max(map(len, lines)) <= columns
        assert [line.split()[0] for line in lines[1:]] == [ONE[:16], TWO[:16]]


def test_on_a_terminal_agents_of_ones_own_are_listed_without_their_owner(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.remember(platform.server.url, KEY, user="ada")
    platform.task = {"state": "completed"}
    assert "  hello  greet" in printed(atlas("tasks", "list", screen=True))
    assert "  ada/hello  greet" in printed(atlas("tasks", "list"))
    monkeypatch.setenv("ATLAS_API_KEY", "atlas_of_somebody_else")
    assert "  ada/hello  greet" in printed(atlas("tasks", "list", screen=True))


@pytest.mark.parametrize("command", ["show", "cancel", "watch", "retry"])
def test_the_beginning_of_an_id_will_do(platform: Platform, command: str) -> None:
    platform.ids = [ONE, TWO]
    assert atlas("tasks", command, ONE[:16]).exit_code == 0
    assert any(asked.path.startswith(f"/api/v1/tasks/{ONE}") for asked in platform.server.asked)


def test_a_beginning_of_several_ids_is_told_with_them(platform: Platform) -> None:
    platform.ids = [ONE, TWO]
    assert (
        complained(atlas("tasks", "show", "tsk_01m8"), 2) == f"tsk_01m8 begins the ids of several tasks: {ONE}, {TWO}"
    )
    assert complained(atlas("tasks", "show", "tsk_zz")) == (
        "there is no task whose id begins with tsk_zz; `atlas tasks list` shows their ids"
    )


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
        ({"state": "completed"}, "Task t1 has completed already."),
        ({"state": "rejected"}, "Task t1 was rejected already."),
    ],
)
def test_cancel_says_what_became_of_it(platform: Platform, task: dict[str, str], sentence: str) -> None:
    platform.task = dict(task)
    assert printed(atlas("tasks", "cancel", "t1", "--reason", "wrong file")).strip() == sentence
    assert platform.server.asked[0].body == {"reason": "wrong file"}


@pytest.mark.parametrize(
    ("state", "says"),
    [("failed", "it has failed"), ("canceled", "it was cancelled"), ("working", "it is working")],
)
def test_an_answer_that_nobody_waits_for_says_how_the_task_stands(platform: Platform, state: str, says: str) -> None:
    platform.task = {"state": state}
    assert f"no question of task t1 is open; {says}" in complained(atlas("tasks", "answer", "t1", "12"))


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
    assert result.stderr.strip() == "the task t1 ended failed (handler_error): boom"


def test_an_id_that_is_none_is_told(platform: Platform) -> None:
    assert complained(atlas("tasks", "show", ".."), 2) == "'..' is no id or name: give 1 to 256 characters, not . or .."


OPEN = {"number": 2, "question": "How many?", "state": "open", "schema": {"type": "integer"}, "asked_at": AT}
ASKING = {
    "state": "input_required",
    "questions": [
        {"number": 1, "question": "Colour?", "state": "answered", "answer": "red", "answered_by": "ada/laptop"},
        OPEN,
        {"number": 3, "question": "Sure?", "state": "expired"},
    ],
}


def test_a_task_is_shown_with_its_questions(platform: Platform) -> None:
    platform.task = dict(ASKING)
    shown = printed(atlas("tasks", "show", "t1"))
    assert 'Colour? → "red" (ada/laptop)' in shown
    assert "How many? (a whole number) → open" in shown
    assert "Sure? → nobody answered in time" in shown


def test_an_answer_is_read_as_the_question_says(platform: Platform) -> None:
    platform.task = dict(ASKING)
    assert printed(atlas("tasks", "answer", "t1", "12")) == "Answered. Task t1 is working.\n"
    assert platform.server.asked[-1].path == "/api/v1/tasks/t1/input"
    assert platform.server.asked[-1].body == {"answer": 12, "question": 2}


@pytest.mark.parametrize("source", ['{"a": 1}', "@answer.json", "-"])
def test_an_answer_is_given_as_json_on_the_line_in_a_file_or_on_stdin(
    platform: Platform, at_home: Path, source: str
) -> None:
    platform.task = dict(ASKING)
    (at_home / "answer.json").write_text('{"a": 1}')
    shown = printed(atlas("tasks", "answer", "t1", "--input", source, "--question", "2", "--json", input='{"a": 1}'))
    assert json.loads(shown)["state"] == "working"
    assert platform.server.asked[-1].body == {"answer": {"a": 1}, "question": 2}


def test_an_answer_that_is_refused_is_told(platform: Platform) -> None:
    platform.task = dict(ASKING)
    assert complained(atlas("tasks", "answer", "t1", "many"), 2) == "the answer has to be a whole number; `many` is not"
    platform.answers = error(422, "invalid_input", "the answer does not fit question 2: too small")
    assert "does not fit question 2" in complained(atlas("tasks", "answer", "t1", "1"), 2)


@pytest.mark.parametrize("question", [[], ["--question", "1"]])
def test_there_has_to_be_a_question_that_is_open(platform: Platform, question: list[str]) -> None:
    if not question:
        platform.task = {"state": "working"}
    else:
        platform.task = dict(ASKING)
    assert "of task t1 is open" in complained(atlas("tasks", "answer", "t1", "x", *question))


def test_without_a_terminal_the_answer_has_to_be_given(platform: Platform) -> None:
    platform.task = dict(ASKING)
    assert "give VALUE or --input" in complained(atlas("tasks", "answer", "t1"), code=2)
    assert "exclude each other" in complained(atlas("tasks", "answer", "t1", "1", "--input", "1"), code=2)


def test_a_value_that_would_fill_the_screen_is_cut_for_people_and_whole_for_programs(platform: Platform) -> None:
    platform.task = {"state": "completed", "output": "x" * 20_000}
    shown = printed(atlas("tasks", "show", "t1"))
    assert "… (20002 characters; --json has all)" in shown
    assert len(shown) < 11_000
    assert json.loads(printed(atlas("tasks", "show", "t1", "--json")))["output"] == "x" * 20_000
