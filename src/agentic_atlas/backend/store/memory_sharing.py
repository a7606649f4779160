"""With whom agents are shared, and groups of users, in the dictionaries of `memory`."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec.structs import replace

from agentic_atlas.backend.domain.records import EVERYONE, AccessLevel, AgentRecord, Group, Share, Token, User
from agentic_atlas.backend.ports import MOST_MEMBERS, MOST_MEMBERSHIPS, MOST_SHARES
from agentic_atlas.backend.rights import Visible
from agentic_atlas.errors import Conflict, NotFound


class MemoryShares:
    """`ports.Shares`."""

    def __init__(
        self, users: dict[str, User], agents: dict[str, AgentRecord], end_unmanaged: Callable[[float], list[Token]]
    ) -> None:
        self._users = users
        self._agents = agents
        self.end_unmanaged = end_unmanaged
        self.groups: dict[str, Group] = {}

    async def put(self, agent_id: str, shares: Sequence[Share], now: float) -> list[Token]:
        """See the port."""
        agent = self._agents.get(agent_id)
        if agent is None:
            raise NotFound("the agent does not exist any more", code="agent_not_found")
        by_subject = {share.subject: share for share in (*agent.shares, *shares)}
        if len(by_subject) > MOST_SHARES:
            raise Conflict(
                f"an agent is shared with at most {MOST_SHARES} users and groups: put them into a group",
                code="too_many_shares",
            )
        self._agents[agent_id] = replace(agent, shares=tuple(by_subject[one] for one in sorted(by_subject)))
        return self.end_unmanaged(now)

    async def drop(self, agent_id: str, subjects: Sequence[str], now: float) -> list[Token]:
        """See the port."""
        self.forget(agent_id, *subjects)
        return self.end_unmanaged(now)

    def forget(self, agent_id: str, *subjects: str) -> None:
        """An agent is shared with these no more."""
        agent = self._agents.get(agent_id)
        if agent is not None:
            others = tuple(share for share in agent.shares if share.subject not in subjects)
            self._agents[agent_id] = replace(agent, shares=others)

    async def named(self, agent_id: str) -> list[tuple[Share, str]]:
        """See the port."""
        agent = self._agents.get(agent_id)
        found = [(share, self._name(share.subject)) for share in agent.shares] if agent else []
        return sorted(((share, name) for share, name in found if name), key=lambda one: (one[1], one[0].subject))

    async def counted(self, visible: Visible) -> Mapping[str, int]:
        """See the port."""
        return Counter(agent.owner for agent in self._agents.values() if visible.level(agent) is not None)

    async def seen(self, visible: Visible, agent_ids: Collection[str]) -> Mapping[str, str]:
        """See the port."""
        asked = [self._agents[one] for one in agent_ids if one in self._agents]
        return {agent.id: agent.full_name for agent in asked if visible.level(agent) is not None}

    def _name(self, subject: str) -> str:
        kind, _, id_ = subject.partition(":")
        named = self._users.get(id_) if kind == "user" else self.groups.get(id_)
        return EVERYONE if subject == EVERYONE else named.name if named else ""


class MemoryGroups:
    """`ports.Groups`."""

    def __init__(self, users: dict[str, User], agents: dict[str, AgentRecord], shares: MemoryShares) -> None:
        self._users = users
        self._agents = agents
        self._shares = shares
        self._groups = shares.groups

    async def add(self, group: Group) -> None:
        """See the port."""
        if await self.by_name(group.name) is not None:
            raise Conflict(f"there is a group {group.name} already", code="group_exists")
        self._groups[group.id] = group

    async def by_name(self, name: str) -> Group | None:
        """See the port."""
        return next((group for group in self._groups.values() if group.name == name), None)

    async def find(self, *, user_id: str | None, limit: int, after: str | None = None) -> list[Group]:
        """See the port."""
        user = None if user_id is None else self._users.get(user_id)
        theirs = self._groups if user_id is None else user.groups if user else ()
        found = [
            group for group in self._groups.values() if group.id in theirs and (after is None or group.name > after)
        ]
        return sorted(found, key=lambda group: group.name)[:limit]

    async def delete(self, group_id: str, now: float) -> list[Token]:
        """See the port."""
        for agent_id in list(self._agents):
            self._shares.forget(agent_id, f"group:{group_id}")
        for user in await self.members(group_id):
            self._leave(group_id, user)
        self._groups.pop(group_id, None)
        return self._shares.end_unmanaged(now)

    async def put_member(self, group_id: str, user_id: str) -> None:
        """See the port."""
        user = self._users.get(user_id)
        if user is None or group_id not in self._groups:
            raise NotFound("what it belongs to is not there any more")
        if len([one for one in await self.members(group_id) if one.id != user_id]) >= MOST_MEMBERS:
            raise Conflict(f"a group has at most {MOST_MEMBERS} members", code="too_many_memberships")
        others = [one for one in user.groups if one != group_id]
        if len(others) >= MOST_MEMBERSHIPS:
            raise Conflict(f"a user is in at most {MOST_MEMBERSHIPS} groups", code="too_many_memberships")
        self._users[user_id] = replace(user, groups=tuple(sorted((*others, group_id))))

    async def drop_member(self, group_id: str, user_id: str, now: float) -> list[Token]:
        """See the port."""
        user = self._users.get(user_id)
        if user is not None:
            self._leave(group_id, user)
        return self._shares.end_unmanaged(now)

    def _leave(self, group_id: str, user: User) -> None:
        self._users[user.id] = replace(user, groups=tuple(one for one in user.groups if one != group_id))

    async def members(self, group_id: str) -> list[User]:
        """See the port."""
        return sorted((user for user in self._users.values() if group_id in user.groups), key=lambda user: user.name)

    async def levels(self, group_id: str) -> set[AccessLevel]:
        """See the port."""
        shares = (share for agent in self._agents.values() for share in agent.shares)
        return {share.access for share in shares if share.subject == f"group:{group_id}"}
