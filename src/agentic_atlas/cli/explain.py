"""What a skill takes, for people: its parameters with types and defaults, and how to call it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from agentic_atlas.cli import schema, wording
from agentic_atlas.cli.arguments import pair
from agentic_atlas.cli.columns import wide
from agentic_atlas.cli.visible import one_line, visible
from agentic_atlas.errors import Forbidden, NotFound
from agentic_atlas.protocol.schemas import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agentic_atlas.cli.schema import Schema, SchemaField
    from agentic_atlas.protocol.caller.agents import AgentInfo, SkillInfo
    from agentic_atlas.sdk.client.asynchronous import AsyncClient

LONGEST_TYPE = 60
"""Characters of a type that are shown; the schema has the rest."""
_EXAMPLE_PARTS = 6
_MOST_MEANT = 3
"""Agents of one name that are named as what may be meant."""
_DEEPEST = 2
"""Objects within objects whose parts are shown."""


def skill_of(agent: AgentInfo, name: str) -> SkillInfo | None:
    """Return a skill of an agent; None when the platform has not seen any of its skills yet.

    Raises:
        NotFound: the agent has skills, but not this one.
    """
    found = next((skill for skill in agent.skills if skill.name == name), None)
    if found is None and agent.skills:
        names = sorted(skill.name for skill in agent.skills)
        near, listed = words.meant(name, names), ", ".join(names)
        raise NotFound(f"{agent.name} has no skill `{name}`{near}; it has: {listed}", code="skill_not_found")
    return found


def known_skill(agent: AgentInfo, name: str) -> SkillInfo:
    """Return a skill of an agent.

    Raises:
        NotFound: it has no such skill, or the platform has not seen any of its skills yet.
    """
    found = skill_of(agent, name)
    if found is None:
        raise NotFound(f"{agent.name} has not connected yet, so its skills are not known", code="skill_not_found")
    return found


async def agent_seen(atlas: AsyncClient, name: str) -> AgentInfo | None:
    """Return an agent with its skills, or None where one's key is good for no look at agents; raises as `agent_of`."""
    try:
        return await agent_of(atlas, name)
    except Forbidden as error:
        if error.code != "insufficient_scope":
            raise
        return None


async def agent_of(atlas: AsyncClient, name: str) -> AgentInfo:
    """Return an agent with its skills.

    Raises:
        NotFound: there is none of this name that can be seen; the message names the one that was meant, if one is near.
    """
    try:
        return await atlas.agents.get(name)
    except NotFound as error:
        seen = [one.full_name async for one in atlas.agents.list()]
        mine = "" if "/" in name or not seen else (await atlas.people.whoami()).user.name
        hint = _meant(name, seen, mine)
        raise NotFound(f"{error.message}{hint}", code=error.code, detail=error.detail) from None


def _meant(name: str, seen: Sequence[str], mine: str) -> str:
    """Return a question that names the agent of those that are seen that was meant; others' have to be said in full."""
    if "/" in name:
        return words.meant(name, seen)
    by_name: dict[str, list[str]] = {}
    for full_name in seen:
        owner, _, short = full_name.partition("/")
        by_name.setdefault(short, []).append(short if owner == mine else full_name)
    near = name if name in by_name else words.nearest(name, list(by_name))
    return "" if near is None else f" (did you mean {' or '.join(by_name[near][:_MOST_MEANT])}?)"


def of_skill(agent: str, skill: SkillInfo, *, whole: bool = False) -> list[str]:
    """Return a skill with everything it takes, as lines; `whole`: with all of its description."""
    facts = ", ".join(_facts(skill))
    title = f"{one_line(skill.name)}{f' ({facts})' if facts else ''}"
    first, _, more = skill.description.strip().partition("\n\n")
    return [
        f"{title}: {one_line(first)}" if first else title,
        *(f"    {visible(line)}".rstrip() for line in (more.splitlines() if whole else ())),
        *_table(list(_rows(schema.fields(skill.input_schema, skill.input_schema), skill.input_schema))),
        f"  {call(agent, skill.name, skill.input_schema)}",
    ]


def call(agent: str, skill: str, takes: Schema) -> str:
    """Return a command that calls the skill: with everything it needs, or else with a thing it may take."""
    fields = schema.fields(takes, takes)
    shown = [field for field in fields if field.required] or fields[:1]
    pairs = [one for field in shown for one in _pairs(field, takes)]
    return " ".join(["atlas call", *(shlex.quote(one_line(word)) for word in (agent, skill, *pairs[:_EXAMPLE_PARTS]))])


def _pairs(field: SchemaField, root: Schema, within: str = "") -> list[str]:
    """Return what is typed for a field: `key=value`, or one for each part that an object needs."""
    whole = bool(within) or schema.kinds(field.schema, root) != {"object"}
    parts = [] if whole else schema.fields(schema.cases(field.schema, root)[0], root)
    needed = [part for part in parts if part.required]
    if needed:
        return [one for part in needed for one in _pairs(part, root, f"{field.name}.")]
    return [within + _pair(field, root)]


def _pair(field: SchemaField, root: Schema) -> str:
    if schema.encoding(field.schema, root) is not None:
        return f"{field.name}=@FILE"
    value, takes = wording.example(field.schema, root), field.schema
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list | dict):
        # A list is given item by item.
        value, takes = value[0], schema.item(takes, root, 0) or {}
    return pair(field.name, value, takes, root)


def _rows(fields: Sequence[SchemaField], root: Schema, within: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield a row for each field, and behind an object's those for its parts."""
    for field in fields:
        name, kind, description = _row(field, root)
        yield within + name, kind, description
        if within.count(".") < _DEEPEST and "object" in schema.kinds(field.schema, root):
            for case in schema.cases(field.schema, root):
                yield from _rows(schema.fields(case, root), root, f"{within}{name}.")


def _row(field: SchemaField, root: Schema) -> tuple[str, str, str]:
    kind = one_line(wording.described(field.schema, root))
    kind = kind if len(kind) <= LONGEST_TYPE else f"{kind[: LONGEST_TYPE - 1]}…"
    if field.has_default:
        kind += f" = {one_line(wording.shown(field.schema['default'])) or chr(34) * 2}"
    elif not field.required:
        kind += " (optional)"
    return one_line(field.name), kind, one_line(field.description)


def _table(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    name = max((wide(row[0]) for row in rows), default=0)
    kind = max((wide(row[1]) for row in rows), default=0)
    return [f"    {row[0].ljust(name)}  {row[1].ljust(kind)}  {row[2]}".rstrip() for row in rows]


def _facts(skill: SkillInfo) -> list[str]:
    policy = skill.policy
    facts = ["streams"] if skill.streams else []
    facts += ["at most once"] if policy.delivery == "at_most_once" else []
    facts += [f"{policy.retries} retries"] if policy.retries else []
    facts += [f"timeout {policy.timeout:g} s"] if policy.timeout is not None else []
    return facts
