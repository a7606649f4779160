from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentic_atlas.sdk.client import task as client_task
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import GREET, Platform, event
from tests.integration.client.client_server import Answer, Asked, error


@pytest.fixture(autouse=True)
def hello(platform: Platform) -> None:
    platform.add_agent("hello", GREET)


def test_text_is_printed_as_text() -> None:
    assert printed(atlas("call", "hello", "greet", "name=Ada")) == "Hello, Ada!\n"


def test_anything_else_is_printed_as_json(platform: Platform) -> None:
    platform.task = {"state": "completed", "output": {"n": [1, 2], "é": None}}
    assert json.loads(printed(atlas("call", "hello", "greet", "name=Ada"))) == {"n": [1, 2], "é": None}


def test_values_are_read_as_the_skill_says(platform: Platform) -> None:
    printed(atlas("call", "hello", "greet", "name=7", "times=3", "more:=[1]"))
    assert platform.submitted()["input"] == {"name": "7", "times": 3, "more": [1]}
    assert platform.submitted()["queue_ttl"] == 0


def test_the_policy_of_the_task_may_be_said(platform: Platform) -> None:
    options = ("--priority", "7", "--retries", "2", "--at-most-once", "--queue-ttl", "60", "--idempotency-key", "k")
    printed(atlas("call", "hello", "greet", "name=Ada", *options))
    said = platform.submitted()
    wanted = {"priority": 7, "retries": 2, "delivery": "at_most_once", "queue_ttl": 60, "idempotency_key": "k"}
    assert said.items() >= wanted.items()


def test_a_policy_that_is_not_said_is_left_to_the_skill(platform: Platform) -> None:
    printed(atlas("call", "hello", "greet", "name=Ada"))
    assert not platform.submitted().keys() & {"priority", "retries", "delivery"}


def test_a_wrong_value_is_told_before_anything_is_submitted(platform: Platform) -> None:
    assert "`times` has to be a whole number" in complained(atlas("call", "hello", "greet", "times=often"), 2)
    assert [asked.method for asked in platform.server.asked] == ["GET"]


def test_an_unknown_skill_is_told_with_those_there_are() -> None:
    assert complained(atlas("call", "hello", "great", "name=x")) == (
        "hello has no skill `great` (did you mean greet?); it has: greet"
    )


def test_an_agent_that_was_never_connected_takes_text(platform: Platform) -> None:
    platform.add_agent("fresh")
    printed(atlas("call", "fresh", "greet", "times=3"))
    assert platform.submitted()["input"] == {"times": "3"}


@pytest.mark.parametrize("source", ['{"name": "Ada", "times": 2}', "@input.json", "-"])
def test_a_whole_input_comes_from_the_line_a_file_or_stdin(platform: Platform, at_home: Path, source: str) -> None:
    text = '{"name": "Ada", "times": 2}'
    (at_home / "input.json").write_text(text)
    printed(atlas("call", "hello", "greet", "--input", source, "times=3", input=text))
    assert platform.submitted()["input"] == {"name": "Ada", "times": 3}


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("@nothing.json", "there is no file nothing.json"),
        ("[1]", "--input has to be a JSON object"),
        ("@binary", "binary is not text in UTF-8"),
    ],
)
def test_an_input_that_cannot_be_read_is_told(at_home: Path, source: str, sentence: str) -> None:
    (at_home / "binary").write_bytes(b"\xff\xfe")
    assert complained(atlas("call", "hello", "greet", "--input", source), 2).startswith(sentence)


def test_for_programs_the_whole_task_is_printed() -> None:
    told = json.loads(printed(atlas("call", "hello", "greet", "name=Ada", "--json")))
    assert (told["id"], told["state"], told["output"]) == ("t1", "completed", "Hello, Ada!")


def test_a_failed_task_is_a_sentence_and_exit_code_1(platform: Platform) -> None:
    platform.task = {"state": "failed", "error": {"code": "handler_error", "message": "division by zero"}}
    args = ("call", "hello", "greet", "name=Ada")
    assert complained(atlas(*args)) == "the task t1 ended failed (handler_error): division by zero"
    told = json.loads(complained(atlas(*args, "--json")))["error"]
    assert (told["code"], told["detail"]["task_id"]) == ("handler_error", "t1")


def test_why_a_task_waits_is_said_beside_the_output(platform: Platform) -> None:
    platform.task["note"] = "queued: agent offline"
    result = atlas("call", "hello", "greet", "name=Ada")
    assert (printed(result), result.stderr) == ("Hello, Ada!\n", "queued: agent offline\n")


def test_without_waiting_the_id_is_printed(platform: Platform) -> None:
    assert printed(atlas("call", "hello", "greet", "name=Ada", "--no-wait", "--idempotency-key", "order-17")) == "t1\n"
    assert platform.submitted()["idempotency_key"] == "order-17"
    assert "queue_ttl" not in platform.submitted()


def test_a_stream_is_printed_piece_by_piece(platform: Platform) -> None:
    platform.stream = "".join(
        [
            event(1, "chunk", value="Hel"),
            event(2, "log", event="x"),
            event(3, "chunk", value="lo"),
            event(4, "state", state="completed"),
        ]
    )
    assert printed(atlas("call", "hello", "greet", "name=Ada", "--stream")) == "Hello\n"
    lines = printed(atlas("call", "hello", "greet", "name=Ada", "--stream", "--json")).splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["chunk", "log", "chunk", "state"]


def test_a_skill_that_does_not_stream_prints_its_output_at_the_end(platform: Platform) -> None:
    platform.stream = event(1, "state", state="completed")
    assert printed(atlas("call", "hello", "greet", "name=Ada", "--stream")) == "Hello, Ada!\n"


LOST = (
    event(1, "state", state="working", attempt=1, accepted=True)
    + event(2, "state", state="submitted", attempt=1, code="agent_lost", message="lost")
    + event(3, "state", state="working", attempt=2, accepted=True)
    + event(4, "state", state="completed", attempt=2)
)
TOLD = [
    "The agent was lost: the task waits for it, or for another instance.",
    "It goes on: attempt 2.",
]


def test_that_the_agent_was_lost_is_said_beside_the_stream(platform: Platform) -> None:
    platform.stream = LOST
    result = atlas("call", "hello", "greet", "name=Ada", "--stream")
    assert (printed(result), result.stderr.splitlines()) == ("Hello, Ada!\n", TOLD)


def test_on_a_terminal_it_is_said_above_what_shows_that_it_goes_on(platform: Platform) -> None:
    platform.stream = LOST
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "agentic_atlas", "call", "hello", "greet", "name=Ada"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # what a terminal says at its end
            while piece := os.read(ours, 4096):
                said += piece
        os.close(ours)
        out, _ = process.communicate(timeout=20)
    assert out == "Hello, Ada!\n"
    assert [sentence for sentence in TOLD if sentence.encode() in said] == TOLD, said


def test_a_call_that_takes_too_long_is_cancelled(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_task, "_SOON", 0.01)
    platform.task = {"state": "working"}
    told = complained(atlas("call", "hello", "greet", "name=Ada", "--timeout", "0.2"))
    assert told.splitlines() == ["Asked task t1 to stop.", "task t1 was not done after 0.2 s and was asked to stop"]
    assert platform.server.paths()[-1] == "POST /api/v1/tasks/t1/cancel"


def test_an_interrupt_cancels_the_task_and_ends_with_130(platform: Platform) -> None:
    platform.task = {"state": "working"}
    waiting = threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.method == "GET" and asked.path.endswith("/tasks/t1"):
            waiting.set()
        return platform.answer(asked)

    platform.server.answer = answer
    command = [sys.executable, "-m", "agentic_atlas", "call", "hello", "greet", "name=Ada"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert waiting.wait(20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "Asked task t1 to stop.\n")
    assert platform.server.paths()[-1] == "POST /api/v1/tasks/t1/cancel"


COLOUR = {"number": 1, "question": "Which colour?", "state": "open", "schema": {"enum": ["red", "blue"]}}
SOON = COLOUR | {"expires_at": "2030-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("options", "asked"),
    [(["--wait"], COLOUR), (["--wait", "--stream"], COLOUR), (["--timeout", "20", "--json"], COLOUR), ([], SOON)],
)
def test_without_a_terminal_it_is_told_how_to_answer_what_is_waited_for(
    platform: Platform, options: list[str], asked: dict[str, object]
) -> None:
    platform.task = {"state": "completed", "output": "red", "questions": [asked]}
    platform.beginning = event(1, "question", number=1, question="Which colour?")
    platform.stream = event(2, "state", state="completed")
    called = atlas("call", "hello", "greet", "name=Ada", *options)
    assert called.exit_code == 0
    assert called.stderr.splitlines() == [
        "The task asks: Which colour? (one of: red, blue)",
        "Answer it: atlas tasks answer t1 VALUE --question 1",
    ]


@pytest.mark.parametrize("options", [[], ["--stream"], ["--json"]])
def test_a_script_is_not_kept_waiting_for_an_answer_that_nobody_can_be_asked_for(
    platform: Platform, options: list[str]
) -> None:
    platform.task = {"state": "input_required", "questions": [COLOUR]}
    platform.stream = event(1, "question", number=1, question="Which colour?")
    told = complained(atlas("call", "hello", "greet", "name=Ada", *options))
    sentence = (
        "task t1 asks, and nobody is at a terminal here: Which colour? (one of: red, blue); answer it with "
        "`atlas tasks answer t1 VALUE --question 1`, or wait for an answer with --wait, with --timeout SECONDS for so "
        "long"
    )
    if "--json" in options:
        wanted = {"code": "input_required", "message": sentence, "detail": {"task_id": "t1", "question": 1}}
        assert json.loads(told)["error"] == wanted
    else:
        assert told == sentence
    assert not [path for path in platform.server.paths() if path.endswith("/cancel")]


def test_a_question_that_is_not_open_any_more_is_not_told(platform: Platform) -> None:
    platform.beginning = event(1, "question", number=1, question="Old?")
    platform.stream = event(2, "state", state="completed")
    called = atlas("call", "hello", "greet", "name=Ada")
    assert (called.exit_code, called.stderr) == (0, "")


STORE = {
    "name": "store",
    "input_schema": {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "picture": {"type": "string", "contentEncoding": "base64"},
            "xs": {"type": "array", "items": {"type": "integer"}},
            "to": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    },
}


def test_values_come_from_files_stdin_parts_and_items(platform: Platform, at_home: Path) -> None:
    platform.add_agent("hello", STORE)
    (at_home / "cat.jpg").write_bytes(b"\xff\xd8\x00")
    printed(atlas("call", "hello", "store", "picture=@cat.jpg", "text=-", "xs=1", "xs=2", "to.city=Rome", input="né\n"))
    wanted = {"picture": "/9gA", "text": "né\n", "xs": [1, 2], "to": {"city": "Rome"}}
    assert platform.submitted()["input"] == wanted


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["text=@nothing.txt"], "there is no file nothing.txt: what begins with @ names one; for @ itself write @@"),
        (["text=@."], ". is a folder, not a file"),
        (["picture=@big"], "the input has more than the 4194304 bytes allowed: send less, or a link to it"),
        (["text"], "`text` is not an input: write key=value, or key:=json"),
        (["text:=hello"], "`text` is not JSON"),
        (["xs=a"], "`xs` has to be a whole number; `a` is not"),
        (["--input", "[1]"], "--input has to be a JSON object"),
    ],
)
def test_what_is_typed_wrongly_is_told_with_exit_code_2_and_nothing_is_submitted(
    platform: Platform, at_home: Path, words: list[str], sentence: str
) -> None:
    platform.add_agent("hello", STORE)
    with (at_home / "big").open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    assert complained(atlas("call", "hello", "store", *words), 2).startswith(sentence)
    assert {asked.method for asked in platform.server.asked} <= {"GET"}


def test_an_input_that_the_platform_refuses_is_typed_wrongly_too(platform: Platform) -> None:
    platform.refuses = error(422, "invalid_input", "there is no `nam`; did you mean `name`?")
    assert complained(atlas("call", "hello", "greet", "--input", '{"nam": 1}'), 2).startswith("there is no `nam`")


def test_a_key_for_tasks_alone_calls_with_text_and_json(platform: Platform) -> None:
    platform.may_look = False
    printed(atlas("call", "hello", "greet", "name=Ada", "times:=3"))
    assert platform.submitted()["input"] == {"name": "Ada", "times": 3}


def test_who_may_not_see_what_a_skill_takes_is_told_how_to_write_what_is_no_text(platform: Platform) -> None:
    platform.may_look = False

    def refused(asked: Asked) -> Answer:
        wrong = error(422, "invalid_input", "`times` has to be a whole number")
        return wrong if asked.method == "POST" else platform.answer(asked)

    platform.server.answer = refused
    said = complained(atlas("call", "hello", "greet", "times=3"), 2)
    assert said.startswith("`times` has to be a whole number; what the skill takes is not known here without the scope")
    assert "KEY:=JSON" in said


def test_the_help_of_a_skill_says_what_it_takes_and_how_to_call_it(platform: Platform) -> None:
    shown = printed(atlas("call", "hello", "greet", "--help"))
    assert shown.splitlines() == [
        "greet: Greet someone",
        "    name   text",
        "    times  whole number = 1",
        "  atlas call hello greet name=TEXT",
    ]
    assert printed(atlas("call", "--help")).startswith("Usage: atlas call [OPTIONS] AGENT SKILL [KEY=VALUE]...\n")
    assert printed(atlas("call", "hello", "-h")) == printed(atlas("call", "--help"))
    assert "(did you mean greet?)" in complained(atlas("call", "hello", "greeet", "--help"))
    platform.add_agent("fresh")
    assert "has not connected yet" in complained(atlas("call", "fresh", "greet", "--help"))
