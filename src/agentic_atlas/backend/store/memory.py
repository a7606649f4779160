"""A store of dictionaries, which ends with its process: for tests, and without a database.

It keeps the promises of `ports.Store` that do not speak of a disk; writes happen at once, in the order of the calls.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence, Sized
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from agentic_atlas.backend.accounts import LoggedOut
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.audit import NAMELESS, AuditEvent, ChainHead, chained, genesis
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.names import TASK, earliest
from agentic_atlas.backend.domain.people import Entry, administers_no_more, last_administrator, owns_agents
from agentic_atlas.backend.domain.questions import SILENCE
from agentic_atlas.backend.domain.records import (
    AgentRecord,
    ApiKey,
    CallerRef,
    CallKey,
    Instance,
    Role,
    SkillRecord,
    Submitted,
    Task,
    TaskEvent,
    Token,
    User,
    same_request,
)
from agentic_atlas.backend.ports import (
    EVENT_PAGE_BYTES,
    MOST_INSTANCES,
    MOST_MESSAGE,
    MOST_OF_LINEAGE,
    MOST_SECRETS,
    AuditFilter,
    Changed,
    Decide,
    Ended,
    Ids,
    KeyUse,
    NamedToken,
    Summary,
    TaskFilter,
    Write,
)
from agentic_atlas.backend.rights import Visible, manages, share_ended
from agentic_atlas.backend.store.cursors import cursor_after, id_in
from agentic_atlas.backend.store.memory_attention import MemoryAttention
from agentic_atlas.backend.store.memory_people import MemoryAccounts, MemorySessions
from agentic_atlas.backend.store.memory_resources import MemoryResources
from agentic_atlas.backend.store.memory_sharing import MemoryGroups, MemoryShares
from agentic_atlas.backend.store.memory_statistics import MemoryStatistics
from agentic_atlas.backend.store.memory_traces import MemoryTraces
from agentic_atlas.errors import Conflict, NotFound
from agentic_atlas.protocol.caller.audit import AuditEntry
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.tasks import LEASED, TaskState

T = TypeVar("T")
R = TypeVar("R", ApiKey, Token)

_STAMPS = ("queue_expires_at", "not_before", "accepted_at", "cancel_at")


class MemoryStore:
    """`ports.Store`."""

    def __init__(self, ids: Ids) -> None:
        self._network_id = ids("net")
        people: dict[str, User] = {}
        agents: dict[str, AgentRecord] = {}
        self.users = MemoryUsers(people)
        self.accounts = self.users.accounts
        self.sessions = self.users.sessions
        self.agents = MemoryAgents(self.users, agents)
        self.users.owned = self.agents.find
        self.shares = MemoryShares(people, agents, self.agents.tokens.end_unmanaged)
        self.users.end_unmanaged = self.agents.tokens.end_unmanaged
        self.groups = MemoryGroups(people, agents, self.shares)
        self.tokens = self.agents.tokens
        self.tasks = MemoryTasks(self.agents)
        self.attention = MemoryAttention(agents, self.tokens)
        self.traces = MemoryTraces(lambda: self.tasks)
        self.statistics = MemoryStatistics(lambda: self.tasks, agents, people)
        self.resources = MemoryResources(agents, lambda: self.agents._instances)
        self.audit = MemoryAudit(self._network_id)

    async def network_id(self) -> str:
        """See the port."""
        return self._network_id

    async def counts(self) -> Mapping[str, int]:
        """See the port."""
        kept: dict[str, Sized] = {"tasks": self.tasks._tasks, "agents": self.agents._agents}
        kept |= {"tokens": self.tokens._tokens, "users": self.users._users, "api_keys": self.users._keys}
        return {name: len(rows) for name, rows in kept.items()} | {"audit": len(self.audit._entries)}

    async def ready(self) -> None:
        """See the port."""


class MemoryTasks:
    """`ports.Tasks`."""

    def __init__(self, agents: "MemoryAgents") -> None:
        self._agents = agents
        self._tasks: dict[str, Task] = {}
        self._open: dict[str, Task] = {}
        self._events: dict[str, list[TaskEvent]] = {}
        self._keys: dict[CallKey, str] = {}

    def add(self, change: Change) -> Write[Submitted]:
        """See the port."""
        return _carried_out(self._settle, partial(self._add, change))

    def change(self, task_id: str, decide: Decide) -> Write[Changed]:
        """See the port."""
        return _carried_out(self._settle, partial(self._change, task_id, decide))

    def claim(
        self, agent_id: str, slots: Sequence[InstanceRef], now: float, skills: Collection[str] | None = None
    ) -> Write[list[Changed]]:
        """See the port."""
        return _carried_out(self._settle, partial(self._claim, agent_id, slots, now, skills))

    def shift(self, seconds: float) -> Write[None]:
        """See the port."""
        return _carried_out(self._settle, partial(self._shift, seconds))

    def _settle(self, write: Write[T], outcome: T | Exception) -> None:
        _settle_soon(write, outcome)

    async def get(self, task_id: str) -> Task | None:
        """See the port."""
        return self._tasks.get(task_id)

    async def summary(self, task_id: str) -> Summary | None:
        """See the port."""
        task = self._tasks.get(task_id)
        return None if task is None else _summary_of(task)

    async def with_key(self, caller: CallerRef, idempotency_key: str) -> Task | None:
        """See the port."""
        return self._tasks.get(self._keys.get(caller.key(idempotency_key), ""))

    async def find(
        self, which: TaskFilter, *, limit: int, after: str | None = None
    ) -> tuple[list[Summary], str | None]:
        """See the port."""
        before = None if after is None else id_in(after)
        found = [task for task in self._tasks.values() if self._fits(which, task) and (not before or task.id < before)]
        found = sorted(found, key=lambda task: task.id, reverse=True)
        items = [_summary_of(task) for task in found[:limit]]
        return items, cursor_after(items[-1].task.id) if len(found) > limit else None

    async def events(
        self, task_id: str, *, after: int = 0, limit: int = 1000, most_bytes: int = EVENT_PAGE_BYTES
    ) -> list[TaskEvent]:
        """See the port."""
        found: list[TaskEvent] = []
        for event in [one for one in self._events.get(task_id, ()) if one.seq > after][:limit]:
            most_bytes -= len(event.data)
            if found and most_bytes < 0:
                break
            found.append(event)
        return found

    async def open(self) -> list[Task]:
        """See the port."""
        return [replace(task, input=b"") for task in self._open.values()]

    def now(self, task_id: str) -> Task:
        """Return a task that there is, as it is now; from any thread."""
        return self._tasks[task_id]

    async def held_by(self, *instance_ids: str) -> list[Task]:
        """See the port."""
        return [task for task in self._open.values() if task.state in LEASED and task.instance_id in instance_ids]

    def _add(self, change: Change) -> Submitted:
        task = change.task
        key = task.key
        if key in self._keys:
            return Submitted(self._tasks[self._keys[key]], created=False)
        if task.id in self._tasks:
            raise Conflict(f"it is there already: task {task.id}")
        if key is not None:
            self._keys[key] = task.id
        self._keep(change)
        return Submitted(task, created=True)

    def _change(self, task_id: str, decide: Decide) -> Changed:
        task = self._tasks.get(task_id)
        change = None if task is None else decide(task)
        if task is None or change is None:
            return Changed(task)
        assert same_request(task, change.task), "a change leaves alone what was asked for"
        return self._keep(change)

    def _claim(
        self, agent_id: str, slots: Sequence[InstanceRef], now: float, skills: Collection[str] | None
    ) -> list[Changed]:
        waiting = [
            task
            for task in self._open.values()
            if task.agent_id == agent_id
            and task.state is TaskState.SUBMITTED
            and (task.not_before is None or task.not_before <= now)
            and (skills is None or task.skill in skills)
        ]
        waiting.sort(key=lambda task: (-task.priority, task.position, task.id))
        claims = [lifecycle.claim(task, slot.instance_id, now) for task, slot in zip(waiting, slots, strict=False)]
        return [self._keep(claim) for claim in claims if claim is not None]

    def _shift(self, seconds: float) -> None:
        for task in list(self._open.values()):
            stamps = {name: at + seconds for name in _STAMPS if (at := getattr(task, name)) is not None}
            self._keep(Change(replace(task, dialogue=task.dialogue.shifted(seconds), **stamps)))

    def _keep(self, change: Change) -> Changed:
        task, events = change.task, self._events.setdefault(change.task.id, [])
        if events and change.events and change.events[0].seq <= events[-1].seq:
            raise Conflict(f"it is there already: event {change.events[0].seq} of task {task.id}")
        events.extend(change.events)
        self._tasks[task.id] = task
        if task.terminal:
            self._open.pop(task.id, None)
        else:
            self._open[task.id] = task
        return Changed(task, change.events, changed=True)

    def _fits(self, which: TaskFilter, task: Task) -> bool:
        asked = (
            (which.agent_id, task.agent_id),
            (which.parent_id, task.parent_id),
            (which.trace_id, task.trace_id),
            (which.skill, task.skill),
            (which.owner_id, task.owner_id),
            (which.error, task.error.code if task.error else ""),
            (which.prefix, task.id[: len(which.prefix or "")]),
        )
        if any(wanted not in (None, there) for wanted, there in asked):
            return False
        if which.since is not None and (task.created_at < which.since or task.id < earliest(TASK, which.since - 60)):
            return False
        if which.until is not None and task.created_at >= which.until:
            return False
        if which.caller_ids and task.caller.id not in which.caller_ids:
            return False
        in_state = not which.states or task.state in which.states
        return in_state and which.visible.task(task.caller.id, task.owner_id, self._agents.known(task.agent_id))


class MemoryAgents:
    """`ports.Agents`."""

    def __init__(self, users: "MemoryUsers", agents: dict[str, AgentRecord]) -> None:
        self.tokens = MemoryTokens(self)
        self.users = users
        self._agents = agents
        self._skills: dict[str, list[SkillRecord]] = {}
        self._instances: dict[str, Instance] = {}

    async def add(self, agent: AgentRecord) -> None:
        """See the port. Raises NotFound without the owner."""
        if await self.by_name(agent.owner, agent.name) is not None:
            raise Conflict(f"{agent.owner} has an agent {agent.name} already", code="agent_exists")
        self.users.known(agent.owner_id)
        self._agents[agent.id] = agent

    async def get(self, agent_id: str) -> AgentRecord | None:
        """See the port."""
        return self._agents.get(agent_id)

    async def by_name(self, owner: str, name: str) -> AgentRecord | None:
        """See the port."""
        return next((agent for agent in self._agents.values() if (agent.owner, agent.name) == (owner, name)), None)

    async def find(
        self, visible: Visible, *, limit: int, after: str | None = None, part: str = "", names: Sequence[str] = ()
    ) -> list[AgentRecord]:
        """See the port."""
        theirs = [agent for agent in self._agents.values() if visible.level(agent) is not None]
        theirs = [one for one in theirs if not names or one.full_name in names]
        theirs = [one for one in theirs if part in one.full_name and (after is None or one.full_name > after)]
        return sorted(theirs, key=lambda agent: agent.full_name)[:limit]

    async def update(
        self,
        agent_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        disabled_at: float | None = None,
    ) -> AgentRecord | None:
        """See the port."""
        agent = self._agents.get(agent_id)
        if agent is not None and name is not None and name != agent.name:
            if await self.by_name(agent.owner, name) is not None:
                raise Conflict(f"{agent.owner} has an agent {name} already", code="agent_exists")
            self.tokens.was_called(agent)
            agent = replace(agent, name=name)
        if agent is not None and description is not None:
            agent = replace(agent, description=description)
        if agent is not None and disabled_at is not None:
            agent = replace(agent, disabled_at=disabled_at or None)
        if agent is not None:
            self._agents[agent_id] = agent
        return agent

    async def delete(self, agent_id: str) -> bool:
        """See the port."""
        self._skills.pop(agent_id, None)
        self._instances = {one.id: one for one in self._instances.values() if one.agent_id != agent_id}
        self.tokens.forget(agent_id)
        return self._agents.pop(agent_id, None) is not None

    async def skills(self, agent_id: str) -> list[SkillRecord]:
        """See the port."""
        return list(self._skills.get(agent_id, ()))

    async def skill_counts(self, agent_ids: Sequence[str]) -> Mapping[str, int]:
        """See the port."""
        return {agent_id: len(self._skills[agent_id]) for agent_id in agent_ids if self._skills.get(agent_id)}

    async def instances(self, agent_id: str) -> list[Instance]:
        """See the port."""
        return _present_first(self._instances.values(), agent_id)[:MOST_INSTANCES]

    async def departed(self, agent_id: str, lineage: str, instance_ids: Sequence[str]) -> list[str]:
        """See the port."""
        gone = (one for one in self._instances.values() if one.disconnected_at is not None)
        return [one.id for one in gone if (one.agent_id, one.root) == (agent_id, lineage) and one.id in instance_ids]

    async def register(self, instance: Instance, description: str, skills: Sequence[SkillRecord]) -> Instance:
        """See the port. Raises NotFound without the agent or token, Conflict when the id is another agent's."""
        now, last = instance.connected_at, self._instances.get(instance.id)
        if instance.agent_id not in self._agents:
            raise NotFound("the agent does not exist any more", code="agent_not_found")
        if last is not None and (
            last.agent_id != instance.agent_id
            or not (
                last.root == instance.root
                or self.tokens.is_over(last.token_id, now)
                or _is_taken(last, self._instances.values())
            )
        ):
            raise Conflict("this instance id belongs to the holder of another token", code="instance_exists")
        self.tokens.used(instance, now)
        self._agents[instance.agent_id] = replace(
            self._agents[instance.agent_id], description=description, last_seen_at=now
        )
        await self.declare(instance.agent_id, skills)
        generation = instance.generation if last is None else max(instance.generation, last.generation + 1)
        registered = replace(instance, generation=generation + 1, disconnected_at=None)
        _seat(self._instances, registered)
        for surplus in _present_first(self._instances.values(), instance.agent_id)[MOST_INSTANCES:]:
            del self._instances[surplus.id]
        return registered

    def come_back(self, instance: Instance) -> Write[None]:
        """See the port."""

        def work() -> None:
            last = self._instances.get(instance.id)
            before = (instance.agent_id, instance.token_id, instance.generation - 1)
            if last is None or (last.agent_id, last.token_id, last.generation) != before:
                raise Conflict("what is stored of the instance is not what was known of it", code="instance_changed")
            agent = self._agents[instance.agent_id]
            self.tokens.used(instance, instance.connected_at)
            self._agents[instance.agent_id] = replace(agent, last_seen_at=instance.connected_at)
            _seat(self._instances, instance)

        return _carried_out(_settle_soon, work)

    async def go_on(self, instance_id: str, generation: int, token: Token) -> None:
        """See the port."""
        instance = self._instances.get(instance_id)
        if instance is not None and instance.generation == generation:
            self._instances[instance_id] = replace(instance, token_id=token.id, lineage=token.lineage)
            self.tokens.used(self._instances[instance_id], token.issued_at)

    async def declare(self, agent_id: str, skills: Sequence[SkillRecord]) -> None:
        """See the port."""
        if agent_id in self._agents:
            self._skills[agent_id] = sorted(skills, key=lambda skill: skill.name)

    async def depart(self, instance_id: str, generation: int, now: float, seen: float | None = None) -> None:
        """See the port."""
        instance = self._instances.get(instance_id)
        if instance is None or instance.generation != generation or instance.disconnected_at is not None:
            return
        self._instances[instance_id] = replace(instance, disconnected_at=now)
        await self.seen({instance.agent_id: now if seen is None else seen})

    async def seen(self, heard: Mapping[str, float]) -> None:
        """See the port."""
        for agent_id in heard.keys() & self._agents.keys():
            self._agents[agent_id] = replace(self._agents[agent_id], last_seen_at=heard[agent_id])

    async def depart_all(self, now: float) -> list[str]:
        """See the port."""
        present = [one for one in self._instances.values() if one.disconnected_at is None]
        self._instances |= {one.id: replace(one, disconnected_at=now) for one in present}
        return sorted({one.agent_id for one in present})

    async def with_owner(self, agent_id: str) -> tuple[AgentRecord, User] | None:
        """Return the agent and whose it is."""
        agent = self._agents.get(agent_id)
        owner = None if agent is None else await self.users.get(agent.owner_id)
        return None if agent is None or owner is None else (agent, owner)

    def known(self, agent_id: str) -> AgentRecord | None:
        """Return the agent, at once."""
        return self._agents.get(agent_id)


def _seat(among: dict[str, Instance], instance: Instance) -> None:
    """Store an instance that has the one seat of its token's lineage."""
    for other in list(among.values()):
        if other.root == instance.root and other.disconnected_at is None:
            among[other.id] = replace(other, disconnected_at=instance.connected_at)
    among[instance.id] = instance


def _is_taken(last: Instance, among: Iterable[Instance]) -> bool:
    """Whether another instance has the seat of this one's lineage, so that its process may go on with another token."""
    others = (one for one in among if one.root == last.root and one.id != last.id)
    return any(one.disconnected_at is None for one in others)


def _present_first(instances: Iterable[Instance], agent_id: str) -> list[Instance]:
    """All instances of the agent: the connected ones, then the last to leave."""
    never = float("inf")
    return sorted(
        (one for one in instances if one.agent_id == agent_id),
        key=lambda one: (-(one.disconnected_at or never), -one.connected_at, one.id),
    )


class MemoryTokens:
    """`ports.Tokens`."""

    def __init__(self, agents: MemoryAgents) -> None:
        self._agents = agents
        self._tokens: dict[str, Token] = {}

    async def add(self, token: Token) -> None:
        """See the port. Raises NotFound without the agent."""
        if self._agents.known(token.agent_id) is None:
            raise _no_parent()
        if token.id in self._tokens:
            raise Conflict(f"it is there already: token {token.id}")
        if not self._managed(token):
            raise share_ended()
        self._tokens[token.id] = token

    async def get(self, token_id: str) -> Token | None:
        """See the port."""
        return self._tokens.get(token_id)

    async def bearer(self, token_id: str) -> tuple[Token, AgentRecord, User] | None:
        """See the port."""
        token = self._tokens.get(token_id)
        held = None if token is None else await self._agents.with_owner(token.agent_id)
        return None if token is None or held is None else (token, *held)

    async def of_agent(self, agent_id: str) -> list[Token]:
        """See the port."""
        theirs = (token for token in self._tokens.values() if token.agent_id == agent_id)
        return _newest(theirs, lambda token: (token.issued_at, token.id))

    async def of_lineage(self, lineage: str) -> list[Token]:
        """See the port."""
        return _newest(self._in(lineage), lambda token: (token.issued_at, token.id))

    async def renew(self, token: Token, of: str) -> bool:
        """See the port."""
        before = self._tokens.get(of)
        if before is None or before.retires_at is not None or before.revoked_at is not None:
            return False
        over = [one.id for one in self._in(token.root) if one.lineage and one.expires_at <= token.issued_at]
        held = {one.token_id for one in await self._agents.instances(token.agent_id)}
        for token_id in set(over[:-MOST_OF_LINEAGE]) - held:
            del self._tokens[token_id]
        await self.add(token)
        return True

    async def rotate(self, token: Token, of: str, at: float) -> list[Token] | None:
        """See the port."""
        before = self._tokens.get(of)
        if before is None or before.revoked:
            return None
        living = [one for one in self._in(token.root) if not one.over(token.issued_at)]
        retired = [replace(one, retires_at=at if one.retires_at is None else min(at, one.retires_at)) for one in living]
        await self.add(token)
        self._tokens |= {one.id: one for one in retired}
        return retired

    def end_unmanaged(self, now: float) -> list[Token]:
        """Revoke the tokens made by a share of whoever may not manage their agent any more, and return them."""
        ended = [one for one in self._tokens.values() if not one.over(now) and not self._managed(one)]
        revoked = {one.id: replace(one, revoked_at=now) for one in ended}
        self._tokens |= revoked
        return [revoked[token_id] for token_id in sorted(revoked)]

    def _managed(self, token: Token) -> bool:
        agent, maker = self._agents.known(token.agent_id), self._agents.users.somebody(token.made_by)
        return not token.by_share or (agent is not None and manages(maker, agent))

    async def revoke(self, token_id: str, now: float) -> Token | None:
        """See the port."""
        token = self._tokens.get(token_id)
        for one in self._in(token.root) if token is not None else ():
            self._tokens[one.id] = replace(_revoked(self._tokens, one, now) or one, withdrawn=False)
        return self._tokens.get(token_id)

    async def resting_on(self, key_id: str, now: float) -> list[NamedToken]:
        """See the port."""
        unended = (one for one in self._tokens.values() if one.rests_on(key_id) and not one.over(now))
        named = ((one, self._agents.known(one.agent_id)) for one in sorted(unended, key=lambda one: one.id))
        return [(one, agent.full_name) for one, agent in named if agent is not None]

    async def withdraw(self, key_id: str, now: float) -> list[NamedToken]:
        """See the port."""
        ended = await self.resting_on(key_id, now)
        self._end([one for one in self._tokens.values() if one.rests_on(key_id)], now)
        return ended

    async def withdraw_others(self, key_ids: Collection[str], now: float) -> None:
        """See the port."""
        others = (one for one in self._tokens.values() if one.key_id not in (*key_ids, "") and one.expires_at > now)
        self._end(list(others), now)

    def _end(self, ended: Sequence[Token], now: float) -> None:
        """Mark tokens withdrawn that are not revoked."""
        valid = (one for one in ended if one.revoked_at is None)
        self._tokens |= {one.id: replace(one, revoked_at=now, withdrawn=True) for one in valid}

    def is_over(self, token_id: str, now: float) -> bool:
        """Whether nobody can come with this token any more."""
        return self._tokens[token_id].over(now)

    def used(self, instance: Instance, now: float) -> None:
        """Note who used a token; raises NotFound without it."""
        if instance.token_id not in self._tokens:
            raise _no_parent()
        self._tokens[instance.token_id] = replace(
            self._tokens[instance.token_id],
            last_used_at=now,
            last_instance=instance.id,
            last_host=instance.host,
            last_address=instance.address,
        )

    def _in(self, lineage: str) -> list[Token]:
        return sorted((one for one in self._tokens.values() if one.root == lineage), key=lambda one: one.id)

    def was_called(self, agent: AgentRecord) -> None:
        """The agent is about to be given another name."""
        made = {one.id: one.was_called(agent.name) for one in self._tokens.values() if one.agent_id == agent.id}
        self._tokens |= made

    def forget(self, agent_id: str) -> None:
        """The agent was deleted."""
        self._tokens = {token.id: token for token in self._tokens.values() if token.agent_id != agent_id}


class MemoryUsers:
    """`ports.Users`.

    Attributes:
        owned: returns the agents of a user.
        end_unmanaged: ends the tokens of whoever manages their agents no more, at a time, and returns them.
    """

    owned: Callable[..., Awaitable[list[AgentRecord]]]
    end_unmanaged: Callable[[float], list[Token]]

    def __init__(self, users: dict[str, User]) -> None:
        self.accounts = MemoryAccounts(self)
        self.sessions = MemorySessions(self)
        self._users = users
        self._keys: dict[str, ApiKey] = {}

    async def add(self, user: User) -> None:
        """See the port."""
        if await self.by_name(user.name) is not None:
            raise Conflict(f"there is a user {user.name} already", code="user_exists")
        self._users[user.id] = user

    async def get(self, user_id: str) -> User | None:
        """See the port."""
        return self._users.get(user_id)

    async def by_name(self, name: str) -> User | None:
        """See the port."""
        return next((user for user in self._users.values() if user.name == name), None)

    async def find(self, *, limit: int, after: str | None = None, part: str = "") -> list[User]:
        """See the port."""
        found = [user for user in self._users.values() if part in user.name and (after is None or user.name > after)]
        return sorted(found, key=lambda user: user.name)[:limit]

    async def update(
        self, user_id: str, now: float, *, role: Role | None = None, disabled_at: float | None = None
    ) -> tuple[User | None, Ended]:
        """See the port."""
        user = self._users.get(user_id)
        if user is None:
            return None, ([], [], [])
        at = user.disabled_at if disabled_at is None else disabled_at or None
        changed = replace(user, role=role or user.role, disabled_at=at)
        if not changed.administers:
            _check_others(self._users, user_id)
        if changed.role is not user.role:
            self.accounts.forget_invitations(user_id)
        self._users[user_id] = changed
        return changed, self._end(user_id, now)

    async def add_key(self, key: ApiKey, entry: Entry | None = None) -> bool:
        """See the port."""
        if not self.may_enter(key.user_id, entry or (lambda *_: True)):
            return False
        self.check_maker(key.made_by)
        self._keys[key.id] = key
        return True

    async def key_by_digest(self, digest: bytes) -> tuple[ApiKey, User] | None:
        """See the port."""
        key = next((key for key in self._keys.values() if key.digest == digest), None)
        return None if key is None else (key, self._users[key.user_id])

    async def keys_of(self, user_id: str) -> list[ApiKey]:
        """See the port."""
        theirs = (key for key in self._keys.values() if key.user_id == user_id)
        return _newest(theirs, lambda key: (key.created_at, key.id))

    async def find_keys(
        self, *, limit: int, user_id: str | None = None, after: str | None = None
    ) -> list[tuple[ApiKey, User]]:
        """See the port."""
        newest = sorted(self._keys.values(), key=lambda key: key.id, reverse=True)
        wanted = [key for key in newest if user_id in (None, key.user_id) and (after is None or key.id < after)]
        return [(key, self._users[key.user_id]) for key in wanted[:limit]]

    async def revoke_key(self, key_id: str, user_id: str | None, now: float) -> ApiKey | None:
        """See the port; the first time of revoking stays."""
        key = self._keys.get(key_id)
        return _revoked(self._keys, key if key is not None and user_id in (None, key.user_id) else None, now)

    async def keys_used(self, uses: Mapping[str, KeyUse]) -> None:
        """See the port."""
        for key_id in uses.keys() & self._keys.keys():
            at, address = uses[key_id]
            self._keys[key_id] = replace(self._keys[key_id], last_used_at=at, last_address=address)

    async def delete(self, user_id: str, now: float) -> Ended | None:
        """See the port."""
        if owned := await self.owned(Visible(user_id), limit=4):
            raise owns_agents([agent.name for agent in owned])
        _check_others(self._users, user_id)
        self.accounts.forget(user_id)
        self.sessions.forget(user_id)
        self._keys = {key.id: key for key in self._keys.values() if key.user_id != user_id}
        return None if self._users.pop(user_id, None) is None else self._end(user_id, now)

    def _end(self, user_id: str, now: float) -> Ended:
        """End what a user has made and may not make any more, and return it."""
        ended, user = self.end_unmanaged(now), self.somebody(user_id)
        if user is not None and user.administers:
            return ended, [], []
        theirs = [key for key in self._keys.values() if key.made_by == user_id and key.good(now)]
        revoked = {key.id: replace(key, revoked_at=now) for key in theirs}
        self._keys |= revoked
        return (
            ended,
            [revoked[key_id] for key_id in sorted(revoked)],
            self.accounts.end_invitations(now, made_by=user_id),
        )

    def check_maker(self, user_id: str) -> None:
        """Raise Forbidden when who makes something for somebody else administers no more."""
        user = self.somebody(user_id)
        if user_id and (user is None or not user.administers):
            raise administers_no_more()

    def somebody(self, user_id: str) -> User | None:
        """Return this user, at once."""
        return self._users.get(user_id)

    def may_enter(self, user_id: str, entry: Entry) -> bool:
        """Tell whether this user may come in; raises NotFound without them."""
        return entry(self.known(user_id), self.accounts.held(user_id))

    def seen(self, user_id: str, now: float, idle: float) -> tuple[float | None, float | None, int]:
        """Return when this user logged in last, when they were seen last, and how many sessions are not over."""
        sessions = self.sessions.held(user_id)
        keys = [key for key in self._keys.values() if key.user_id == user_id]
        logins = [one.created_at for one in sessions] + [key.created_at for key in keys if key.from_login]
        uses = [one.used_at for one in sessions] + [key.last_used_at for key in keys if key.last_used_at is not None]
        live = [one for one in sessions if one.ended_at is None and one.ends_at > now and one.used_at > now - idle]
        return max(logins, default=None), max(uses, default=None), len(live)

    async def log_out(self, user_id: str, now: float, but: str) -> LoggedOut:
        """End the sessions of this user, and their keys from log-ins, but the one with this id."""
        theirs = [key for key in self._keys.values() if key.user_id == user_id and key.from_login and key.id != but]
        revoked = {key.id: replace(key, revoked_at=now) for key in theirs if key.revoked_at is None}
        self._keys |= revoked
        return await self.sessions.end(now, user_id=user_id, but=but), list(revoked)

    def known(self, user_id: str) -> User:
        """Return this user; raises NotFound without them."""
        if user_id not in self._users:
            raise _no_parent()
        return self._users[user_id]


class MemoryAudit:
    """`ports.AuditLog`."""

    def __init__(self, network: str) -> None:
        self._entries: list[AuditEntry] = []
        self._head = genesis(network)
        self._gone = 0

    def append(self, events: Sequence[AuditEvent]) -> Write[tuple[ChainHead, str | None]]:
        """See the port."""
        return _carried_out(_settle_soon, partial(self._append, events))

    async def find(self, which: AuditFilter, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """See the port."""
        older = self._entries[: before and max(0, before - 1 - self._gone)]
        return [entry for entry in reversed(older) if _is_among(which, entry)][:limit]

    async def after(self, seq: int, *, limit: int) -> list[AuditEntry]:
        """See the port."""
        at = max(0, seq - self._gone)
        return self._entries[at : at + limit]

    async def head(self) -> ChainHead:
        """See the port."""
        return self._head

    async def older(self, before: float) -> int:
        """See the port."""
        newer = (entry.seq for entry in self._entries if entry.at.timestamp() >= before)
        return max(0, min(next(newer, self._head.seq), self._head.seq) - 1)

    def drop(self, until: int) -> Write[int]:
        """See the port."""
        return _carried_out(_settle_soon, partial(self._drop, until))

    def _drop(self, until: int) -> int:
        most = min(until, self._head.seq - 1) - self._gone
        dropped = len(self._entries[: max(0, most)])
        self._gone += dropped
        del self._entries[:dropped]
        return dropped

    def _append(self, events: Sequence[AuditEvent]) -> tuple[ChainHead, str | None]:
        for event in events:
            entry = chained(event, self._head)
            self._head = ChainHead(entry.seq, entry.hash)
            self._entries.append(entry)
        return self._head, None


def _check_others(users: Mapping[str, User], user_id: str) -> None:
    """Raise Conflict when nobody else administers, and this one does."""
    if {user.id for user in users.values() if user.administers} == {user_id}:
        raise last_administrator()


def _is_among(which: AuditFilter, entry: AuditEntry) -> bool:
    who, what = entry.who, entry.object
    return (
        (which.action is None or f"{entry.action}.".startswith(f"{which.action}."))
        and (
            which.who in (None, who.id, who.user_id, who.name, who.kind if who.kind in NAMELESS else None)
            or who.name.startswith(f"{which.who}/")
        )
        and which.object in (None, what.id, what.name)
        and which.address in (None, entry.address)
        and (which.since is None or entry.at.timestamp() >= which.since)
        and (which.until is None or entry.at.timestamp() < which.until)
    )


def _settle_soon(write: Write[T], outcome: T | Exception) -> None:
    """Whoever asked learns of it in a later turn of the loop, as of a write that waited for a disk."""
    write.loop.call_soon(write.settle, outcome)


def _carried_out(settle: Callable[[Write[T], T | Exception], None], work: Callable[[], T]) -> Write[T]:
    write: Write[T] = Write()
    try:
        settle(write, work())
    except Exception as error:  # noqa: BLE001 - a decision is anybody's code: what it raises is its caller's alone
        settle(write, error)
    return write


def _summary_of(task: Task) -> Summary:
    error = (
        None if task.error is None else replace(task.error, message=task.error.message[:MOST_MESSAGE], detail=b"null")
    )
    bare = replace(task, input=b"", output=None, error=error, dialogue=SILENCE)
    return Summary(bare, len(task.input), None if task.output is None else len(task.output))


def _newest(secrets: Iterable[R], order: Callable[[R], tuple[float, str]]) -> list[R]:
    """Secrets, newest first; where there are too many, those that may still be revoked are among them."""
    newest = sorted(secrets, key=order, reverse=True)
    kept = sorted(newest, key=lambda secret: secret.revoked_at is not None)[:MOST_SECRETS]
    return sorted(kept, key=order, reverse=True)


def _revoked(kept: dict[str, R], secret: R | None, now: float) -> R | None:
    """Mark a secret revoked, unless it is."""
    if secret is not None and secret.revoked_at is None:
        secret = kept[secret.id] = replace(secret, revoked_at=now)
    return secret


def _no_parent() -> NotFound:
    return NotFound("what it belongs to is not there any more")
