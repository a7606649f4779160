"""No schema and no input makes a form, or the page around it, long or slow: then it is JSON, which is as good."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator, KeysView
from typing import Any

import pytest

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.forms.calls import calls
from agentic_atlas.platform.forms.draft import MOST_SHOWN, Draft, begun, continued, resumed
from agentic_atlas.platform.forms.schema import MOST_CHOICES, MOST_WORK
from agentic_atlas.platform.forms.showing import FormNode
from agentic_atlas.platform.readable import MOST_VALUES

MANY_LISTS = '{"l":[' + ",".join(["[]"] * 450_000) + "]}"


class Counted(dict[str, Any]):
    """An object that cannot be copied more often than it may be."""

    left = 400
    """Times, for the whole of a request."""

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> KeysView[str]:
        self.left -= 1
        assert self.left, "it was copied too often"
        return super().keys()


def peak(made: Callable[[], object]) -> int:
    """Return the bytes that were taken at the most."""
    tracemalloc.start()
    try:
        made()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def nodes(draft: Draft) -> Iterator[FormNode]:
    assert draft.made is not None
    waiting = list(draft.made.parts)
    while waiting:
        node = waiting.pop()
        waiting += node.parts
        yield node


def shared(spot: dict[str, Any], places: int, **defs: Any) -> dict[str, Any]:
    """A short schema, in which one definition stands in many places."""
    parts = {f"a{number}": {"$ref": "#/$defs/spot"} for number in range(places)}
    return {"type": "object", "properties": parts, "$defs": {"spot": spot, **defs}}


def joined(places: int) -> tuple[dict[str, Any], Counted]:
    """Alternatives that are each joined of a wide definition and many narrow ones."""
    wide = Counted((f"p{number}", {}) for number in range(3_800))
    defs: dict[str, Any] = {
        "wide": {"properties": wide},
        "narrow": {"properties": {"q": {}}},
        "each": {"allOf": [{"$ref": "#/$defs/wide"}, *[{"$ref": "#/$defs/narrow"}] * 39]},
    }
    schema = shared({"anyOf": [{"$ref": "#/$defs/each"}] * 9}, places, **defs)
    inner = {"type": "object", "properties": {"z": dict(schema)}, "required": ["z"]}
    return {**schema, "properties": {**schema["properties"], "l": {"type": "array", "items": inner}}}, wide


def test_a_choice_of_more_than_people_look_through_is_asked_for_as_json_in_its_place() -> None:
    draft = begun(shared({"enum": list(range(7_800))}, 120))
    assert {(node.kind, len(node.options)) for node in nodes(draft)} == {("json", 0)}
    assert continued(shared({"enum": list(range(7_800))}, 1), {"input/a0": "7799"}, "").value == {"a0": 7_799}


def test_all_choices_of_a_form_together_are_bounded() -> None:
    some = sum(len(node.options) for node in nodes(begun(shared({"enum": list(range(MOST_CHOICES))}, 20))))
    assert MOST_CHOICES * 20 <= some <= MOST_WORK
    many = begun(shared({"enum": list(range(MOST_CHOICES))}, 120))
    assert (many.made, many.text) == (None, "{}")
    assert many.note


@pytest.mark.parametrize("items", [0, 200])
def test_what_is_joined_of_many_parts_is_joined_no_more_often_than_a_form_needs(items: int) -> None:
    schema, wide = joined(300)
    draft = begun(schema, {"l": [{}] * items}) if items else begun(schema)
    assert wide.left > 0
    assert draft.text is not None
    assert draft.value == ({"l": [{}] * items} if items else {})


def test_names_and_hints_are_part_of_what_is_bounded() -> None:
    told = {"type": "string", "description": "x" * 600, "default": ["y" * 20] * 1_000}
    assert begun(shared(told, 500)).made is not None
    long = {"type": "object", "properties": {"n" * 10_000 + str(number): {"type": "string"} for number in range(5)}}
    parts = {str(number): long for number in range(60)}
    assert begun({"type": "object", "properties": parts, "required": list(parts)}).text == "{}"


def test_a_value_is_compared_with_choices_in_few_steps() -> None:
    listed = {"enum": [[0] * 290 + [number] for number in range(100)]}
    value = {f"a{number}": [0] * 300 for number in range(60)}
    assert begun(shared(listed, 60), value).value == value


def test_a_text_of_more_values_than_are_read_is_sent_as_it_is() -> None:
    schema = {"type": "object", "properties": {"l": {"type": "array"}}}
    drafts: list[Draft] = []
    assert peak(lambda: drafts.append(continued(schema, {"json": MANY_LISTS}, "run"))) < 8 * len(MANY_LISTS)
    assert (drafts[0].unread, drafts[0].long, drafts[0].input()) == (True, True, MANY_LISTS.encode())
    few = json.dumps({"l": [0] * MOST_VALUES})
    assert (continued(schema, {"json": few}, "form").text, resumed(schema, few).input()) == (few, few.encode())
    assert not resumed(schema, few).long
    assert all(".json" in call.text for call in calls("http://host", "a", "s", {}, long=True))


def test_a_long_text_that_is_no_json_is_told_and_not_sent() -> None:
    draft = continued({}, {"json": MANY_LISTS[:-1]}, "run")
    assert draft.input() is None
    assert "JSON" in draft.faults["json"]


def test_a_long_text_in_a_form_is_sent_and_not_shown_again() -> None:
    schema = {"type": "object", "properties": {"file": {"type": "string"}}}
    draft = continued(schema, {"input/file": "," * (MOST_SHOWN + 1)}, "run")
    assert (draft.long, draft.input()) == (True, json.dumps({"file": "," * (MOST_SHOWN + 1)}).encode())


def test_json_in_the_fields_of_a_form_is_bounded_as_a_whole() -> None:
    schema = {"type": "object", "properties": {f"a{number}": {} for number in range(20)}}
    few = {f"input/a{number}": "[" + "0," * 1_000 + "0]" for number in range(20)}
    assert continued(schema, few, "").faults == {}
    with pytest.raises(InvalidInput, match="write the input as JSON"):
        continued(schema, dict.fromkeys(few, "[" + "0," * 19000 + "0]"), "")


def test_what_is_deep_is_not_written_in_lines_that_are_mostly_spaces() -> None:
    deep = json.dumps({"a": [json.loads("[" * 60 + "]" * 60)] * 300})
    assert len(deep) < MOST_SHOWN
    text = continued({}, {"input:as": "json", "input": deep}, "json").text
    assert text is not None
    assert len(text) < 2 * len(deep)
