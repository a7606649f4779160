"""Who asks, and what they may do. The one place where rights are decided.

A user owns agents, and what the agents and their callers did. Members act on what is their own, administrators on
everything. What somebody may not see does not exist for them: the answer is the same NotFound (guarantee 12).
"""

from collections.abc import Callable

import msgspec

from agentic_atlas.auth import digest
from agentic_atlas.backend.domain.names import split_agent
from agentic_atlas.backend.domain.records import Agent, ApiKey, CallerRef, Role, Task, User
from agentic_atlas.backend.engine.registry import Registry
from agentic_atlas.backend.ports import Users
from agentic_atlas.errors import Forbidden, NotFound, Unauthenticated

SEND_A_KEY = "send it as `Authorization: Bearer atlas_…`"
"""What to do about a key that is not there, or not where it belongs."""

_MOST_CACHED = 10_000


class Principal(msgspec.Struct, frozen=True):
    """Somebody whose credentials were checked: a user, here through an API key."""

    user: User
    key: ApiKey

    @property
    def caller(self) -> CallerRef:
        """The principal as a task's caller."""
        return CallerRef("api_key", self.key.id, self.user.id, f"{self.user.name}/{self.key.name}")

    @property
    def sees_all(self) -> bool:
        """True for administrators."""
        return self.user.role is Role.ADMIN

    @property
    def scope(self) -> str | None:
        """User id that lists are narrowed to; None for everything."""
        return None if self.sees_all else self.user.id


class Access:
    """Checks credentials and rights."""

    def __init__(self, users: Users, registry: Registry, clock: Callable[[], float]) -> None:
        self._users = users
        self._registry = registry
        self._clock = clock
        self._known: dict[bytes, Principal] = {}
        self._version = 0

    async def authenticate(self, secret: str | None) -> Principal:
        """Return who holds this API key.

        Raises:
            Unauthenticated: there is no such key, or it or its user is not valid any more.
        """
        if not secret:
            raise Unauthenticated(f"this needs an API key: {SEND_A_KEY}")
        key_digest = digest(secret)
        principal = self._known.get(key_digest) or await self._look_up(key_digest)
        expires = principal.key.expires_at
        if expires is not None and expires <= self._clock():
            raise Unauthenticated(
                "this API key has expired: log in again with `atlas login URL --code`, or have a new one made",
                code="key_expired",
            )
        return principal

    def forget(self) -> None:
        """Keys or users changed: look everything up again."""
        self._version += 1
        self._known.clear()

    async def _look_up(self, key_digest: bytes) -> Principal:
        version = self._version
        found = await self._users.key_by_digest(key_digest)
        if found is None or found[0].revoked_at is not None or found[1].disabled_at is not None:
            raise Unauthenticated("this API key is not known or not valid any more", code="key_invalid")
        if len(self._known) >= _MOST_CACHED:
            self._known.clear()
        principal = Principal(found[1], found[0])
        if version == self._version:
            # What was read before a change must not outlive it.
            self._known[key_digest] = principal
        return principal

    async def agent(self, user: User, name: str) -> Agent:
        """Return the agent that `name` or `owner/name` means to this user; without an owner it is their own.

        Whose it is stands in its name: what somebody may not use is not looked for, so that no time tells of it either.

        Raises:
            NotFound: there is none, or it is somebody else's (`agent_not_found`).
        """
        owner, short = split_agent(name)
        theirs = owner in (None, user.name) or user.role is Role.ADMIN
        agent = await self._registry.agent(owner or user.name, short) if theirs else None
        if agent is None or not may_use(user, agent):
            raise no_agent(name)
        return agent


def no_agent(name: str) -> NotFound:
    """Return the answer to whoever asks for an agent that is not there, or not theirs."""
    return NotFound(f"there is no agent {name[:130]!r}: `atlas agents` lists yours", code="agent_not_found")


def may_use(user: User, agent: Agent) -> bool:
    """Tell whether the user may see, change and call the agent."""
    return user.role is Role.ADMIN or agent.owner_id == user.id


def may_see(principal: Principal, task: Task, agent_owner_id: str | None) -> bool:
    """Tell whether the principal may see a task: as its caller, as its agent's owner, or as an administrator."""
    return principal.sees_all or principal.user.id in (task.owner_id, task.caller.user_id, agent_owner_id)


def require_admin(principal: Principal) -> None:
    """Raise Forbidden for everybody but administrators."""
    if not principal.sees_all:
        raise Forbidden("only an administrator may do this")
