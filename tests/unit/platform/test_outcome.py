"""What was wrong with a form is said at the field where that is known, and else above it."""

from __future__ import annotations

from typing import Any

import pytest

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.outcome import wrong

LONG = "the form is not acceptable: name has to have a length of at most 3"


@pytest.mark.parametrize(
    ("detail", "field", "fault"),
    [
        ([{"path": "/name", "message": "has to have a length of at most 3"}], "name", "at most 3."),
        ([{"path": "/scopes/0", "message": "has to be text"}], "scopes", "It has to be text."),
        ([{"path": "", "message": "name is missing"}], "", ""),
        ({"other": 1}, "", ""),
        ([], "", ""),
        (None, "", ""),
    ],
)
def test_a_field_is_named_where_one_is_wrong(detail: Any, field: str, fault: str) -> None:
    said = wrong("make", InvalidInput(LONG, detail=detail))
    assert (said.form, said.good, said.field) == ("make", False, field)
    assert said.fault.endswith(fault)
    assert (said.text == LONG) is (field == "")
