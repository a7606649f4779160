from __future__ import annotations

import json

import click
import pytest

from agentic_atlas.cli.errors import report
from agentic_atlas.errors import (
    AtlasError,
    ConfigurationError,
    Forbidden,
    InvalidInput,
    NotFound,
    TaskError,
    Unauthenticated,
)

CASES: list[tuple[Exception, int, str, str]] = [
    (NotFound("no agent", code="agent_not_found"), 1, "agent_not_found", "no agent"),
    (ConfigurationError("no key"), 2, "configuration", "no key"),
    (Unauthenticated("unknown key"), 1, "unauthenticated", "unknown key; check the API key: "),
    (Forbidden("not yours"), 1, "forbidden", "not yours; `atlas whoami` tells"),
    (TaskError("boom", code="handler_error"), 1, "handler_error", "the task ended failed (handler_error): boom"),
    (
        TaskError("boom", code="handler_error", task_id="tsk_1"),
        1,
        "handler_error",
        "the task tsk_1 ended failed (handler_error): boom",
    ),
    (FileNotFoundError(2, "No such file or directory", "x.json"), 1, "os_error", "x.json: No such file or directory"),
    (OSError("strange"), 1, "os_error", "strange"),
    (click.UsageError("too small"), 2, "usage", "too small"),
    (InvalidInput("too large"), 2, "invalid_input", "too large"),
    (click.Abort(), 1, "aborted", "stopped"),
    (KeyError("a bug"), 1, "internal", "this should not have happened (KeyError: 'a bug');"),
]


@pytest.mark.parametrize(
    ("error", "exit_code", "code", "sentence"), CASES, ids=[type(case[0]).__name__ for case in CASES]
)
def test_every_error_is_a_sentence_for_people_and_an_object_for_programs(
    error: Exception, exit_code: int, code: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(error, as_json=False) == exit_code
    assert capsys.readouterr().err.startswith(sentence)
    assert report(error, as_json=True) == exit_code
    shown = capsys.readouterr()
    assert shown.out == ""
    told = json.loads(shown.err)["error"]
    assert told.keys() == {"code", "message", "detail"}
    assert told["code"] == code
    assert told["message"].startswith(sentence)


def test_the_facts_of_an_error_are_there_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    report(TaskError("boom", code="handler_error", detail={"line": 1}, task_id="t1"), as_json=True)
    assert json.loads(capsys.readouterr().err)["error"]["detail"] == {
        "task_id": "t1",
        "state": "failed",
        "detail": {"line": 1},
    }
    report(AtlasError("x", detail=["a"]), as_json=True)
    assert json.loads(capsys.readouterr().err)["error"]["detail"] == ["a"]
