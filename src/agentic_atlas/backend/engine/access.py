"""Who asks, and agents, tasks and skills as those see them who ask. What they may do is decided in `rights`.

Agents and their skills are looked up for every task: they are kept in memory, and read from the store when missing.
Whoever changes an agent says `forget`; the next look-up reads again.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from agentic_atlas.auth import digest
from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.names import split_agent
from agentic_atlas.backend.domain.records import (
    AccessLevel,
    AgentRecord,
    ApiKey,
    Group,
    Instance,
    SkillRecord,
    Task,
    Token,
    User,
)
from agentic_atlas.backend.domain.renewal import KEY_WITHDRAWN, renewable
from agentic_atlas.backend.engine.key_uses import KeyUses
from agentic_atlas.backend.engine.logged_in import LoggedIn
from agentic_atlas.backend.ports import Agents, Store, Summary
from agentic_atlas.backend.rights import (
    SEND_A_KEY,
    AgentToken,
    Principal,
    Visible,
    key_expired,
    key_invalid,
    no_agent,
    no_task,
    not_theirs,
    seen_by,
)
from agentic_atlas.errors import AtlasError, Busy, Forbidden, NotFound, Unauthenticated, Unavailable
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside.messages import ROTATED, Failure, InstanceRef
from agentic_atlas.protocol.schemas.words import meant

T = TypeVar("T")

_MOST_AGENTS = 1_000
_MOST_BYTES = 32 * 1024 * 1024
"""Bytes of all skills that are kept."""
_MOST_DECLARED = 20_000
"""Agents of which it is remembered what they declared."""
_AROUND = 1_024
"""Bytes that an agent, or one of its skills, takes besides its texts."""


class Registry:
    """A read model of agents and skills, bounded."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._by_name: dict[tuple[str, str], AgentRecord] = {}
        self._skills: Kept[str, dict[str, SkillRecord]] = Kept(_MOST_BYTES)
        self._accepted: dict[str, bytes] = {}
        self._declared: dict[str, object] = {}
        """Of each agent the digest of what is stored of it; while that is being changed, what stands for the change."""
        self._version = 0

    async def agent(self, owner: str, name: str, *visible: Visible) -> AgentRecord | None:
        """Return the owner's agent of this name if all these see it; None without one, and for one that is not seen.

        What is not seen is looked up each time, as what is not there is: it takes as long.
        """
        known = self._by_name.get((owner, name))
        if known is not None and _seen(known, visible):
            return known
        version = self._version
        agent = await self._agents.by_name(owner, name)
        if agent is not None and version == self._version:
            if len(self._by_name) >= _MOST_AGENTS:
                self._by_name.clear()
            self._by_name[owner, name] = agent
        return agent if agent is not None and _seen(agent, visible) else None

    async def skill(self, agent: AgentRecord, name: str) -> SkillRecord:
        """Return a skill of the agent's; raises NotFound (`skill_not_found`) with the names there are."""
        skills = self._skills.get(agent.id)
        if skills is None:
            version = self._version
            declared = await self._agents.skills(agent.id)
            skills = {skill.name: skill for skill in declared}
            if version == self._version:
                self._skills.keep(agent.id, skills, _AROUND + sum(_size(skill) for skill in declared))
        if name not in skills:
            known = ", ".join(sorted(skills)[:20]) or "none yet, as it has never been connected: start it once"
            raise NotFound(
                f"{agent.full_name} has no skill {name[:64]!r}{meant(name, sorted(skills))}; its skills: {known}",
                code="skill_not_found",
            )
        return skills[name]

    def accepted(self, agent_id: str, digest: bytes) -> bool:
        """Tell whether what an instance of the agent declares, by its digest, was accepted the last time."""
        return self._accepted.get(agent_id) == digest

    def accept(self, agent_id: str, digest: bytes) -> None:
        """What an instance declares was looked at, and is acceptable."""
        _remember(self._accepted, agent_id, digest)

    def declares(self, agent_id: str) -> object:
        """What is stored of the agent is about to be changed; return what to say `declared` with once it is."""
        change = object()
        _remember(self._declared, agent_id, change)
        return change

    def declared(self, agent_id: str, change: object, digest: bytes) -> None:
        """The change is on disk, and makes what is stored of the agent this, unless another one has begun since."""
        if self._declared.get(agent_id) is change:
            self._declared[agent_id] = digest

    def unchanged(self, agent_id: str, digest: bytes) -> bool:
        """Tell whether what is stored of the agent is this, and stays so."""
        return self._declared.get(agent_id) == digest

    def offers(self, agent_id: str, offered: Sequence[SkillRecord]) -> None:
        """The agent offers this from now on: what is kept of it stays kept when it is the same."""
        kept = self._skills.get(agent_id)
        if kept is None or [_said(skill) for skill in kept.values()] != [_said(skill) for skill in offered]:
            self._read_again(agent_id)

    def forget(self, agent_id: str) -> None:
        """The agent or its skills changed; what was being read meanwhile is not kept either."""
        self._declared.pop(agent_id, None)
        self._read_again(agent_id)

    def forget_all(self) -> None:
        """Many agents may have changed."""
        self._version += 1
        self._by_name.clear()

    def _read_again(self, agent_id: str) -> None:
        self._version += 1
        self._skills.forget(agent_id)
        self._by_name = {key: agent for key, agent in self._by_name.items() if agent.id != agent_id}


def _seen(agent: AgentRecord, visible: Sequence[Visible]) -> bool:
    return all(one.level(agent) is not None for one in visible)


def declaration(description: str, skills: Sequence[SkillRecord]) -> bytes:
    """Return a digest of what is said of an agent."""
    return sha256(msgspec.msgpack.encode((description, [_said(skill) for skill in skills]))).digest()


def _said(skill: SkillRecord) -> SkillRecord:
    """Return a skill without when it was declared."""
    return replace(skill, updated_at=0.0)


def _remember(known: dict[str, T], agent_id: str, value: T) -> None:
    known.pop(agent_id, None)
    known[agent_id] = value
    if len(known) > _MOST_DECLARED:
        del known[next(iter(known))]


def _size(skill: SkillRecord) -> int:
    return _AROUND + len(skill.input_schema) + len(skill.output_schema) + len(skill.description)


_MOST_CACHED = 10_000
_COMPARED = 100
"""Users of whom one may be meant by a name that nobody has."""


class NotAdmitted(AtlasError):
    """An instance is not let in.

    Attributes:
        close_code: what its connection is closed with.
    """

    default_code = "not_admitted"

    def __init__(self, close_code: CloseCode, code: str, message: str) -> None:
        super().__init__(message, code=code)
        self.close_code = close_code


def held(token: Token, agent: AgentRecord) -> AgentToken:
    """Return a token as what somebody shows."""
    return AgentToken(
        token.id,
        agent.id,
        agent.full_name,
        token.lineage,
        token.expires_at,
        math.inf if token.retires_at is None else token.retires_at,
        renewable(token),
        token.former_names,
        token.key_id,
        token.made_by,
    )


def failure(error: BaseException) -> Failure:
    """Return why something was not done, as a router is told of it."""
    if isinstance(error, NotAdmitted | ProtocolError):
        return Failure(int(error.close_code), error.code, error.message)
    if isinstance(error, Forbidden):
        return Failure(CloseCode.TOKEN_INVALID, error.code, error.message)
    code, message = (error.code, error.message) if isinstance(error, AtlasError) else ("unavailable", "")
    return Failure(
        CloseCode.UNAVAILABLE, code, message, error.retry_after if isinstance(error, Busy | Unavailable) else None
    )


class Access:
    """Checks API keys, and finds agents and tasks for those who may see them.

    Attributes:
        uses: when keys were last used.
    """

    def __init__(
        self, store: Store, registry: Registry, clock: Callable[[], float], logged_in: LoggedIn, uses: KeyUses
    ) -> None:
        self.uses = uses
        self._store = store
        self._registry = registry
        self._logged_in = logged_in
        self._clock = clock
        self._known: dict[bytes, tuple[ApiKey, Principal]] = {}
        self._bearers: dict[str, Principal] = {}
        """Of each token by id: as whom it lets in."""
        self._version = 0
        self._connected: dict[str, tuple[int, Principal]] = {}
        """Of each instance by id: the generation of its connection, and who it was let in as."""

    async def authenticate(self, secret: str | None) -> Principal:
        """Return who holds this API key.

        Raises:
            Unauthenticated: there is no such key, or it or its user is not valid any more.
        """
        if not secret:
            raise Unauthenticated(f"this needs an API key: {SEND_A_KEY}")
        return await self.known_by(digest(secret))

    async def known_by(self, key_digest: bytes) -> Principal:
        """The same, by the digest of the key."""
        known = self._known.get(key_digest)
        if known is None:
            version = self._version
            found = await self._store.users.key_by_digest(key_digest)
            if found is None or found[0].revoked_at is not None or found[1].disabled_at is not None:
                raise key_invalid()
            if len(self._known) >= _MOST_CACHED:
                self._known.clear()
            known = found[0], Principal(found[1], found[0], found[0].scopes)
            if version == self._version:
                # What was read before a change must not outlive it.
                self._known[key_digest] = known
        key, principal = known
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise key_expired()
        self.uses.note(key.id)
        return principal

    def forget(self) -> None:
        """Keys, tokens, agents, sessions or users changed: look everything up again."""
        self._logged_in.forget()
        self._version += 1
        self._known.clear()
        self._bearers.clear()

    async def bearer(self, token_id: str, agent_id: str) -> Principal:
        """Return as whom an instance comes that has shown this token of this agent.

        Raises:
            NotAdmitted: the token is not known, was revoked, or another one has taken its place; or its agent is gone
                or disabled.
        """
        who = self._bearers.get(token_id) or await self._look_at(token_id)
        token = who.credential
        if not isinstance(token, AgentToken) or token.agent_id != agent_id:
            raise NotAdmitted(CloseCode.TOKEN_INVALID, "token_unknown", "this network did not issue this token")
        if token.retires_at <= self._clock():
            raise NotAdmitted(CloseCode.TOKEN_REVOKED, ROTATED, "another token has taken the place of this one")
        return who

    async def _look_at(self, token_id: str) -> Principal:
        version = self._version
        found = await self._store.tokens.bearer(token_id)
        if found is None:
            raise NotAdmitted(CloseCode.TOKEN_INVALID, "token_unknown", "this network did not issue this token")
        token, agent, owner = found
        if token.withdrawn:
            raise NotAdmitted(CloseCode.TOKEN_REVOKED, KEY_WITHDRAWN, "a key that this token rests on was withdrawn")
        if token.revoked_at is not None:
            raise NotAdmitted(CloseCode.TOKEN_REVOKED, "token_revoked", "this token was revoked")
        if owner.disabled_at is not None:
            raise NotAdmitted(CloseCode.AGENT_DISABLED, "owner_disabled", "the owner of this agent is disabled")
        if agent.disabled_at is not None:
            raise NotAdmitted(CloseCode.AGENT_DISABLED, "agent_disabled", "this agent is disabled")
        who = Principal(owner, held(token, agent), token.scopes)
        if version == self._version:
            _remember(self._bearers, token_id, who)
        return who

    def came(self, instance: Instance, who: Principal) -> None:
        """An instance is connected, as this principal."""
        self._connected[instance.id] = (instance.generation, who)

    def renewed(self, instance: InstanceRef, token: AgentToken) -> None:
        """The instance is connected with this token from now on; nothing when this connection is not its latest."""
        generation, who = self._connected.get(instance.instance_id, (0, None))
        if who is not None and generation == instance.generation:
            self._connected[instance.instance_id] = (generation, replace(who, credential=token))

    def retired(self, tokens: Iterable[Token]) -> None:
        """Others take the place of these: whoever has one has it until then."""
        ends = {token.id: token.ends_at for token in tokens}
        self._version += 1
        for token_id in ends:
            self._bearers.pop(token_id, None)
        for instance_id, (generation, who) in list(self._connected.items()):
            held = who.credential
            if isinstance(held, AgentToken) and held.id in ends:
                ended = replace(held, retires_at=ends[held.id], renewable=False)
                self._connected[instance_id] = (generation, replace(who, credential=ended))

    def token(self, instance_id: str) -> AgentToken | None:
        """Return the token that an instance is connected with; None when it is not."""
        _, who = self._connected.get(instance_id, (0, None))
        return who.credential if who is not None and isinstance(who.credential, AgentToken) else None

    def in_use(self) -> list[AgentToken]:
        """Return the tokens that instances are connected with now."""
        credentials = (who.credential for _, who in self._connected.values())
        return [one for one in credentials if isinstance(one, AgentToken)]

    def left(self, instance_id: str, generation: int) -> None:
        """The instance's connection of this generation ended; nothing when a newer one is there."""
        if self._connected.get(instance_id, (0, None))[0] == generation:
            del self._connected[instance_id]

    async def connected(self, instance_id: str) -> Principal:
        """Return as whom an instance is connected, with its agent's owner as they are now.

        Raises:
            NotFound: it is not, or its agent or the owner is gone (`agent_not_found`).
        """
        _, who = self._connected.get(instance_id, (0, None))
        token = who.credential if who is not None else None
        agent = await self._store.agents.get(token.agent_id if isinstance(token, AgentToken) else "")
        owner = await self._store.users.get(agent.owner_id) if agent else None
        if who is None or agent is None or owner is None or not isinstance(token, AgentToken):
            raise NotFound("the agent that calls is gone", code="agent_not_found")
        return replace(who, user=owner, credential=replace(token, agent=agent.full_name))

    async def user(self, name: str) -> User:
        """Return the user of this name, for an administrator; raises NotFound (`user_not_found`)."""
        user = await self._store.users.by_name(name)
        if user is None:
            names = [one.name for one in await self._store.users.find(limit=_COMPARED, after=None)]
            raise NotFound(
                f"there is no user {name[:64]!r}{meant(name, names)}: `atlas users` lists them, "
                "`atlas users create NAME` makes one",
                code="user_not_found",
            )
        return user

    async def agent(
        self, user: User, name: str, needed: AccessLevel = AccessLevel.CALL, *, also: Iterable[User] = ()
    ) -> AgentRecord:
        """Return the agent that `name` or `owner/name` means to this user; without an owner it is their own.

        `also` are who else have to see it.

        Raises:
            NotFound: there is none, or they may not see it (`agent_not_found`).
            Forbidden: they see it, and may not do with it what needs this level.
        """
        owner, short = split_agent(name)
        visible = seen_by(user)
        agent = await self._registry.agent(owner or user.name, short, visible, *map(seen_by, also))
        if agent is None:
            raise no_agent(name)
        if needed is not AccessLevel.CALL and not visible.may(agent, needed):
            raise not_theirs(agent, needed)
        return agent

    async def agent_of(self, user: User, task: Task) -> AgentRecord:
        """Return the agent of a task, by whatever name it goes now; raises as `agent` does."""
        agent = await self._store.agents.get(task.agent_id)
        if agent is None or seen_by(user).level(agent) is None:
            raise no_agent(task.agent)
        return agent

    async def group(self, user: User, name: str) -> Group:
        """Return the group of this name: one that the user is in, or any for an administrator.

        Raises NotFound (`group_not_found`).
        """
        group = await self._store.groups.by_name(name)
        if group is None or (seen_by(user).user_id is not None and group.id not in user.groups):
            raise NotFound(f"there is no group {name[:64]!r}: `atlas groups list` has yours", code="group_not_found")
        return group

    async def task(self, visible: Visible, task_id: str) -> Task:
        """Return a task for somebody who sees so much; raises NotFound (`task_not_found`)."""
        task = await self._store.tasks.get(task_id)
        if not await self._sees(visible, task) or task is None:
            raise no_task(task_id)
        return task

    async def standing(self, visible: Visible, task_id: str) -> Summary:
        """Return a task without its payloads; raises as `task` does."""
        summary = await self._store.tasks.summary(task_id)
        if not await self._sees(visible, None if summary is None else summary.task) or summary is None:
            raise no_task(task_id)
        return summary

    async def _sees(self, visible: Visible, task: Task | None) -> bool:
        # Looked for without a task too: what is somebody else's takes as long as what is not there.
        agent = None if visible.user_id is None else await self._store.agents.get(task.agent_id if task else "")
        return task is not None and visible.task(task.caller.id, task.owner_id, agent)
