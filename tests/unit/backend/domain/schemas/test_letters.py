"""A pattern says the same here as in the agent's own check, or leaves the text to it."""

import json

import pytest

from agentic_atlas.backend.domain.schemas import Validator


def fits(pattern: str, text: str) -> bool:
    return Validator(json.dumps({"pattern": pattern}).encode()).fits(text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"^\w+$", "größe", True),
        (r"^\w+$", "a b", False),
        (r"^\d{2}$", "٣٣", True),
        (r"^\d{2}$", "123", False),
        (r"^[\d.]+$", "٣", True),
        (r"^[0-9]$", "٣", False),
        (r"^\\d$", "٣", False),
        (r"^\\\d$", "\\٣", True),
    ],
)
def test_letters_beyond_ascii_are_left_to_the_agent_where_a_class_means_more_there(
    pattern: str, text: str, expected: bool
) -> None:
    assert fits(pattern, text) is expected


def test_a_name_beyond_ascii_is_left_to_the_agent_too() -> None:
    schema = {"patternProperties": {r"^\w+$": {"type": "integer"}}, "additionalProperties": False}
    validator = Validator(json.dumps(schema).encode())
    assert validator.fits({"größe": 1})
    assert not validator.fits({"a b": 1})


def test_the_pattern_is_told_as_the_agent_wrote_it() -> None:
    [fault] = Validator(b'{"pattern": "^\\\\d$"}').faults("x", "skill")
    assert fault.message == r'"x" does not match "^\d$"'
