"""Which alternatives of a schema exclude each other: by the type of the value, or by a property that names the case.

Where they do, one look at the value tells the only alternative that can fit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from agentic_atlas.protocol.schemas.keywords import Node, definitions, target

_ALL: Final = frozenset({"object", "array", "string", "number", "boolean", "null"})
_FARTHEST: Final = 8
"""References that are followed to learn what an alternative is."""
_NESTED: Final = 2
"""Alternatives within alternatives that are looked into for that."""
_TRIED: Final = 8
"""Properties that are tried as the one which tells the alternatives apart."""

Words = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class BranchGroup:
    """Alternatives that no other alternative has a type in common with.

    Attributes:
        tag: name of the property whose value tells them apart, if there is one.
        words: for each alternative, the values of it by which it is known.
        needed: no alternative fits an object without it.
    """

    types: frozenset[str]
    branches: tuple[object, ...]
    tag: str | None = None
    words: tuple[tuple[str, ...], ...] = ()
    needed: bool = False


class Branches:
    """The alternatives in one schema."""

    def __init__(self, root: object) -> None:
        self._known = definitions(root)
        self._words: dict[int, Words] = {}
        self._kinds: dict[tuple[int, int], frozenset[str]] = {}

    def groups(self, node: Node, keyword: str) -> list[BranchGroup]:
        """Return the alternatives of `anyOf` or `oneOf`: together those that the type of a value does not tell apart.

        An alternative that no value fits is left out.
        """
        branches = node[keyword]
        parted: list[tuple[frozenset[str], list[object]]] = []
        for branch in branches if isinstance(branches, list) else ():
            types, together = self._types(branch), [branch]
            for other in [one for one in parted if one[0] & types]:
                parted.remove(other)
                types, together = types | other[0], other[1] + together
            if types:
                parted.append((types, together))
        named = node.get("discriminator")
        wanted = named.get("propertyName") if isinstance(named, Mapping) else None
        return [self._group(types, some, wanted) for types, some in parted]

    def _views(self, branch: object) -> list[Node]:
        """Return a schema and what it refers to: all of them hold for the same value."""
        views: list[Node] = []
        while isinstance(branch, Mapping) and len(views) < _FARTHEST:
            views.append(branch)
            branch = target(branch, self._known)
        return views

    def _types(self, branch: object, level: int = 0) -> frozenset[str]:
        """Return the types that a value of this alternative may have."""
        if branch is False:
            return frozenset()
        return _ALL.intersection(*(self._types_of(view, level) for view in self._views(branch)))

    def _types_of(self, view: Node, level: int) -> frozenset[str]:
        known = self._kinds.get((id(view), level))
        if known is None:
            known = _said(view)
            for alternatives in (view.get("anyOf"), view.get("oneOf")):
                if isinstance(alternatives, list) and level < _NESTED:
                    known &= frozenset[str]().union(*(self._types(one, level + 1) for one in alternatives))
            self._kinds[id(view), level] = known
        return known

    def _group(self, types: frozenset[str], branches: Sequence[object], wanted: object) -> BranchGroup:
        if types != {"object"} or len(branches) < 2:
            return BranchGroup(types, tuple(branches))
        words = [[self._words_of(view) for view in self._views(branch)] for branch in branches]
        first = [name for view in words[0] for name in view]
        for name in [wanted] if isinstance(wanted, str) else islice(first, _TRIED):
            values = tuple(next((view[name] for view in views if name in view), ()) for views in words)
            every = [word for some in values for word in set(some)]
            if all(values) and len(every) == len(set(every)):
                needed = name == wanted or all(self._requires(branch, name) for branch in branches)
                return BranchGroup(types, tuple(branches), name, values, needed)
        return BranchGroup(types, tuple(branches))

    def _words_of(self, view: Node) -> Words:
        """Return the properties of a schema that can only be one of some words."""
        known = self._words.get(id(view))
        if known is None:
            properties = view.get("properties")
            known = self._words[id(view)] = {
                name: words
                for name, schema in (properties.items() if isinstance(properties, Mapping) else ())
                if (words := next((listed for one in self._views(schema) if (listed := _texts(one))), ()))
            }
        return known

    def _requires(self, branch: object, name: str) -> bool:
        required = [view.get("required") for view in self._views(branch)]
        return any(isinstance(names, list) and name in names for names in required)


def _said(view: Node) -> frozenset[str]:
    """Return the types of which a schema itself says that no value has another."""
    types, said, listed = _ALL, view.get("type"), _listed(view)
    if said is not None:
        names = said if isinstance(said, list) else [said]
        types &= {"number" if name == "integer" else str(name) for name in names}
    return types if listed is None else types & {_type(value) for value in listed}


def _listed(view: Node) -> list[object] | None:
    """Return the only values that a schema allows, when it says so."""
    if "const" in view:
        return [view["const"]]
    listed = view.get("enum")
    return listed if isinstance(listed, list) else None


def _texts(view: Node) -> tuple[str, ...]:
    """Return the only values that a schema allows, when those are words."""
    listed = _listed(view) or []
    texts = tuple(value for value in listed if isinstance(value, str))
    return texts if len(texts) == len(listed) else ()


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds: tuple[tuple[type, str], ...] = ((str, "string"), (int, "number"), (float, "number"), (Mapping, "object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null" if value is None else "array")
