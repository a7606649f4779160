"""Alternatives that exclude each other become questions about the value, so that only the one that can fit is tried.

Nothing else changes about what fits. A check takes as many steps as the value has places, whatever the order of an
object's names; and what is wrong is told of the alternative that was meant.
"""

from collections.abc import Mapping

from agentic_atlas.protocol.schemas.branches import Branches, BranchGroup
from agentic_atlas.protocol.schemas.keywords import Node, and_also, changed, definitions

Schema = dict[str, object]

_NOTES = frozenset({"type", "title", "description", "default", "examples", "deprecated"})
"""Keywords beside which a type is all that counts."""


def dispatched(schema: object) -> object:
    """Return the schema with every choice made by what tells its alternatives apart, where something does."""
    return _Dispatch(schema).whole()


class _Dispatch:
    def __init__(self, root: object) -> None:
        self._root = root
        self._branches = Branches(root)
        self._definitions = dict(definitions(root))
        self._moved: Schema = {}

    def whole(self) -> object:
        made = self._rewritten(self._root)
        if self._moved and isinstance(made, dict):
            made["$defs"] = {**definitions(made), **self._moved}
        return made

    def _rewritten(self, node: object) -> object:
        if not isinstance(node, Mapping):
            return node
        chosen: Schema = {}
        for keyword in ("anyOf", "oneOf"):
            if isinstance(node.get(keyword), list):
                choice = self._choice(node, keyword)
                chosen |= {} if choice is None else {keyword: choice}
        made = changed({name: value for name, value in node.items() if name not in chosen}, self._rewritten)
        return and_also(made, *chosen.values()) if chosen else made

    def _choice(self, node: Node, keyword: str) -> object | None:
        types = _types(node) if keyword == "anyOf" else None
        groups = self._branches.groups(node, keyword)
        if types is not None or (len(groups) < 2 and not any(group.tag is not None for group in groups)):
            return types
        choice: object = {"type": sorted({name for group in groups for name in group.types})}
        for group in reversed(groups):
            choice = {"if": {"type": sorted(group.types)}, "then": self._case(group, keyword), "else": choice}
        return choice

    def _case(self, group: BranchGroup, keyword: str) -> object:
        parts = [self._rewritten(branch) for branch in group.branches]
        if len(parts) == 1:
            return parts[0]
        if group.tag is None:
            return {keyword: parts}
        if group.needed:
            return _named(group, parts)
        # Each part stands in two places then: written twice at each level, it would be written without end.
        parts = [self._by_name(part) for part in parts]
        return {"if": {"required": [group.tag]}, "then": _named(group, parts), "else": {keyword: parts}}

    def _by_name(self, part: object) -> object:
        if not isinstance(part, Mapping) or set(part) == {"$ref"}:
            return part
        name = f"case.{len(self._moved)}"
        while name in self._definitions:
            name += "_"
        self._moved[name] = part
        return {"$ref": f"#/$defs/{name}"}


def _types(node: Node) -> Schema | None:
    """Return alternatives that say nothing but a type as one list of types."""
    alternatives, named = node["anyOf"], set[str]()
    for part in alternatives if isinstance(alternatives, list) else ():
        if not (isinstance(part, Mapping) and isinstance(part.get("type"), str) and _NOTES.issuperset(part)):
            return None
        named.add(str(part["type"]))
    if "number" in named:
        named.discard("integer")
    return {"type": sorted(named)} if named else None


def _named(group: BranchGroup, parts: list[object]) -> Schema:
    """Choose by a property that has to be one of the words of the alternatives."""
    tag = str(group.tag)
    cases: list[object] = [
        {"if": {"properties": {tag: {"enum": list(words)}}}, "then": part}
        for words, part in zip(group.words, parts, strict=True)
    ]
    every = [word for words in group.words for word in words]
    known: Schema = {"required": [tag], "properties": {tag: {"enum": every}}}
    return {"if": known, "then": {"allOf": cases}, "else": known}
