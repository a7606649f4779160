"""Schemas come from agents: what a check costs is known before it begins, and where that can't be, they are refused."""

import json
from typing import Any

import pytest

from agentic_atlas.protocol.schemas import Cost, SchemaRefused, cost_of

NAME = {"$defs": {"name": {"type": "string"}}}


def value(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def test_the_plain_form_of_a_reference_is_taken() -> None:
    assert cost_of({**NAME, "properties": {"a": {"$ref": "#/$defs/name"}}}).levels == 1


@pytest.mark.parametrize(
    "reference",
    [
        "#",
        "#/",
        "#name",
        "#/properties/a",
        "#/$defs/other",
        "#/$defs/name/type",
        "#/%24defs/name",
        "#/$defs/n%61me",
        "#/$defs/a~1b",
        "#/$defs/",
        "#/definitions/name",
        "$defs/name",
        "/$defs/name",
        "./#/$defs/name",
        "name.json",
        "name.json#/$defs/name",
        "https://example.com/schema#/$defs/name",
        "https://json-schema.org/draft/2020-12/schema",
        "file:///etc/passwd",
        "urn:example:name",
        "",
        " #/$defs/name",
        "#/$defs/name\n",
        "#/$defs/näme",
        3,
        None,
        {"$ref": "#/$defs/name"},
    ],
)
@pytest.mark.parametrize("place", ["properties", "items", "anyOf", "if", "$defs", "contentSchema", "dependencies"])
def test_no_other_form_of_a_reference_is_taken_wherever_it_stands(reference: object, place: str) -> None:
    here = {"$ref": reference}
    held: Any = [here] if place == "anyOf" else here if place in ("items", "if", "contentSchema") else {"x": here}
    document = {**NAME, place: held} if place != "$defs" else {"$defs": {"name": {}, "x": here}}
    with pytest.raises(SchemaRefused, match=r'"\$defs" at the root') as caught:
        cost_of(document)
    assert caught.value.code == "invalid_schema"


@pytest.mark.parametrize(
    "keyword", ["$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"]
)
def test_what_else_could_refer_or_be_referred_to_is_refused(keyword: str) -> None:
    with pytest.raises(SchemaRefused, match=rf'holds "\{keyword}"'):
        cost_of({"properties": {"a": {keyword: "#x"}}})


@pytest.mark.parametrize("document", [{"$schema": "http://json-schema.org/draft-07/schema#"}, {"$vocabulary": {}}])
def test_another_dialect_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(SchemaRefused, match="dialect"):
        cost_of(document)


def test_the_dialect_may_be_named_at_the_root_and_nowhere_else() -> None:
    named = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    cost_of(named)
    with pytest.raises(SchemaRefused, match="dialect"):
        cost_of({"properties": {"a": named}})


def test_names_and_values_that_look_like_keywords_are_none() -> None:
    odd = {"$ref": {"type": "string"}, "$id": {"type": "string"}}
    cost_of({"properties": odd, "default": {"$ref": "x"}, "enum": [{"$id": "x"}], "x-note": {"$anchor": "a"}})


def test_references_that_double_are_refused_when_they_are_declared() -> None:
    twice = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(40)}
    with pytest.raises(SchemaRefused, match="alternatives within alternatives"):
        cost_of({"$defs": {**twice, "d40": {"type": "string"}}, "$ref": "#/$defs/d0"})


def test_references_that_double_with_each_level_of_the_value_are_never_cheap() -> None:
    twice = {
        f"d{n}": {"properties": {"x": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}}}
        for n in range(30)
    }
    cost = cost_of({"$defs": {**twice, "d30": {"type": "string"}}, "$ref": "#/$defs/d0"})
    assert cost.growth == 2
    assert cost.of(b"{}") > 10**9


@pytest.mark.parametrize("keyword", ["allOf", "not", "if", "dependentSchemas"])
def test_what_leads_back_to_itself_for_the_same_value_is_refused(keyword: str) -> None:
    back: Any = {"$ref": "#/$defs/a"}
    held = [back] if keyword == "allOf" else {"x": back} if keyword == "dependentSchemas" else back
    with pytest.raises(SchemaRefused, match="leads back to itself"):
        cost_of({"$defs": {"a": {keyword: held}}, "$ref": "#/$defs/a"})


def test_a_chain_of_references_that_nobody_writes_is_refused() -> None:
    chain: dict[str, Any] = {f"d{n}": {"properties": {"x": {"$ref": f"#/$defs/d{n + 1}"}}} for n in range(1_000)}
    with pytest.raises(SchemaRefused, match="120 levels"):
        cost_of({"$defs": {**chain, "d1000": {}}, "$ref": "#/$defs/d0"})


def test_a_tree_costs_as_many_steps_as_it_has_nodes() -> None:
    node = {"properties": {side: {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]} for side in ("left", "right")}}
    cost = cost_of({"$defs": {"node": {"type": "object", **node}}, "$ref": "#/$defs/node"})
    assert cost.growth == 1
    assert cost.of(value({"left": {"left": None}, "right": None})) < 10 * cost.steps


def cases(tag: str, **words: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {tag: words, "of": {"$ref": "#/$defs/node"}},
        "required": [tag],
    }


@pytest.mark.parametrize(
    ("branches", "growth"),
    [
        pytest.param([cases("op", const="a"), cases("op", const="b")], 1, id="told apart by a property"),
        pytest.param([cases("op", enum=["a", "b"]), cases("op", enum=["b", "c"])], 2, id="words in common"),
        pytest.param([cases("op", const="a"), cases("kind", const="b")], 2, id="two properties"),
        pytest.param([cases("op", const=1), cases("op", const=True)], 2, id="no words"),
        pytest.param([cases("op", const="a"), {"type": ["array", "null"]}], 1, id="told apart by type"),
        pytest.param([cases("op", const="a"), {"$ref": "#/$defs/other"}], 1, id="told apart by what is referred to"),
        pytest.param([cases("op", const="a"), True], 1, id="anything"),
    ],
)
def test_alternatives_that_exclude_each_other_cost_as_much_as_one(branches: list[Any], growth: int) -> None:
    document = {"$defs": {"node": {"oneOf": branches}, "other": {"type": "integer"}}, "$ref": "#/$defs/node"}
    assert cost_of(document).growth == growth


def test_the_size_of_the_value_counts_and_the_words_of_a_list() -> None:
    long = cost_of({"items": {"enum": [f"word {n}" for n in range(1_000)]}})
    short = cost_of({"items": {"enum": ["word"]}})
    assert long.of(value(["word"] * 1_000)) > 1_000_000
    assert long.of(value(["word"])) < 5_000
    assert short.of(value(["word"] * 1_000)) < 20_000


def test_a_text_costs_what_its_length_and_its_pattern_cost() -> None:
    cost = cost_of({"type": "string", "pattern": r"^[^/]{1,255}$"})
    assert cost.of(value("x" * 1_000_000)) > 100 * cost.of(value("x" * 1_000))
    assert cost_of({"type": "string"}).of(value("x" * 1_000_000)) < 10


def test_a_format_costs_more_than_a_type_and_its_text_too() -> None:
    dates, words = cost_of({"items": {"format": "date"}}), cost_of({"items": {"type": "string"}})
    assert dates.of(value(["2024-02-29"] * 100)) > 10 * words.of(value(["2024-02-29"] * 100))
    assert dates.of(value(["x" * 1_000_000])) > 100_000 > words.of(value(["x" * 1_000_000]))


@pytest.mark.parametrize("pattern", [r"^[^/]{1,255}$", r"^\d{5}$", r"^\w{1,64}$", r"^.{1,1000}$", r"[\w\W]{1500}i"])
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    assert cost_of({"type": "string", "pattern": pattern}).patterns


@pytest.mark.parametrize(
    "document",
    [
        {"pattern": r"^[^/]{1,9000}$"},
        {"patternProperties": {r"(\p{L}{20}){20}": {}}},
        {"properties": {f"p{n}": {"pattern": r"^[^/]{1,1000}$"} for n in range(9)}},
    ],
)
def test_patterns_that_need_much_memory_are_refused_with_a_way_out(document: dict[str, object]) -> None:
    with pytest.raises(SchemaRefused, match=r"when compiled.*repeat less"):
        cost_of(document)


@pytest.mark.parametrize("text", ["[a", "(?P<a", "a{9", r"\p{L", ")", "\\"])
def test_what_is_no_pattern_can_be_estimated_too(text: str) -> None:
    assert cost_of({"properties": {"a": {"pattern": f"a{text}"}}}).patterns


@pytest.mark.parametrize("document", [{"type": "string"}, {"pattern": "^[a-z]{1,500}$"}, {"items": {"format": "date"}}])
@pytest.mark.parametrize("steps", [100, 5_000])
def test_whatever_a_short_text_is_checking_it_takes_few_steps(document: object, steps: int) -> None:
    cost = cost_of(document)
    longest = cost.longest(steps)
    assert longest == 0 or cost.of(b"," * longest) <= steps
    assert cost.of(b"," * (longest + 2)) > steps


def test_no_text_is_short_for_what_leads_back_to_itself_among_alternatives() -> None:
    assert Cost(steps=3, growth=2, levels=None, patterns=0).longest(5_000) == 0
