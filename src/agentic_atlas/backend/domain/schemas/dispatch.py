"""Alternatives that exclude each other become questions about the value, so that only the one that can fit is tried.

Nothing else changes about what fits. A check takes as many steps as the value has places, whatever the order of an
object's names; and what is wrong is told of the alternative that was meant.
"""

from collections.abc import Mapping

from agentic_atlas.protocol.schemas.branches import Branches, Group, Tag
from agentic_atlas.protocol.schemas.keywords import changed

Schema = dict[str, object]

_NOTES = frozenset({"type", "title", "description", "default", "examples", "deprecated"})
"""Keywords beside which a type is all that counts."""


def dispatched(schema: object) -> object:
    """Return the schema with every choice made by what tells its alternatives apart, where something does."""
    return _rewritten(schema, Branches(schema))


def _rewritten(node: object, branches: Branches) -> object:
    if not isinstance(node, Mapping):
        return node
    chosen: Schema = {}
    for keyword in ("anyOf", "oneOf"):
        if isinstance(node.get(keyword), list):
            choice: object = _types(node) if keyword == "anyOf" else None
            choice = choice or _choice(branches.groups(node, keyword), keyword, branches)
            chosen |= {} if choice is None else {keyword: choice}
    made = changed(
        {keyword: value for keyword, value in node.items() if keyword not in chosen},
        lambda part: _rewritten(part, branches),
    )
    if chosen:
        made["allOf"] = [*_list(made.get("allOf")), *chosen.values()]
    return made


def _types(node: Mapping[str, object]) -> Schema | None:
    """Return alternatives that say nothing but a type as one list of types."""
    alternatives = _list(node["anyOf"])
    named: set[str] = set()
    for part in alternatives:
        if not (isinstance(part, Mapping) and isinstance(part.get("type"), str) and _NOTES.issuperset(part)):
            return None
        named.add(str(part["type"]))
    if "number" in named:
        named.discard("integer")
    return {"type": sorted(named)} if named else None


def _choice(groups: list[Group], keyword: str, branches: Branches) -> object | None:
    if len(groups) < 2 and not any(group.tag for group in groups):
        return None
    choice: object = {"type": sorted({name for group in groups for name in group.types})}
    for group in reversed(groups):
        fits = _case(group, keyword, branches)
        choice = {"if": {"type": sorted(group.types)}, "then": fits, "else": choice}
    return choice


def _case(group: Group, keyword: str, branches: Branches) -> object:
    parts = [_rewritten(branch, branches) for branch in group.branches]
    if len(parts) == 1:
        return parts[0]
    if group.tag is None:
        return {keyword: parts}
    named = _named(group.tag, parts)
    return (
        named if group.tag.needed else {"if": {"required": [group.tag.name]}, "then": named, "else": {keyword: parts}}
    )


def _named(tag: Tag, parts: list[object]) -> Schema:
    """Choose by a property that has to be one of the words of the alternatives."""
    cases: list[object] = [
        {"if": {"properties": {tag.name: {"enum": list(words)}}}, "then": part}
        for words, part in zip(tag.values, parts, strict=True)
    ]
    every = [word for words in tag.values for word in words]
    known: Schema = {"required": [tag.name], "properties": {tag.name: {"enum": every}}}
    return {"if": known, "then": {"allOf": cases}, "else": known}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
