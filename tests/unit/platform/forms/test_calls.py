"""The call beside a form is the one that the form makes, and nothing in it reaches the shell."""

from __future__ import annotations

import ast
import json
import shlex
from typing import Any

import pytest

from agentic_atlas.platform.forms.calls import calls
from agentic_atlas.platform.forms.json_text import parse

URL = "http://127.0.0.1:8000"
VALUES = ["{}", '{"text": "it\'s $(x) `y` \\\\ \\n \\u202e ü", "n": [1, -2.50, null, true]}']


@pytest.mark.parametrize("text", VALUES)
def test_each_says_the_same_input(text: str) -> None:
    value: Any = json.loads(text)
    atlas, python, curl = (call.text for call in calls(URL, "ada/a", "do", parse(text)))
    assert shlex.split(atlas)[:4] == ["atlas", "call", "ada/a", "do"]
    assert json.loads(shlex.split(atlas)[-1]) == value
    given = ast.parse(python).body[-1].body[0].value.args[0].args  # type: ignore[attr-defined]  # of what it prints
    assert [ast.literal_eval(one) for one in given] == ["ada/a", "do", value]
    words = shlex.split(curl.partition("\n")[2])
    assert json.loads(words[words.index("--json") + 1]) == {"agent": "ada/a", "skill": "do", "input": value}
    assert words[-1] == f"{URL}/api/v1/tasks?wait=60"


def test_digits_stay_as_they_were_written() -> None:
    assert all("1.50" in call.text for call in calls(URL, "a", "do", parse('{"n": 1.50}')))


def test_a_long_input_is_taken_from_a_file() -> None:
    texts = [call.text for call in calls(URL, "a", "do", {"text": "x" * 5_000})]
    assert max(map(len, texts)) < 300
    assert all(".json" in text for text in texts)
