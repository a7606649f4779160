"""The agents of a user: made, listed, changed, renamed, shared, removed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.names import check_description, check_name
from agentic_atlas.backend.domain.records import EVERYONE, AccessLevel, AgentRecord, Share, TaskFailure, Token
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.review import end_connections, look_again, maker_names
from agentic_atlas.backend.rights import Principal, Right, may, require_share
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import agent_info, agent_instance, agent_summary, share_info
from agentic_atlas.errors import InvalidInput, NotFound
from agentic_atlas.protocol.caller.agents import AgentInfo, AgentShares, AgentSummary, HeldTask
from agentic_atlas.protocol.inside.messages import Readmit, ShutOut

MOST_HELD = 100
"""Tasks of an instance that are shown with it."""
AT_ONCE = 500
"""Tasks of a deleted agent that are ended in one go."""


@use_case
async def create(who: Principal, engine: Engine, name: str, description: str = "") -> AgentSummary:
    """Make an agent of the principal's own; raises Conflict (`agent_exists`) or InvalidInput."""
    agent = AgentRecord(
        id=engine.ids("agt"),
        owner_id=who.user.id,
        owner=who.user.name,
        name=check_name(name, "an agent"),
        created_at=engine.clock(),
        description=check_description(description),
    )
    await engine.store.agents.add(agent)
    engine.changes.agent(agent.id)
    return _summary(who, engine, agent)


@use_case
async def find(
    who: Principal,
    engine: Engine,
    *,
    limit: int,
    after: str | None = None,
    part: str = "",
    names: Sequence[str] = (),
) -> list[AgentSummary]:
    """Return the agents the principal may see that have this part in their full name, by it; of names, those alone."""
    found = await engine.store.agents.find(who.visible, limit=limit, after=after, part=part, names=names)
    skills = await engine.store.agents.skill_counts([agent.id for agent in found])
    return [_summary(who, engine, agent, skills.get(agent.id, 0)) for agent in found]


class AgentCounts(NamedTuple):
    """How many agents there are.

    Attributes:
        agents: all that are seen.
        online: those of them that are connected.
        slots: tasks that those can run at the same time.
        slots_used: that they run now.
        owners: how many agents of each owner are seen, by the owner's name.
        names: the full names of those that are online, in their order.
    """

    agents: int
    online: int
    slots: int
    slots_used: int
    owners: Mapping[str, int]
    names: Sequence[str]


@use_case
async def counted(who: Principal, engine: Engine) -> AgentCounts:
    """Return how many agents the principal may see, however many there are."""
    owners = await engine.store.shares.counted(who.visible)
    connected = await engine.store.shares.seen(who.visible, engine.credit.beats.silent().keys())
    usage = [one for agent_id in connected for one in engine.credit.usage(agent_id)]
    online = sorted(name for agent_id, name in connected.items() if engine.credit.online(agent_id) > 0)
    return AgentCounts(
        agents=sum(owners.values()),
        online=len(online),
        slots=sum(one.slots for one in usage),
        slots_used=sum(one.used for one in usage),
        owners=owners,
        names=online,
    )


@use_case
async def show(who: Principal, engine: Engine, name: str) -> AgentInfo:
    """Return one agent: in full for who manages it, and else what it takes to call it; raises NotFound."""
    agent = await _current(who, engine, name)
    skills = await engine.store.agents.skills(agent.id)
    if not who.visible.may(agent, AccessLevel.MANAGE):
        return agent_info(_summary(who, engine, agent, len(skills)), skills)
    instances = await engine.store.agents.instances(agent.id)
    usage = {one.instance_id: one for one in engine.credit.usage(agent.id)}
    running = _running(engine, agent.id) if may(who, Right.READ_TASKS) else {}
    held = {one.id: token for one in instances if (token := engine.access.token(one.id)) is not None}
    makers = await maker_names(engine, held.values())
    shown = [
        agent_instance(one, usage.get(one.id), held.get(one.id), makers, running.get(one.id, ())) for one in instances
    ]
    shares = [share_info(share, name) for share, name in await engine.store.shares.named(agent.id)]
    contested, kept_out = engine.contention.of(agent.id), engine.contention.kept_out(agent.id)
    return agent_info(_summary(who, engine, agent, len(skills)), skills, shown, shares, contested, kept_out)


def _running(engine: Engine, agent_id: str) -> Mapping[str, Sequence[HeldTask]]:
    """Return what each instance of an agent has in hand, the oldest first."""
    found: defaultdict[str, list[HeldTask]] = defaultdict(list)
    for task in sorted(engine.dispatcher.census.held_by(agent_id), key=lambda one: one.id):
        its = found[task.instance_id or ""]
        if len(its) < MOST_HELD:
            its.append(HeldTask(id=task.id, skill=task.skill, state=task.state.value))
    return found


@use_case
async def update(
    who: Principal,
    engine: Engine,
    name: str,
    *,
    description: str | None = None,
    disabled: bool | None = None,
    rename: str | None = None,
) -> AgentSummary:
    """Change what is not None. Disabling closes the agent's connections.

    Of an agent that is renamed nothing else changes: its tokens are good as before, also for code that says the old
    name, and its tasks keep the name that they were asked for by.

    Raises:
        NotFound: there is no such agent. Forbidden: they don't manage it, or want to rename what is not their own.
        Conflict: its owner has an agent of that name (`agent_exists`). InvalidInput: that can be no agent's name.
    """
    agent = await _current(who, engine, name, AccessLevel.MANAGE if rename is None else AccessLevel.OWN)
    at = None if disabled is None else engine.clock() if disabled else 0.0
    changed = await engine.store.agents.update(
        agent.id,
        name=None if rename is None else check_name(rename, "an agent"),
        description=None if description is None else check_description(description),
        disabled_at=at,
    )
    engine.registry.forget(agent.id)
    engine.access.forget()
    engine.changes.agent(agent.id)
    if disabled:
        engine.router.say(ShutOut(agent.id, "agent_disabled"))
    elif disabled is not None:
        engine.router.say(Readmit(agent.id))
    skills = await engine.store.agents.skill_counts([agent.id])
    return _summary(who, engine, changed or agent, skills.get(agent.id, 0))


@use_case
async def share(
    who: Principal, engine: Engine, name: str, subjects: Sequence[str], access: AccessLevel
) -> tuple[AgentRecord, AgentShares]:
    """Share an agent with users, `group:NAME`s or `everyone`, in place of what was shared with them: all, or none.

    Returns it with whom it is shared now. Who could manage it until now and may only call it ends with their tokens.

    Raises:
        NotFound: there is no such agent, or one of the users or groups is none. Forbidden: the agent is not their own;
            or see `rights.require_share`.
        InvalidInput: everyone would manage it, or it is their own already. Conflict: it is shared with too many
            (`too_many_shares`).
    """
    agent = await engine.access.agent(who.user, name, AccessLevel.OWN)
    require_share(who, access)
    keys = await _keys(who, engine, subjects)
    if EVERYONE in keys and access is not AccessLevel.CALL:
        raise InvalidInput("an agent is shared with everyone for calling only: name who shall manage it")
    if f"user:{agent.owner_id}" in keys:
        raise InvalidInput(f"{agent.full_name} is {agent.owner}'s own: share it with others")
    shares = [Share(key, access) for key in keys]
    ended = await engine.store.shares.put(agent.id, shares, engine.clock())
    return agent, await _reshared(who, engine, agent, keys, ended)


@use_case
async def unshare(
    who: Principal, engine: Engine, name: str, subjects: Sequence[str]
) -> tuple[AgentRecord, AgentShares]:
    """Share an agent with users, `group:NAME`s or `everyone` no more: all of these, or none where one is not known.

    Returns it with whom it is shared now. Tasks that they asked for stay theirs, and go on; tokens that they made as
    managers end, unless they may still manage it by another share.

    Raises:
        NotFound: there is no such agent, or one of the users or groups is none. Forbidden: the agent is not their own.
    """
    agent = await engine.access.agent(who.user, name, AccessLevel.OWN)
    keys = await _keys(who, engine, subjects)
    ended = await engine.store.shares.drop(agent.id, keys, engine.clock())
    return agent, await _reshared(who, engine, agent, keys, ended)


@use_case
async def delete(who: Principal, engine: Engine, name: str) -> AgentRecord:
    """Remove an agent with its tokens, and close its connections; its tasks stay, and the lines of its log
    do not. Returns it as it was.

    Raises:
        NotFound: there is no such agent. Forbidden: it is not their own.
    """
    agent = await engine.access.agent(who.user, name, AccessLevel.OWN)
    await engine.store.agents.delete(agent.id)
    engine.registry.forget(agent.id)
    engine.access.forget()
    engine.changes.agent(agent.id, agent)
    engine.router.say(ShutOut(agent.id, "agent_deleted"))
    await _end_tasks(engine, agent)
    if engine.logs is not None:
        await engine.logs.forget(agent.id)
    return agent


async def _end_tasks(engine: Engine, agent: AgentRecord) -> None:
    """End what nobody can run any more."""
    error = TaskFailure("agent_deleted", f"the agent {agent.full_name} was deleted")
    decide = partial(lifecycle.force, attempt=None, error=error, now=engine.clock())
    open_tasks = engine.dispatcher.census.of_agent(agent.id)
    for start in range(0, len(open_tasks), AT_ONCE):
        some = open_tasks[start : start + AT_ONCE]
        # What the store can't carry out now is done as soon as it can: the agent is gone already.
        for write in [engine.dispatcher.insist(task_id, decide) for task_id in some]:
            await write.over()
    engine.dispatcher.forget(agent.id)


def _summary(who: Principal, engine: Engine, agent: AgentRecord, skills: int = 0) -> AgentSummary:
    """Return an agent with what there is of it at the moment, and how many skills it has."""
    usage = engine.credit.usage(agent.id)
    silent = min((one.silent for one in usage), default=None)
    heard_at = None if silent is None else engine.clock() - silent
    waiting = engine.dispatcher.census.queues.length(agent.id)
    level = who.visible.level(agent) or AccessLevel.CALL
    return agent_summary(agent, usage, engine.credit.online(agent.id), waiting, heard_at, level, skills)


async def _current(who: Principal, engine: Engine, name: str, needed: AccessLevel = AccessLevel.CALL) -> AgentRecord:
    known = await engine.access.agent(who.user, name, needed)
    return await engine.store.agents.get(known.id) or known


async def _keys(who: Principal, engine: Engine, subjects: Sequence[str]) -> list[str]:
    """Return whom all of these mean, as shares have it, each once."""
    return list(dict.fromkeys([await _subject(who, engine, one) for one in subjects]))


async def _subject(who: Principal, engine: Engine, named: str) -> str:
    """Return whom `NAME`, `group:NAME` or `everyone` means, as shares have it; a group is one that they see."""
    if named == EVERYONE:
        return EVERYONE
    kind, _, name = named.rpartition(":")
    if kind == "group":
        return f"group:{(await engine.access.group(who.user, name)).id}"
    user = await engine.store.users.by_name(name) if kind in ("", "user") else None
    if user is None:
        raise NotFound(
            f"there is no user {named[:64]!r}: `atlas whoami` tells each what they are called", code="user_not_found"
        )
    return f"user:{user.id}"


async def _reshared(
    who: Principal, engine: Engine, agent: AgentRecord, subjects: Sequence[str], ended: Sequence[Token]
) -> AgentShares:
    """Have it hold from now on, for who watches or is connected as well; return with whom the agent is shared."""
    engine.registry.forget(agent.id)
    engine.changes.agent(agent.id, agent)
    gone = await end_connections(engine, who, ended)
    for subject in subjects:
        kind, _, id_ = subject.partition(":")
        members = await engine.store.groups.members(id_) if kind == "group" else []
        await look_again(engine, [id_] if kind == "user" else [user.id for user in members])
    shares = [share_info(share, name) for share, name in await engine.store.shares.named(agent.id)]
    return AgentShares(items=shares, ended=gone)
