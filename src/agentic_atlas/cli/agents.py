"""`atlas agents`: which agents there are, and what they can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from agentic_atlas.cli import connection, output
from agentic_atlas.cli.options import AgentName, Json

if TYPE_CHECKING:
    from agentic_atlas.sdk.client.records import AgentInfo, AgentInstance, SkillInfo

app = typer.Typer(rich_markup_mode=None, help="The agents of the network, their skills and instances.")


@app.callback(invoke_without_command=True)
def agents(*, context: typer.Context, json: Json = False) -> None:
    """The agents of the network, their skills and instances. Alone: the same as `list`."""
    if context.invoked_subcommand is None:
        show_list(json=json)


@app.command("list")
def show_list(*, json: Json = False) -> None:
    """List the agents, with their status."""

    async def work() -> list[AgentInfo]:
        async with connection.connect() as atlas:
            return [agent async for agent in atlas.agents()]

    found = connection.run(work())
    if json:
        output.document({"items": found})
    elif not found:
        output.aside("There are no agents yet: `atlas init NAME` makes one.")
    else:
        columns = ("agent", "status", "instances", "last seen", "description")
        output.table(columns, [_row(agent) for agent in found])


@app.command("show")
def show_one(*, agent: AgentName, json: Json = False) -> None:
    """Show an agent with its skills and instances."""

    async def work() -> AgentInfo:
        async with connection.connect() as atlas:
            return await atlas.agent(agent)

    found = connection.run(work())
    if json:
        output.document(found)
    else:
        _print(found)


def _row(agent: AgentInfo) -> tuple[str, ...]:
    online = str(agent.instances_online)
    return (agent.full_name or agent.name, agent.status, online, output.moment(agent.last_seen_at), agent.description)


def _print(agent: AgentInfo) -> None:
    output.fields(
        [
            ("agent", agent.full_name or agent.name),
            ("description", agent.description),
            ("status", agent.status),
            ("last seen", output.moment(agent.last_seen_at)),
            ("created", output.moment(agent.created_at)),
        ]
    )
    if agent.skills:
        output.say("")
        output.table(("skill", "input", "streams", "description"), [_skill_row(skill) for skill in agent.skills])
    if agent.instances:
        output.say("")
        columns = ("instance", "online", "host", "process", "runtime", "connected")
        output.table(columns, [_instance_row(instance) for instance in agent.instances])


def _skill_row(skill: SkillInfo) -> tuple[str, ...]:
    return (skill.name, _parameters(skill), "yes" if skill.streams else "no", skill.description)


def _parameters(skill: SkillInfo) -> str:
    """Return the names a skill takes; the ones that may be left out in brackets."""
    fields = skill.input_schema.get("properties")
    required = skill.input_schema.get("required")
    names = fields if isinstance(fields, dict) else {}
    needed = required if isinstance(required, list) else []
    return " ".join(name if name in needed else f"[{name}]" for name in names)


def _instance_row(instance: AgentInstance) -> tuple[str, ...]:
    online = "yes" if instance.online else "no"
    connected = output.moment(instance.connected_at)
    return (instance.id, online, instance.host, str(instance.pid or ""), instance.runtime, connected)
