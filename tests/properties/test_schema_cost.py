"""What a check is said to cost at the most is never far below what it takes when everything is tried."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.backend.domain.schemas.dispatch import dispatched
from agentic_atlas.protocol.schemas import SchemaRefused, cost_of
from agentic_atlas.protocol.schemas.cost import ENDLESS

NAMES = ("a", "b", "k")
MARGIN = 3
"""A choice is compiled into some more questions than it has alternatives."""


class Steps:
    """Counts every schema that is applied to every place of a value; only what is decided by an `if` is left out."""

    def __init__(self, root: Any, value: Any) -> None:
        self.root = root
        self.count = 0
        self.apply(root, value)

    def apply(self, schema: Any, value: Any) -> None:
        if not isinstance(schema, Mapping) or self.count > 1_000_000:
            return
        self.count += 1
        for part in self._here(schema, value):
            self.apply(part, value)
        if isinstance(value, dict):
            named, rest = schema.get("properties", {}), schema.get("additionalProperties")
            for name, part in value.items():
                self.apply(named.get(name, rest), part)
        for part in value if isinstance(value, list) else ():
            self.apply(schema.get("items"), part)

    def _here(self, schema: Any, value: Any) -> Iterator[Any]:
        if "$ref" in schema:
            yield self.root["$defs"][schema["$ref"].rpartition("/")[2]]
        for keyword in ("allOf", "anyOf", "oneOf"):
            yield from schema.get(keyword, ())
        yield schema.get("not")
        if "if" in schema:
            yield schema["if"]
            yield schema.get("then" if self.fits(schema["if"], value) else "else")

    def fits(self, schema: Any, value: Any) -> bool:
        whole = {"$defs": self.root.get("$defs", {}), **schema} if isinstance(schema, Mapping) else schema
        return bool(jsonschema_rs.Draft202012Validator(whole, offline=True).is_valid(value))


references = st.sampled_from([{"$ref": f"#/$defs/{name}"} for name in NAMES])
leaves = st.sampled_from(
    [True, {}, {"type": "string"}, {"type": ["object", "null"]}, {"const": "a"}, {"enum": [1, "b"]}]
)


def nested(inner: Any) -> Any:
    named = st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    tagged = st.builds(
        lambda word, more: {"type": "object", "properties": {**more, "k": {"const": word}}, "required": ["k"]},
        st.sampled_from("ab"),
        named,
    )
    return st.one_of(
        tagged,
        st.builds(lambda keyword, parts: {keyword: parts}, st.sampled_from(["allOf", "anyOf", "oneOf"]),
                  st.lists(inner | tagged, min_size=1, max_size=3)),
        st.builds(lambda named, rest: {"properties": named, "additionalProperties": rest}, named, inner),
        st.builds(lambda part: {"items": part}, inner),
        st.builds(lambda part: {"not": part}, inner),
    )  # fmt: skip


schemas = st.recursive(leaves | references, nested, max_leaves=6)
values = st.recursive(
    st.none() | st.sampled_from(["a", "b", 1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=10,
)


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, schemas)), schemas, values)
def test_no_check_takes_many_more_steps_than_were_counted(definitions: Any, root: Any, value: object) -> None:
    document = {"$defs": definitions, "allOf": [root]}
    try:
        cost = cost_of(document)
    except SchemaRefused:
        return
    counted = cost.of(json.dumps(value).encode())
    taken = Steps(dispatched(document), value).count
    assert taken <= MARGIN * counted or counted == ENDLESS


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, schemas)), schemas)
def test_what_is_compiled_is_not_much_longer_than_what_was_declared(definitions: Any, root: Any) -> None:
    document = {"$defs": definitions, "allOf": [root]}
    try:
        cost_of(document)
    except SchemaRefused:
        return
    assert len(json.dumps(dispatched(document))) < 500 + 20 * len(json.dumps(document))
