"""The agents of a user: made, listed, changed, removed."""

from functools import partial

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.names import check_name
from agentic_atlas.backend.domain.records import AgentRecord, TaskFailure
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import agent_info, agent_summary
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.agents import AgentInfo, AgentSummary
from agentic_atlas.protocol.inside.messages import Readmit, ShutOut

MAX_DESCRIPTION = 1_000
"""Characters of an agent's description."""
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
        description=_description(description),
    )
    await engine.store.agents.add(agent)
    return _summary(engine, agent)


@use_case
async def find(who: Principal, engine: Engine, *, limit: int, after: str | None) -> list[AgentSummary]:
    """Return the agents the principal may see, by full name."""
    found = await engine.store.agents.find(owner_id=who.visible.user_id, limit=limit, after=after)
    return [_summary(engine, agent) for agent in found]


@use_case
async def show(who: Principal, engine: Engine, name: str) -> AgentInfo:
    """Return one agent in full; raises NotFound."""
    agent = await _current(who, engine, name)
    skills = await engine.store.agents.skills(agent.id)
    used = {one.instance_id: one.used for one in engine.credit.usage(agent.id)}
    instances = await engine.store.agents.instances(agent.id)
    tokens = {one.id: token for one in instances if (token := engine.access.token(one.id)) is not None}
    return agent_info(_summary(engine, agent), skills, instances, used, tokens)


@use_case
async def update(
    who: Principal, engine: Engine, name: str, *, description: str | None, disabled: bool | None
) -> AgentSummary:
    """Change what is not None. Disabling closes the agent's connections; raises NotFound."""
    agent = await _current(who, engine, name)
    at = None if disabled is None else engine.clock() if disabled else 0.0
    changed = await engine.store.agents.update(
        agent.id, description=None if description is None else _description(description), disabled_at=at
    )
    engine.registry.forget(agent.id)
    engine.access.forget()
    if disabled:
        engine.router.say(ShutOut(agent.id, "agent_disabled"))
    elif disabled is not None:
        engine.router.say(Readmit(agent.id))
    return _summary(engine, changed or agent)


@use_case
async def delete(who: Principal, engine: Engine, name: str) -> None:
    """Remove an agent with its tokens, and close its connections; its tasks stay. Raises NotFound."""
    agent = await engine.access.agent(who.user, name)
    await engine.store.agents.delete(agent.id)
    engine.registry.forget(agent.id)
    engine.access.forget()
    engine.router.say(ShutOut(agent.id, "agent_deleted"))
    await _end_tasks(engine, agent)


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


def _summary(engine: Engine, agent: AgentRecord) -> AgentSummary:
    """Return an agent with what there is of it at the moment."""
    usage = engine.credit.usage(agent.id)
    silent = min((one.silent for one in usage), default=None)
    heard_at = None if silent is None else engine.clock() - silent
    waiting = engine.dispatcher.census.queues.length(agent.id)
    return agent_summary(agent, usage, engine.credit.online(agent.id), waiting, heard_at)


async def _current(who: Principal, engine: Engine, name: str) -> AgentRecord:
    known = await engine.access.agent(who.user, name)
    return await engine.store.agents.get(known.id) or known


def _description(text: str) -> str:
    if len(text) > MAX_DESCRIPTION:
        raise InvalidInput(f"a description has at most {MAX_DESCRIPTION} characters")
    return text
