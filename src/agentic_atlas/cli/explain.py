"""What a skill takes, for people: its parameters with types and defaults, and how to call it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from agentic_atlas.cli import schema
from agentic_atlas.cli.columns import wide
from agentic_atlas.cli.visible import one_line
from agentic_atlas.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentic_atlas.cli.schema import Field, Schema
    from agentic_atlas.sdk.client.records import AgentInfo, SkillInfo

LONGEST_TYPE = 60
"""Characters of a type that are shown; the schema has the rest."""
_EXAMPLE_PARTS = 4


def skill_of(agent: AgentInfo, name: str) -> SkillInfo | None:
    """Return a skill of an agent; None when the platform has not seen any of its skills yet.

    Raises:
        NotFound: the agent has skills, but not this one.
    """
    found = next((skill for skill in agent.skills if skill.name == name), None)
    if found is None and agent.skills:
        from agentic_atlas.cli.command.usage import nearest

        names = sorted(skill.name for skill in agent.skills)
        meant, listed = nearest(name, names), ", ".join(names)
        raise NotFound(f"{agent.name} has no skill `{name}`{meant}; it has: {listed}", code="skill_not_found")
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


def of_skill(agent: str, skill: SkillInfo) -> list[str]:
    """Return a skill with everything it takes, as lines."""
    facts = ", ".join(_facts(skill))
    title = f"{one_line(skill.name)}{f' ({facts})' if facts else ''}"
    description = one_line(skill.description)
    takes = schema.fields(skill.input_schema)
    return [
        f"{title}: {description}" if description else title,
        *_table([_row(field, skill.input_schema) for field in takes]),
        f"  {call(agent, skill.name, skill.input_schema)}",
    ]


def call(agent: str, skill: str, takes: Schema) -> str:
    """Return a command that calls the skill: with everything it needs, or else with a thing it may take."""
    fields = schema.fields(takes)
    shown = [field for field in fields if field.required] or fields[:1]
    pairs = [_pair(field, takes) for field in shown[:_EXAMPLE_PARTS]]
    return " ".join(["atlas call", *(shlex.quote(one_line(word)) for word in (agent, skill, *pairs))])


def _pair(field: Field, root: Schema) -> str:
    if schema.encoding(field.schema, root) is not None:
        return f"{field.name}=@FILE"
    value = schema.example(field.schema, root)
    # Where a plain value would be read as text, JSON has to be said to be JSON.
    plain = isinstance(value, str) or "string" not in schema.kinds(field.schema, root)
    return f"{field.name}{'=' if plain else ':='}{schema.shown(value)}"


def _row(field: Field, root: Schema) -> tuple[str, str, str]:
    kind = one_line(schema.described(field.schema, root))
    kind = kind if len(kind) <= LONGEST_TYPE else f"{kind[: LONGEST_TYPE - 1]}…"
    if field.has_default:
        kind += f" = {one_line(schema.shown(field.schema['default'])) or chr(34) * 2}"
    elif not field.required:
        kind += " (optional)"
    return one_line(field.name), kind, one_line(field.description)


def _table(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    name = max((wide(row[0]) for row in rows), default=0)
    kind = max((wide(row[1]) for row in rows), default=0)
    return [f"    {row[0].ljust(name)}  {row[1].ljust(kind)}  {row[2]}".rstrip() for row in rows]


def _facts(skill: SkillInfo) -> list[str]:
    policy = skill.policy
    retries, timeout = policy.get("retries"), policy.get("timeout")
    facts = ["streams"] if skill.streams else []
    facts += ["at most once"] if policy.get("delivery") == "at_most_once" else []
    facts += [f"{retries} retries"] if retries else []
    facts += [f"timeout {timeout:g} s"] if isinstance(timeout, int | float) else []
    return facts
