import ast
from pathlib import Path

import msgspec
import pytest

import agentic_atlas.backend
from agentic_atlas.protocol import codes
from agentic_atlas.protocol.messages import Fault


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("closed", "closed"),
        ("403", "403"),
        ("Not Found!", "not_found"),
        ("größe", "gr_e"),
        ("a" * 70, "a" * 64),
        ("é", ""),
    ],
)
def test_any_text_becomes_a_word_for_programs(given: str, code: str) -> None:
    assert codes.readable(given) == code


@pytest.mark.parametrize("code", ["", "a" * 65, "A", "two words", "line\nbreak", "é", "a-b"])
def test_another_form_of_a_code_is_not_of_the_protocol(code: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"code": code, "message": ""}, Fault)


def test_all_that_the_network_says_of_a_task_is_reserved() -> None:
    root = Path(str(agentic_atlas.backend.__file__)).parent
    said = {
        node.args[0].value
        for file in root.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "TaskFailure"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert said
    assert said <= codes.OF_THE_NETWORK | codes.OF_AGENTS
