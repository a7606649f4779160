"""What a schema says a value may be is found in few steps, whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from agentic_atlas.platform.forms import schema as schemas
from agentic_atlas.platform.forms.schema import Root, alternatives


@pytest.mark.parametrize("word", ["anyOf", "allOf"])
def test_alternatives_of_alternatives_are_looked_at_up_to_a_bound(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "MOST_STEPS", 20)
    few: dict[str, Any] = {word: [{"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "string"}}}
    assert [one.kind for one in alternatives(few, Root(few))[0]] == ["string"]
    many: dict[str, Any] = {word: [{word: [False] * 5}] * 5}
    assert [one.kind for one in alternatives(many, Root(many))[0]] == ["any"]


def test_more_alternatives_than_people_choose_from_are_asked_for_as_json() -> None:
    wide: dict[str, Any] = {"anyOf": [{"type": "string", "minLength": number} for number in range(50)]}
    assert [one.kind for one in alternatives(wide, Root(wide))[0]] == ["any"]
