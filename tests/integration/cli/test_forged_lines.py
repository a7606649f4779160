"""Nothing that an agent, a caller or a server writes can look like a line of ours, or steer a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.integration.cli.commands import Result, atlas
from tests.integration.cli.platform_server import AT, Platform, event
from tests.integration.client.client_server import error

FORGED = "x\nstate   completed\r\nerror   none"
UNSEEN = "\x1b\x07\x00\r\x9b\u200b\u202e\u2028\u2029\u00ad\ufeff\u061c\U000e0041"
OUR_OWN = re.compile(r"\x1b\[[0-9?;]*[a-zA-Z]|\r\x1b\[2K|\r(?=\x1b)|\r$", re.MULTILINE)
NASTY = f"{FORGED}{UNSEEN}y"

SKILL: dict[str, Any] = {
    "name": NASTY,
    "description": NASTY,
    "input_schema": {
        "type": "object",
        "properties": {
            NASTY: {"type": "string", "description": NASTY, "default": NASTY},
            "n": {"enum": [NASTY], "description": NASTY},
        },
        "required": ["n"],
    },
}
INSTANCE = {"id": NASTY, "host": NASTY, "runtime": NASTY, "online": True, "connected_at": AT}
QUESTION = {"number": 1, "question": NASTY, "state": "answered", "answer": NASTY, "answered_by": NASTY}
OPEN = {"number": 2, "question": NASTY, "state": "open", "schema": {"enum": [NASTY]}}
TASK: dict[str, Any] = {
    "state": "failed",
    "error": {"code": NASTY, "message": NASTY, "detail": NASTY},
    "agent": NASTY,
    "skill": NASTY,
    "note": NASTY,
    "input": {NASTY: NASTY},
    "caller": {"kind": NASTY, "id": NASTY, "name": NASTY},
    "questions": [QUESTION, OPEN],
}
EVENTS = "".join(
    [
        event(1, "state", state="working", instance=NASTY, accepted=True),
        event(2, "progress", message=NASTY),
        event(3, "log", level=NASTY, event=NASTY, fields={NASTY: NASTY}),
        event(4, "artifact", name=NASTY, media_type=NASTY, size=1),
        event(5, "question", number=1, question=NASTY, schema={"enum": [NASTY]}),
        event(6, "answer", question=1, answer=NASTY, by=NASTY),
        event(7, NASTY, **{NASTY: NASTY}),
        event(8, "state", state="failed", code=NASTY, message=NASTY),
    ]
)
COMMANDS = [
    ("agents",),
    ("agents", "show", "hello"),
    ("agents", "show", "hello", "--skill", NASTY),
    ("call", "hello", NASTY, "--help"),
    ("call", "hello", "other", "n=1"),
    ("call", "hello", NASTY, "n=1"),
    ("call", "hello", NASTY, "n=1", "--stream"),
    ("call", "hello", NASTY, "n=1", "--no-wait"),
    ("tasks", "list"),
    ("tasks", "show", "t1"),
    ("tasks", "watch", "t1"),
    ("tasks", "cancel", "t1"),
    ("tasks", "answer", "t1", "x"),
    ("tasks", "retry", "t1"),
    ("tokens", "list", "hello"),
    ("tokens", "create", "hello"),
    ("tokens", "revoke", "k1"),
    ("whoami",),
    ("call", NASTY, NASTY, NASTY),
    (NASTY,),
]


@pytest.fixture
def hostile(platform: Platform) -> Platform:
    """A platform where every text is an attempt."""
    platform.add_agent("hello", SKILL, instances=[INSTANCE], description=NASTY, status=NASTY)
    platform.task = dict(TASK)
    platform.stream = EVENTS
    return platform


def lines_of_ours(result: Result) -> list[str]:
    """Return the lines that begin as the one does that is forged."""
    return [line for line in result.output.splitlines() if line.startswith(("state   completed", "error   none"))]


@pytest.mark.parametrize("screen", [False, True], ids=["in a pipe", "on a terminal"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2])[:20])
def test_no_command_prints_a_line_or_a_character_for_somebody_else(
    hostile: Platform, words: tuple[str, ...], screen: bool
) -> None:
    result = atlas(*words, screen=screen)
    assert lines_of_ours(result) == []
    # What shows that a call goes on draws itself anew, with sequences of its own.
    shown = OUR_OWN.sub("", result.output) if screen else result.output
    assert [character for character in UNSEEN if character in shown] == []


@pytest.mark.parametrize("words", COMMANDS[:-2], ids=lambda words: " ".join(words[:2])[:20])
def test_programs_read_exactly_what_was_written_from_text_that_shows_nothing_unseen(
    hostile: Platform, words: tuple[str, ...]
) -> None:
    result = atlas(*words, "--json")
    assert [character for character in UNSEEN if character in result.output] == []
    if words[:2] == ("tasks", "show"):
        assert json.loads(result.stdout)["input"] == {NASTY: NASTY}


def test_what_the_platform_refuses_with_is_one_paragraph(hostile: Platform) -> None:
    hostile.refuses = error(422, NASTY, NASTY)
    for words in (("agents",), ("tasks", "show", "t1"), ("whoami",)):
        result = atlas(*words)
        assert lines_of_ours(result) == []
        assert [character for character in UNSEEN if character in result.output] == []


def test_the_text_that_a_task_returns_is_exact_in_a_pipe_and_harmless_on_a_terminal(hostile: Platform) -> None:
    hostile.task = {"state": "completed", "output": NASTY}
    assert atlas("call", "hello", NASTY).stdout == f"{NASTY}\n"
    shown = atlas("call", "hello", NASTY, screen=True).stdout
    assert [character for character in UNSEEN if character in shown] == []
