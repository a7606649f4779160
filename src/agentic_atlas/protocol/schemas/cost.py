"""What checking a value against a JSON Schema may cost, told from the schema before anything is checked.

A validator tries alternatives one by one and follows references, so a schema of a few lines can ask for any amount of
work. Counted are the steps for one place of a value, and how many times over a place within it is looked at for that:
where alternatives exclude each other it is once, however many there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agentic_atlas.protocol.schemas.branches import Branches
from agentic_atlas.protocol.schemas.keywords import (
    AppliedTo,
    Node,
    SchemaRefused,
    check_form,
    definitions,
    target,
    within,
)
from agentic_atlas.protocol.schemas.patterns import estimate

MOST_STEPS: Final = 100_000
"""Most steps for one place of a value."""
MOST_LEVELS: Final = 120
"""Most schemas one below the other, references followed."""
MOST_PATTERN: Final = 4 * 1024 * 1024
"""Most bytes of one compiled regular expression, as estimated."""
MOST_PATTERNS: Final = 8 * 1024 * 1024
"""Most bytes of those of one schema together."""

DECLARED_BYTES: Final = 512 * 1024
"""Most bytes of the schemas of all skills of an agent."""
DECLARED_PATTERNS: Final = 16 * 1024 * 1024
"""Most bytes of all their regular expressions when compiled, as estimated."""

ENDLESS: Final = 10**12
"""More steps than anybody waits for."""

_TWO = "use simpler types, or make two agents of it"
_STATE = 40 * 16
"""Bytes of a compiled pattern for which a byte of the value costs a step."""
_FORMAT = 100
"""Steps of a format, which is checked in Python."""
_FORMAT_STATE = 128
"""… and it looks at each byte of a text, as a pattern of so many bytes would."""
_AGAIN = 64
"""Values are nested so deeply at the most: a value that is compared with others is looked at again at each level."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a schema costs.

    Attributes:
        steps: most steps for one place of a value.
        growth: how many times over a place is looked at for each time that the place around it is.
        levels: how many places one within the other have a schema; None when it leads back to itself.
        patterns: bytes of the regular expressions when they are compiled.
    """

    steps: int
    growth: int
    levels: int | None
    patterns: int

    def of(self, value: bytes) -> int:
        """Return the most steps that checking a JSON text can take; no more than `ENDLESS`."""
        places = 1 + value.count(b",") + value.count(b"[") + value.count(b"{")
        return min(ENDLESS, places * self._each() + len(value) * self.patterns // _STATE)

    def longest(self, steps: int) -> int:
        """Return how many bytes a JSON text may have, whatever they are, for `of` to be no more than so many steps."""
        each = self._each()
        # Were each of its bytes the beginning of another place.
        return max(0, (steps - each) * _STATE // (each * _STATE + self.patterns))

    def _each(self) -> int:
        """Return the most steps for one place, with all the times that it is looked at."""
        if self.growth <= 1:
            return self.steps
        return ENDLESS if self.levels is None else self.steps * self.growth ** min(self.levels, _AGAIN)


NO_COST: Final = Cost(steps=1, growth=0, levels=0, patterns=0)


def cost_of(schema: object) -> Cost:
    """Count.

    Raises:
        SchemaRefused: the schema refers to others in a form that is not taken, or costs too much for any value.
    """
    return _Count(schema).whole()


def check_together(size: int, patterns: int) -> None:
    """Refuse an agent whose schemas have so many bytes, or so many bytes of patterns.

    Raises:
        SchemaRefused: it is too much.
    """
    if size > DECLARED_BYTES:
        raise SchemaRefused(f"the schemas of all skills have {size} bytes, more than {DECLARED_BYTES}", _TWO)
    if patterns > DECLARED_PATTERNS:
        raise _patterns_refused(f"the patterns of all skills take about {_megabytes(patterns)}")


class _Count:
    def __init__(self, schema: object) -> None:
        self._root = schema
        self._known = definitions(schema)
        self._branches = Branches(schema)
        self._here: dict[int, tuple[int, int]] = {}
        self._below: dict[int, int] = {}
        self._on_the_way: set[int] = set()
        self._leads_back = False
        self._patterns = 0
        self._steps = self._growth = 0

    def whole(self) -> Cost:
        if not isinstance(self._root, Mapping):
            return NO_COST
        self._look_through(self._root, root=True, level=0)
        if self._patterns > MOST_PATTERNS:
            raise _patterns_refused(f"the patterns in its schema take about {_megabytes(self._patterns)} together")
        levels = self._levels(self._root, 0)
        return Cost(self._steps, self._growth, None if self._leads_back else levels, self._patterns)

    def _look_through(self, node: Node, *, root: bool, level: int) -> None:
        """See that all of it has a form that is taken."""
        _check_level(level)
        check_form(node, root=root)
        target(node, self._known)
        named = node.get("patternProperties")
        for pattern in [node.get("pattern"), *(named if isinstance(named, Mapping) else ())]:
            size = estimate(pattern) if isinstance(pattern, str) else 0
            if size > MOST_PATTERN:
                raise _patterns_refused(f'the pattern "{str(pattern)[:100]}" takes about {_megabytes(size)}')
            self._patterns += size
        self._patterns += _FORMAT_STATE if "format" in node else 0
        for _, _, part in within(node):
            self._look_through(part, root=False, level=level + 1)

    def _levels(self, node: Node, level: int) -> int:
        """Return how deep it goes below this schema, having counted all that it leads to."""
        _check_level(level)
        if id(node) in self._on_the_way:
            self._leads_back = True
            return 0
        known = self._below.get(id(node))
        if known is None:
            self._on_the_way.add(id(node))
            steps, growth = self._applied(node, 0)
            self._steps, self._growth = max(self._steps, steps), max(self._growth, growth)
            known = 0
            for place, part in self._parts(node):
                known = max(known, self._levels(part, level + 1) + (place == "below"))
            self._on_the_way.discard(id(node))
            self._below[id(node)] = known
        return known

    def _applied(self, node: Node, level: int) -> tuple[int, int]:
        """Return the steps of a schema for one place, and how often it looks at each place below."""
        _check_level(level)
        known = self._here.get(id(node))
        if known is None:
            self._here[id(node)] = (MOST_STEPS + 1, 0)  # What comes back here for the same value has no end.
            counted: dict[int, tuple[int, int]] = {}
            steps = _own(node)
            for place, part in self._parts(node):
                if place == "here":
                    counted[id(part)] = self._applied(part, level + 1)
                    steps += counted[id(part)][0]
            growth = self._growth_of(node, counted)
            twice = 2 if "unevaluatedProperties" in node or "unevaluatedItems" in node else 1
            known = self._here[id(node)] = steps * twice, growth * twice
        if known[0] > MOST_STEPS:
            raise SchemaRefused(
                "its schema has too many alternatives within alternatives, or leads back to itself for the same value",
                "use fewer, or Any",
            )
        return known

    def _growth_of(self, node: Node, counted: dict[int, tuple[int, int]]) -> int:
        growth = _own_growth(node)
        target_here = target(node, self._known)
        if target_here is not None:
            growth += counted[id(target_here)][1]
        for keyword, place, part in within(node):
            if place == "here" and keyword not in ("anyOf", "oneOf"):
                growth += counted[id(part)][1]
        for keyword in ("anyOf", "oneOf"):
            if isinstance(node.get(keyword), list):
                growth += self._of_alternatives(node, keyword, counted)
        return growth

    def _of_alternatives(self, node: Node, keyword: str, counted: dict[int, tuple[int, int]]) -> int:
        most = 0
        for group in self._branches.groups(node, keyword):
            each = [counted[id(branch)][1] for branch in group.branches if isinstance(branch, Mapping)]
            once = group.tag is not None and group.needed
            most = max(most, max(each, default=0) if once else sum(each))
        return most

    def _parts(self, node: Node) -> list[tuple[AppliedTo, Node]]:
        parts: list[tuple[AppliedTo, Node]] = [(place, part) for _, place, part in within(node) if place != "aside"]
        referred = target(node, self._known)
        return parts if referred is None else [*parts, ("here", referred)]


def _own(node: Node) -> int:
    """Return the steps that the keywords of a schema take themselves."""
    steps = 1 + len(node)
    for keyword in ("enum", "required", "properties", "patternProperties", "dependentRequired", "anyOf", "oneOf"):
        held = node.get(keyword)
        steps += len(held) if isinstance(held, list | Mapping) else 0
    steps += _FORMAT if "format" in node else 0
    return steps + (_AGAIN if node.get("uniqueItems") is True else 0)


def _own_growth(node: Node) -> int:
    """Return how often the keywords of a schema look at one place right below."""
    named = node.get("patternProperties")
    properties = any(keyword in node for keyword in ("properties", "additionalProperties", "propertyNames"))
    items = any(keyword in node for keyword in ("items", "prefixItems", "additionalItems"))
    of_object = properties + (len(named) if isinstance(named, Mapping) else 0) + ("unevaluatedProperties" in node)
    return max(of_object, items + ("contains" in node) + ("unevaluatedItems" in node))


def _check_level(level: int) -> None:
    if level > MOST_LEVELS:
        raise SchemaRefused(f"its schema goes more than {MOST_LEVELS} levels deep", "use flatter types, or Any")


def _patterns_refused(problem: str) -> SchemaRefused:
    return SchemaRefused(
        f"{problem} when compiled, more than the server keeps", "repeat less in it, or check that in the function"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1_048_576:.1f} MB"
