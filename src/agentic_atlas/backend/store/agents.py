"""Agents, their skills and instances behind the port."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from agentic_atlas.backend.domain.records import AgentRecord, Instance, SkillRecord, Token
from agentic_atlas.backend.ports import MOST_INSTANCES, Write
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import AGENTS, INSTANCES, SKILLS, TOKENS
from agentic_atlas.backend.store.tables import agent_shares, agents, instances, skills, tokens
from agentic_atlas.backend.store.writer import Writer, statement
from agentic_atlas.errors import Conflict, NotFound


class SqlAgents:
    """`ports.Agents`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, agent: AgentRecord) -> None:
        """See the port."""
        if not await self._writer.submit(statement(lambda connection: _add(connection, agent))):
            raise Conflict(f"{agent.owner} has an agent {agent.name} already", code="agent_exists")

    async def get(self, agent_id: str) -> AgentRecord | None:
        """See the port."""
        return await self._readers.run(lambda connection: _get(connection, agent_id))

    async def by_name(self, owner: str, name: str) -> AgentRecord | None:
        """See the port."""
        return await self._readers.run(lambda connection: _by_name(connection, f"{owner}/{name}"))

    async def find(
        self, visible: Visible, *, limit: int, after: str | None = None, part: str = "", names: Sequence[str] = ()
    ) -> list[AgentRecord]:
        """See the port."""
        further = [] if after is None else [agents.c.full_name > after]
        if part:
            further.append(agents.c.full_name.contains(part, autoescape=True))
        if names:
            further.append(agents.c.full_name.in_(names))
        return await self._readers.run(lambda connection: _find(connection, visible, limit, further))

    async def update(
        self,
        agent_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        disabled_at: float | None = None,
    ) -> AgentRecord | None:
        """See the port."""
        values: dict[str, object] = {}
        if description is not None:
            values["description"] = description
        if disabled_at is not None:
            values["disabled_at"] = disabled_at or None
        return await self._writer.submit(statement(lambda connection: _update(connection, agent_id, name, values)))

    async def delete(self, agent_id: str) -> bool:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _delete(connection, agent_id)))

    async def skills(self, agent_id: str) -> list[SkillRecord]:
        """See the port."""
        return await self._readers.run(lambda connection: _skills(connection, agent_id))

    async def skill_counts(self, agent_ids: Sequence[str]) -> Mapping[str, int]:
        """See the port."""
        return await self._readers.run(lambda connection: _skill_counts(connection, agent_ids))

    async def instances(self, agent_id: str) -> list[Instance]:
        """See the port."""
        return await self._readers.run(lambda connection: _instances(connection, agent_id))

    async def departed(self, agent_id: str, lineage: str, instance_ids: Sequence[str]) -> list[str]:
        """See the port."""
        return await self._readers.run(lambda connection: _departed(connection, agent_id, lineage, instance_ids))

    async def register(self, instance: Instance, description: str, skills: Sequence[SkillRecord]) -> Instance:
        """See the port. Raises NotFound without the agent or token, Conflict when the id is another agent's."""
        return await self._writer.submit(
            statement(lambda connection: _register(connection, instance, description, skills))
        )

    def come_back(self, instance: Instance) -> Write[None]:
        """See the port."""
        return self._writer.submit(statement(lambda connection: _come_back(connection, instance)))

    async def go_on(self, instance_id: str, generation: int, token: Token) -> None:
        """See the port."""
        await self._writer.submit(statement(lambda connection: _go_on(connection, instance_id, generation, token)))

    async def declare(self, agent_id: str, skills: Sequence[SkillRecord]) -> None:
        """See the port."""
        await self._writer.submit(statement(lambda connection: _declare(connection, agent_id, skills)))

    async def depart(self, instance_id: str, generation: int, now: float, seen: float | None = None) -> None:
        """See the port."""
        heard = now if seen is None else seen
        await self._writer.submit(
            statement(lambda connection: _depart(connection, instance_id, generation, now, heard))
        )

    async def seen(self, heard: Mapping[str, float]) -> None:
        """See the port."""
        await self._writer.submit(statement(lambda connection: _seen(connection, heard)))

    async def depart_all(self, now: float) -> list[str]:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _depart_all(connection, now)))


def _add(connection: Connection, agent: AgentRecord) -> bool:
    """Add an agent; False when its name is taken."""
    if _by_name(connection, agent.full_name) is not None:
        return False
    connection.execute(insert(agents).values(AGENTS.values(agent)))
    return True


def _get(connection: Connection, agent_id: str) -> AgentRecord | None:
    """One agent."""
    row = connection.execute(select(*AGENTS.read).where(agents.c.id == agent_id)).one_or_none()
    return AGENTS.value(row) if row else None


def _by_name(connection: Connection, full_name: str) -> AgentRecord | None:
    """The agent of this name."""
    row = connection.execute(select(*AGENTS.read).where(agents.c.full_name == full_name)).one_or_none()
    return AGENTS.value(row) if row else None


def _find(
    connection: Connection, visible: Visible, limit: int, further: Sequence[ColumnElement[bool]]
) -> list[AgentRecord]:
    """Agents by full name: all, or a user's own and those that are shared with them, each part by its index."""
    ordered = [
        select(agents.c.id).where(*which, *further).order_by(agents.c.full_name).limit(limit).subquery()
        for which in whose(visible)
    ]
    theirs = union_all(*(select(part.c.id) for part in ordered))
    query = select(*AGENTS.read).where(agents.c.id.in_(theirs)).order_by(agents.c.full_name).limit(limit)
    return [AGENTS.value(row) for row in connection.execute(query)]


def whose(visible: Visible) -> list[list[ColumnElement[bool]]]:
    """Conditions under which all agents are seen (`rights.Visible.level`), one set for each index to walk."""
    if visible.user_id is None:
        return [[]]
    shared = select(agent_shares.c.agent_id).where(agent_shares.c.subject.in_(visible.subjects))
    return [[agents.c.owner_id == visible.user_id], [agents.c.id.in_(shared)]]


def _update(connection: Connection, agent_id: str, name: str | None, values: dict[str, object]) -> AgentRecord | None:
    """Change some columns of an agent and return it."""
    agent = _get(connection, agent_id)
    if agent is not None and name not in (None, agent.name):
        full_name = f"{agent.owner}/{name}"
        if _by_name(connection, full_name) is not None:
            raise Conflict(f"{agent.owner} has an agent {name} already", code="agent_exists")
        _remember_name(connection, agent)
        values = {**values, "name": name, "full_name": full_name}
    if values:
        connection.execute(update(agents).where(agents.c.id == agent_id).values(values))
    return _get(connection, agent_id)


def _remember_name(connection: Connection, agent: AgentRecord) -> None:
    """Keep the name of an agent with the tokens that were made under it."""
    made = select(*TOKENS.read).where(tokens.c.agent_id == agent.id)
    for token in [TOKENS.value(row) for row in connection.execute(made)]:
        names = " ".join(token.was_called(agent.name).former_names)
        connection.execute(update(tokens).where(tokens.c.id == token.id).values(former_names=names))


def _delete(connection: Connection, agent_id: str) -> bool:
    """Remove an agent; foreign keys remove what is its own."""
    return connection.execute(delete(agents).where(agents.c.id == agent_id)).rowcount > 0


def _skills(connection: Connection, agent_id: str) -> list[SkillRecord]:
    """Skills of an agent, by name."""
    query = select(*SKILLS.read).where(skills.c.agent_id == agent_id).order_by(skills.c.name)
    return [SKILLS.value(row) for row in connection.execute(query)]


def _skill_counts(connection: Connection, agent_ids: Sequence[str]) -> dict[str, int]:
    """How many skills each of these agents has."""
    query = select(skills.c.agent_id, func.count()).where(skills.c.agent_id.in_(agent_ids)).group_by(skills.c.agent_id)
    return dict(connection.execute(query).all())


def _instances(connection: Connection, agent_id: str) -> list[Instance]:
    """Instances of an agent: the connected ones, then those that left, the last to leave first."""
    query = (
        select(*INSTANCES.read).where(instances.c.agent_id == agent_id).order_by(*_PRESENT_FIRST).limit(MOST_INSTANCES)
    )
    return [INSTANCES.value(row) for row in connection.execute(query)]


def _departed(connection: Connection, agent_id: str, lineage: str, instance_ids: Sequence[str]) -> list[str]:
    """Those of these ids that are instances of a lineage of tokens of an agent, and not connected."""
    query = select(instances.c.id).where(
        instances.c.id.in_(instance_ids),
        instances.c.agent_id == agent_id,
        or_(instances.c.token_id == lineage, instances.c.lineage == lineage),
        instances.c.disconnected_at.is_not(None),
    )
    return list(connection.execute(query).scalars())


_PRESENT_FIRST = (
    case((instances.c.disconnected_at.is_(None), 0), else_=1),
    instances.c.disconnected_at.desc(),
    instances.c.connected_at.desc(),
    instances.c.id,
)


def _register(
    connection: Connection, instance: Instance, description: str, declared: Sequence[SkillRecord]
) -> Instance:
    """Store a connected instance and what it says about its agent; return it with its new generation."""
    agent_id, now = instance.agent_id, instance.connected_at
    seen = {"description": description, "last_seen_at": now}
    if not connection.execute(update(agents).where(agents.c.id == agent_id).values(seen)).rowcount:
        raise NotFound("the agent does not exist any more", code="agent_not_found")
    _offer(connection, agent_id, declared)
    _take_seat(connection, instance)
    return _connect(connection, instance)


# Made once: what every agent that comes back is written with.
_NEXT = update(instances).where(
    instances.c.id == bindparam("this"),
    instances.c.agent_id == bindparam("agent"),
    instances.c.token_id == bindparam("token"),
    instances.c.generation == bindparam("last"),
)
_SEEN = update(agents).where(agents.c.id == bindparam("agent")).values(last_seen_at=bindparam("at"))
_USED = (
    update(tokens)
    .where(tokens.c.id == bindparam("token"))
    .values(
        last_used_at=bindparam("at"),
        last_instance=bindparam("by"),
        last_host=bindparam("on"),
        last_address=bindparam("from_where"),
    )
)
_OTHERS_END = (
    update(instances)
    .where(
        instances.c.agent_id == bindparam("agent"),
        or_(instances.c.token_id == bindparam("root"), instances.c.lineage == bindparam("root")),
        instances.c.id != bindparam("this"),
        instances.c.disconnected_at.is_(None),
    )
    .values(disconnected_at=bindparam("at"))
)


def _come_back(connection: Connection, instance: Instance) -> None:
    """Store the next connection of an instance, of which nothing else has changed."""
    this = {"this": instance.id, "agent": instance.agent_id, "token": instance.token_id}
    if not connection.execute(_NEXT, {**INSTANCES.values(instance), **this, "last": instance.generation - 1}).rowcount:
        raise Conflict("what is stored of the instance is not what was known of it", code="instance_changed")
    connection.execute(_SEEN, {"agent": instance.agent_id, "at": instance.connected_at})
    _take_seat(connection, instance)


def _take_seat(connection: Connection, instance: Instance) -> None:
    """One token, one instance: whoever holds it now, no other one is connected, though its end was never stored."""
    connection.execute(_USED, _use(instance, instance.connected_at))
    this = {"this": instance.id, "agent": instance.agent_id, "root": instance.root}
    connection.execute(_OTHERS_END, {**this, "at": instance.connected_at})


def _use(instance: Instance, at: float) -> dict[str, object]:
    """Return what is kept of a token's use by an instance."""
    by = {"by": instance.id, "on": instance.host, "from_where": instance.address}
    return {"token": instance.token_id, "at": at, **by}


def _go_on(connection: Connection, instance_id: str, generation: int, token: Token) -> None:
    """Have a connection of an instance be one of this token, if it is still the latest."""
    this = (instances.c.id == instance_id, instances.c.generation == generation)
    row = connection.execute(select(*INSTANCES.read).where(*this)).one_or_none()
    if row is not None:
        instance = msgspec.structs.replace(INSTANCES.value(row), token_id=token.id, lineage=token.lineage)
        moved = {"token_id": instance.token_id, "lineage": instance.lineage}
        connection.execute(update(instances).where(*this).values(moved))
        connection.execute(_USED, _use(instance, token.issued_at))


def _declare(connection: Connection, agent_id: str, declared: Sequence[SkillRecord]) -> None:
    """Store the skills of an agent that there still is."""
    if _get(connection, agent_id) is not None:
        _offer(connection, agent_id, declared)


def _offer(connection: Connection, agent_id: str, declared: Sequence[SkillRecord]) -> None:
    connection.execute(delete(skills).where(skills.c.agent_id == agent_id))
    if declared:
        connection.execute(insert(skills), [SKILLS.values(skill) for skill in declared])


def _connect(connection: Connection, instance: Instance) -> Instance:
    query = select(*INSTANCES.read).where(instances.c.id == instance.id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        _forget_oldest(connection, instance.agent_id)
        registered = msgspec.structs.replace(instance, generation=instance.generation + 1, disconnected_at=None)
        connection.execute(insert(instances).values(INSTANCES.values(registered)))
        return registered
    last = INSTANCES.value(row)
    if last.agent_id != instance.agent_id or not (
        last.root == instance.root
        or _is_over(connection, last.token_id, instance.connected_at)
        or _is_taken(connection, last)
    ):
        raise Conflict("this instance id belongs to the holder of another token", code="instance_exists")
    generation = max(instance.generation, last.generation + 1) + 1
    registered = msgspec.structs.replace(instance, generation=generation, disconnected_at=None)
    connection.execute(update(instances).where(instances.c.id == instance.id).values(INSTANCES.values(registered)))
    return registered


def _is_over(connection: Connection, token_id: str, now: float) -> bool:
    """Whether nobody can come with this token any more, so that its process may go on with another one."""
    row = connection.execute(select(*TOKENS.read).where(tokens.c.id == token_id)).one()
    return TOKENS.value(row).over(now)


def _is_taken(connection: Connection, last: Instance) -> bool:
    """Whether another instance has the seat of this one's lineage, so that its process may go on with another token."""
    another = select(instances.c.id).where(
        instances.c.agent_id == last.agent_id,
        or_(instances.c.token_id == last.root, instances.c.lineage == last.root),
        instances.c.id != last.id,
        instances.c.disconnected_at.is_(None),
    )
    return connection.execute(another.limit(1)).one_or_none() is not None


def _forget_oldest(connection: Connection, agent_id: str) -> None:
    """Make room for one more instance of the agent."""
    ranked = select(instances.c.id).where(instances.c.agent_id == agent_id).order_by(*_PRESENT_FIRST)
    surplus = ranked.offset(MOST_INSTANCES - 1).subquery()
    gone = instances.c.disconnected_at.is_not(None)
    connection.execute(delete(instances).where(gone, instances.c.id.in_(select(surplus.c.id))))


def _depart(connection: Connection, instance_id: str, generation: int, now: float, seen: float) -> None:
    """Mark an instance as gone, unless it has connected again."""
    this = (instances.c.id == instance_id, instances.c.generation == generation, instances.c.disconnected_at.is_(None))
    if connection.execute(update(instances).where(*this).values(disconnected_at=now)).rowcount:
        agent = select(instances.c.agent_id).where(instances.c.id == instance_id).scalar_subquery()
        connection.execute(update(agents).where(agents.c.id == agent).values(last_seen_at=seen))


def _seen(connection: Connection, heard: Mapping[str, float]) -> None:
    """Keep when each of these agents was heard last."""
    connection.execute(_SEEN, [{"agent": agent_id, "at": at} for agent_id, at in heard.items()])


def _depart_all(connection: Connection, now: float) -> list[str]:
    """Mark every instance as gone; return the ids of the agents that had one."""
    present = instances.c.disconnected_at.is_(None)
    theirs = agents.c.id.in_(select(instances.c.agent_id).where(present))
    found = sorted(connection.execute(select(agents.c.id).where(theirs)).scalars())
    connection.execute(update(instances).where(present).values(disconnected_at=now))
    return found
