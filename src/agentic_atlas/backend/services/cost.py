"""What checking a value against a JSON Schema may cost, told from the schema before anything is checked.

A validator tries alternatives one by one, so references within alternatives multiply: thirty small definitions that
each name the next one twice are a billion steps. Here the references are followed once and counted. A reference that
leads back to where it came from can be followed again at each level of the value, so there its depth counts too.
"""

from collections.abc import Mapping
from typing import TypeAlias

from agentic_atlas.errors import InvalidInput

MOST_STEPS = 100_000
"""Most steps for one level of a value; a schema that needs more is refused when it is declared."""

MOST_CHECKED = 1_000_000
"""Most steps a value may cost; one that costs more is refused unchecked."""

MOST_EXPLAINED = 5_000
"""Most steps for which it is also told where a value is wrong: reasons are kept for every alternative tried."""

_FEW_ENOUGH = 1_000_000_000

Node: TypeAlias = object


MOST_VISITED = 10_000
"""Most subschemas that are visited to count; a schema of 64 KiB without references that lead back has fewer."""


class Cost:
    """What a schema costs.

    Attributes:
        steps: subschemas that are looked at for one place of a value, references followed.
        returns: references that lead back; each may be followed again at each deeper level.
    """

    def __init__(self, schema: Node, *, most_visited: int = MOST_VISITED) -> None:
        """Count; that itself visits so many subschemas at the most.

        Raises:
            InvalidInput: the schema is too expensive for any value.
        """
        self._root = schema
        self._left = most_visited
        self._known: dict[int, tuple[int, int]] = {}
        self.steps, self.returns = self._count(schema, ())
        if self.steps > MOST_STEPS:
            raise InvalidInput("the schema has too many alternatives within alternatives to be checked")

    def of(self, value: object) -> int:
        """Return the most steps that checking this value can take."""
        if self.returns < 2:
            return self.steps
        levels: int = self.returns ** min(_depth(value), 64)
        return min(_FEW_ENOUGH, self.steps * levels)

    def _count(self, node: Node, path: tuple[int, ...]) -> tuple[int, int]:
        if isinstance(node, list):
            return self._sum(node, path, own=0)
        if not isinstance(node, Mapping):
            return 0, 0
        if id(node) in path:
            return 1, 1
        known = self._known.get(id(node))
        if known is None:
            self._left -= 1
            if self._left < 0:
                raise InvalidInput("the schema has too many references that lead back to be checked")
            parts = [part for name, part in node.items() if name not in ("$defs", "definitions", "$ref")]
            target = self._target(node.get("$ref"))
            parts += [] if target is None else [target]
            known = self._sum(parts, (*path, id(node)), own=1)
            if not known[1]:
                # What leads back depends on the way here; what does not is the same from everywhere.
                self._known[id(node)] = known
        return known

    def _sum(self, parts: list[Node], path: tuple[int, ...], own: int) -> tuple[int, int]:
        steps, returns = own, 0
        for part in parts:
            more_steps, more_returns = self._count(part, path)
            steps, returns = steps + more_steps, returns + more_returns
            if steps > MOST_STEPS:
                raise InvalidInput("the schema has too many alternatives within alternatives to be checked")
        return steps, returns

    def _target(self, reference: object) -> Node:
        """Return what a reference within the schema leads to; None for others, which are never followed."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        node = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            node = node.get(name) if isinstance(node, Mapping) else None
        return node


def _depth(value: object) -> int:
    """Return how deeply a JSON value is nested."""
    depth, level = 0, [value]
    while level:
        level = [
            part
            for one in level
            for part in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        ]
        depth += bool(level)
    return depth
