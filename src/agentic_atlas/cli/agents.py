"""`atlas agents`: which agents there are, and what they can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import completion, connection, output, times
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import AgentName, Iso, Json, Utc

if TYPE_CHECKING:
    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.agents import (
        AgentInfo,
        AgentInstance,
        AgentSummary,
        RefusedInstance,
        SecondInstance,
    )
    from agentic_atlas.protocol.caller.resources import ResourceHistory


def show_list(*, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """List the agents, with their status."""

    async def work() -> tuple[list[AgentSummary], str]:
        async with connection.connect() as atlas:
            found = [agent async for agent in atlas.agents.list()]
            return found, "" if found or json else (await atlas.people.whoami()).user.role

    found, role = connection.run(work())
    if json:
        output.document({"items": found})
    elif not found:
        begin = "their owners share them with viewers" if role == "viewer" else "`atlas init NAME` makes one"
        output.aside(f"There are no agents yet: {begin}.")
    else:
        clock = times.clock(utc=utc, iso=iso)
        columns = ("agent", "status", "instances", "last seen", "description")
        output.table(columns, [_row(agent, clock) for agent in found], shrinks=("description", "agent"))


def show_one(
    *,
    agent: AgentName,
    skill: Annotated[
        str | None,
        Option(
            "--skill",
            metavar="SKILL",
            help="Only this skill; with --json its schemas.",
            shell_complete=completion.skills,
        ),
    ] = None,
    every: Annotated[bool, Option("--all", help="The instances of the past too.")] = False,
    utc: Utc = False,
    iso: Iso = False,
    json: Json = False,
) -> None:
    """Show an agent: what its skills take, how to call them, and its instances with what they took in the last hour.

    What they took in other times is in `atlas agents resources`.
    """

    from agentic_atlas.cli import explain
    from agentic_atlas.cli.resources import print_curves

    async def work() -> tuple[AgentInfo, ResourceHistory | None]:
        async with connection.connect() as atlas:
            found = await explain.agent_of(atlas, agent)
            curves = bool(found.instances) and not json and skill is None
            return found, await atlas.agents.resources(agent) if curves else None

    found, history = connection.run(work())
    if skill is not None:
        _show_skill(agent, found, skill, json=json)
    elif json:
        output.document(found)
    else:
        _print(agent, found, times.clock(utc=utc, iso=iso), every=every)
        if history is not None:
            print_curves(history, [one.id for one in found.instances if one.online or every])


def disable(*, agent: AgentName, json: Json = False) -> None:
    """Disconnect an agent's instances. They wait until it is enabled; tasks that were asked for wait too, new ones are
    refused.
    """

    async def work() -> AgentSummary:
        async with connection.connect() as atlas:
            return await atlas.agents.disable(agent)

    _changed(connection.run(work()), "Disabled {}: `atlas agents enable {}` lets it in again.", json=json)


def enable(*, agent: AgentName, json: Json = False) -> None:
    """Let a disabled agent in again: its instances come back by themselves."""

    async def work() -> AgentSummary:
        async with connection.connect() as atlas:
            return await atlas.agents.enable(agent)

    _changed(connection.run(work()), "Enabled {}.", json=json)


def rename(*, agent: AgentName, name: Annotated[str, Argument(metavar="NEW_NAME")], json: Json = False) -> None:
    """Give an agent of yours another name, by which it is called from now on.

    Its tokens are good as before, also for code that still says the old name; tokens that are made from now on are for
    code that says the new one. Its tasks keep the name that they were asked for by.
    """

    async def work() -> AgentSummary:
        async with connection.connect() as atlas:
            return await atlas.agents.rename(agent, name)

    _changed(connection.run(work()), f"{agent} is called {{}} now.", json=json)


def delete(
    *,
    agent: AgentName,
    yes: Annotated[bool, Option("--yes", "-y", help="Without a question.")] = False,
    json: Json = False,
) -> None:
    """Remove an agent with its tokens: its instances are disconnected, and its open tasks fail. What was done stays."""
    from agentic_atlas.cli import explain
    from agentic_atlas.cli.asking import confirm

    async def look() -> AgentInfo:
        async with connection.connect() as atlas:
            return await explain.agent_of(atlas, agent)

    async def work() -> None:
        async with connection.connect() as atlas:
            await atlas.agents.delete(agent)

    if not yes:
        found = connection.run(look())
        asked = connection.one_of_several()
        on = f" on {asked}" if asked else ""
        online = f" {found.instances_online} of its instances are connected." if found.instances_online else ""
        confirm(f"Delete {found.full_name or found.name}{on}, with its tokens?{online}")
    connection.run(work())
    if json:
        output.document({"deleted": agent})
    else:
        output.say(f"Deleted {agent}.")


def _changed(agent: AgentSummary, words: str, *, json: bool) -> None:
    if json:
        output.document(agent)
    else:
        name = agent.full_name or agent.name
        output.say(words.format(name, name))


def _show_skill(typed: str, agent: AgentInfo, name: str, *, json: bool) -> None:
    from agentic_atlas.cli import explain

    skill = explain.known_skill(agent, name)
    if json:
        output.document(skill)
    else:
        output.page("\n".join(explain.of_skill(typed, skill, whole=True)))


def _row(agent: AgentSummary, clock: TimeFormat) -> tuple[str, ...]:
    online = str(agent.instances_online)
    return (agent.full_name or agent.name, agent.status, online, clock.short(agent.last_seen_at), agent.description)


def _print(typed: str, agent: AgentInfo, clock: TimeFormat, *, every: bool) -> None:
    from agentic_atlas.cli.sharing import words_of

    output.fields(
        [
            ("agent", agent.full_name or agent.name),
            ("description", agent.description),
            ("status", agent.status),
            ("slots", _slots(agent)),
            ("last seen", clock.full(agent.last_seen_at)),
            ("created", clock.full(agent.created_at)),
            ("shared with", words_of(agent.shares)),
            ("you may", "" if agent.access == "own" else agent.access),
        ]
    )
    _print_skills(typed, agent)
    _print_instances(agent, clock, every=every)


def _slots(agent: AgentInfo) -> str:
    """Return how many slots are used of how many, in all; empty for an agent that is away."""
    if not agent.slots:
        return ""
    waiting = f", tasks that wait: {agent.tasks_waiting}" if agent.tasks_waiting else ""
    return f"{agent.slots_used} of {agent.slots} used{waiting}"


def _print_skills(typed: str, agent: AgentInfo) -> None:
    from agentic_atlas.cli import explain

    for skill in agent.skills:
        output.say("")
        output.page("\n".join(explain.of_skill(typed, skill)))


def _print_instances(agent: AgentInfo, clock: TimeFormat, *, every: bool) -> None:
    instances = agent.instances
    shown = instances if every else [instance for instance in instances if instance.online]
    if shown:
        output.say("")
        columns = (
            *("instance", "online", "slots", "cpu", "memory", "host", "process", "runtime", "connected", "address"),
            *("token ends", "token by", "takes none for", "runs"),
        )
        rows = [_instance_row(instance, clock) for instance in shown]
        warned = [place for place, instance in enumerate(shown) if _ends_soon(instance, clock)]
        drops = ("runs", "process", "token by", "address", "memory", "cpu")
        output.table(columns, rows, shrinks=("runtime", "host", "runs"), drops=drops, warned=warned)
    if len(shown) < len(instances):
        output.aside(f"Instances of the past: {len(instances) - len(shown)}; --all shows them.")
    for second in agent.second_instances:
        output.aside(_second(second, clock))
    for refused in agent.refused_instances:
        output.aside(_refused(refused, clock))


def _second(second: SecondInstance, clock: TimeFormat) -> str:
    """Return the line for a process that came with a token in use."""
    what = "took the place of" if second.replaced else "was refused beside"
    came = f"{second.id} on {second.host} ({second.address})"
    holder = second.holder or "another process"
    return (
        f"{came} {what} {holder}, {clock.short(second.at)}: both have {second.token_id}. Give each a token of its own."
    )


def _refused(refused: RefusedInstance, clock: TimeFormat) -> str:
    """Return the line for a process that was not let in."""
    whence = f"{refused.host} ({refused.address})" if refused.host else refused.address
    why = f"{refused.message} ({refused.code})" if refused.message else refused.code
    return f"A process on {whence} was refused with {refused.token_id}, {clock.short(refused.at)}: {why}."


def _instance_row(instance: AgentInstance, clock: TimeFormat) -> tuple[str, ...]:
    from agentic_atlas.cli.resources import HELD_UP, size

    online = "yes" if instance.online else "no"
    process = str(instance.pid or "")
    connected = clock.short(instance.connected_at)
    return (
        instance.id,
        online,
        f"{instance.slots_used} of {instance.concurrency}",
        "" if instance.cpu is None else f"{instance.cpu:.0f} %",
        "" if instance.memory_bytes is None else size(instance.memory_bytes),
        instance.host,
        process,
        instance.runtime,
        connected,
        instance.address,
        clock.short(instance.token_ends_at),
        instance.token_made_by,
        HELD_UP.get(instance.holdup or "", ""),
        " ".join(f"{task.skill}:{task.id}" for task in instance.tasks),
    )


def _ends_soon(instance: AgentInstance, clock: TimeFormat) -> bool:
    """Tell whether it is about to end with its token, unless somebody does something about it."""
    ends = instance.token_ends_at
    return ends is not None and not instance.token_renewable and ends.timestamp() - clock.now() < times.SOON
