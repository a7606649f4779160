"""With whom agents are shared, and groups of users, behind the ports."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, Select, String, delete, func, insert, literal, select

from agentic_atlas.backend.domain.records import EVERYONE, AccessLevel, Group, Share, Token, User
from agentic_atlas.backend.ports import MOST_MEMBERS, MOST_MEMBERSHIPS, MOST_SHARES
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.agents import whose
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import GROUPS, USERS
from agentic_atlas.backend.store.tables import agent_shares, agents, group_members, groups, tokens, users
from agentic_atlas.backend.store.tokens import end_unmanaged
from agentic_atlas.backend.store.writer import Writer, statement
from agentic_atlas.errors import Conflict, NotFound

_IDS_AT_ONCE = 500


class SqlShares:
    """`ports.Shares`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def put(self, agent_id: str, shares: Sequence[Share], now: float) -> list[Token]:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _put(connection, agent_id, shares, now)))

    async def drop(self, agent_id: str, subjects: Sequence[str], now: float) -> list[Token]:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _drop(connection, agent_id, subjects, now)))

    async def named(self, agent_id: str) -> list[tuple[Share, str]]:
        """See the port."""
        return await self._readers.run(lambda connection: _named(connection, agent_id))

    async def counted(self, visible: Visible) -> Mapping[str, int]:
        """See the port."""
        return await self._readers.run(lambda connection: _counted(connection, visible))

    async def seen(self, visible: Visible, agent_ids: Collection[str]) -> Mapping[str, str]:
        """See the port."""
        return await self._readers.run(lambda connection: _seen(connection, visible, sorted(agent_ids)))


class SqlGroups:
    """`ports.Groups`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, group: Group) -> None:
        """See the port."""
        if not await self._writer.submit(statement(lambda connection: _add(connection, group))):
            raise Conflict(f"there is a group {group.name} already", code="group_exists")

    async def by_name(self, name: str) -> Group | None:
        """See the port."""
        return await self._readers.run(lambda connection: _by_name(connection, name))

    async def find(self, *, user_id: str | None, limit: int, after: str | None = None) -> list[Group]:
        """See the port."""
        return await self._readers.run(lambda connection: _find(connection, user_id, limit, after))

    async def delete(self, group_id: str, now: float) -> list[Token]:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _delete(connection, group_id, now)))

    async def put_member(self, group_id: str, user_id: str) -> None:
        """See the port."""
        await self._writer.submit(statement(lambda connection: _put_member(connection, group_id, user_id)))

    async def drop_member(self, group_id: str, user_id: str, now: float) -> list[Token]:
        """See the port."""
        return await self._writer.submit(
            statement(lambda connection: _remove_member(connection, group_id, user_id, now))
        )

    async def members(self, group_id: str) -> list[User]:
        """See the port."""
        return await self._readers.run(lambda connection: _members(connection, group_id))

    async def levels(self, group_id: str) -> set[AccessLevel]:
        """See the port."""
        return await self._readers.run(lambda connection: _levels(connection, group_id))


def _counted(connection: Connection, visible: Visible) -> dict[str, int]:
    """How many agents of each owner are seen, of an index that has their full names: each begins with its owner's."""
    found: Counter[str] = Counter()
    for which in whose(visible):
        theirs = select(func.min(agents.c.full_name), func.count()).where(*which).group_by(agents.c.owner_id)
        for full_name, number in connection.execute(theirs):
            owner = full_name.partition("/")[0]
            # All of one's own are there already: a share with a group that one is in, or with everyone, adds none.
            found[owner] = max(found[owner], number)
    return found


def _seen(connection: Connection, visible: Visible, agent_ids: Sequence[str]) -> dict[str, str]:
    """The names of those of these agents that are seen."""
    found: dict[str, str] = {}
    for begin in range(0, len(agent_ids), _IDS_AT_ONCE):
        some = agents.c.id.in_(agent_ids[begin : begin + _IDS_AT_ONCE])
        for which in whose(visible):
            found.update(connection.execute(select(agents.c.id, agents.c.full_name).where(some, *which)).all())
    return found


def _put(connection: Connection, agent_id: str, shares: Sequence[Share], now: float) -> list[Token]:
    """Share an agent with all of these, unless it is shared with too many."""
    if connection.execute(select(agents.c.id).where(agents.c.id == agent_id)).one_or_none() is None:
        raise NotFound("the agent does not exist any more", code="agent_not_found")
    for share in shares:
        _put_one(connection, agent_id, share)
    return end_unmanaged(connection, now, tokens.c.agent_id == agent_id)


def _put_one(connection: Connection, agent_id: str, share: Share) -> None:
    _drop_one(connection, agent_id, share.subject)
    shared = select(func.count()).select_from(agent_shares).where(agent_shares.c.agent_id == agent_id)
    if connection.execute(shared).scalar_one() >= MOST_SHARES:
        raise Conflict(
            f"an agent is shared with at most {MOST_SHARES} users and groups: put them into a group",
            code="too_many_shares",
        )
    row = {"agent_id": agent_id, "subject": share.subject, "access": share.access.value}
    connection.execute(insert(agent_shares).values(row))


def _drop(connection: Connection, agent_id: str, subjects: Sequence[str], now: float) -> list[Token]:
    """Share an agent with these subjects no more."""
    for subject in subjects:
        _drop_one(connection, agent_id, subject)
    return end_unmanaged(connection, now, tokens.c.agent_id == agent_id)


def _drop_one(connection: Connection, agent_id: str, subject: str) -> None:
    this = (agent_shares.c.agent_id == agent_id, agent_shares.c.subject == subject)
    connection.execute(delete(agent_shares).where(*this))


def _named(connection: Connection, agent_id: str) -> list[tuple[Share, str]]:
    """The shares of an agent, with the names of whom it is shared with."""
    of_user = agent_shares.c.subject == literal("user:", String).concat(users.c.id)
    of_group = agent_shares.c.subject == literal("group:", String).concat(groups.c.id)
    query = (
        select(agent_shares.c.subject, agent_shares.c.access, users.c.name, groups.c.name)
        .join_from(agent_shares, users, of_user, isouter=True)
        .join(groups, of_group, isouter=True)
        .where(agent_shares.c.agent_id == agent_id)
    )
    found = [
        (Share(subject, AccessLevel(access)), EVERYONE if subject == EVERYONE else user or group)
        for subject, access, user, group in connection.execute(query)
    ]
    return sorted(((share, name) for share, name in found if name), key=lambda one: (one[1], one[0].subject))


def _add(connection: Connection, group: Group) -> bool:
    """Add a group; False when the name is taken."""
    if _by_name(connection, group.name) is not None:
        return False
    connection.execute(insert(groups).values(GROUPS.values(group)))
    return True


def _by_name(connection: Connection, name: str) -> Group | None:
    """The group of this name."""
    row = connection.execute(select(*GROUPS.read).where(groups.c.name == name)).one_or_none()
    return GROUPS.value(row) if row else None


def _find(connection: Connection, user_id: str | None, limit: int, after: str | None) -> list[Group]:
    """Groups by name: all, or those that a user is in."""
    query: Select[tuple[object, ...]] = select(*GROUPS.read).order_by(groups.c.name).limit(limit)
    if user_id is not None:
        theirs = select(group_members.c.group_id).where(group_members.c.user_id == user_id)
        query = query.where(groups.c.id.in_(theirs))
    if after is not None:
        query = query.where(groups.c.name > after)
    return [GROUPS.value(row) for row in connection.execute(query)]


def _delete(connection: Connection, group_id: str, now: float) -> list[Token]:
    """Remove a group with what is shared with it; foreign keys remove who is in it."""
    connection.execute(delete(agent_shares).where(agent_shares.c.subject == f"group:{group_id}"))
    connection.execute(delete(groups).where(groups.c.id == group_id))
    return end_unmanaged(connection, now)


def _put_member(connection: Connection, group_id: str, user_id: str) -> None:
    """Add a user to a group, unless they are in it, or in too many, or too many are in it."""
    for column, value, most, words in (
        (group_members.c.group_id, group_id, MOST_MEMBERS, "a group has at most {} members"),
        (group_members.c.user_id, user_id, MOST_MEMBERSHIPS, "a user is in at most {} groups"),
    ):
        others = select(func.count()).where(
            column == value, (group_members.c.group_id != group_id) | (group_members.c.user_id != user_id)
        )
        if connection.execute(others).scalar_one() >= most:
            raise Conflict(words.format(most), code="too_many_memberships")
    member = insert(group_members).values(group_id=group_id, user_id=user_id)
    _drop_member(connection, group_id, user_id)
    connection.execute(member)


def _drop_member(connection: Connection, group_id: str, user_id: str) -> None:
    """Remove a user from a group."""
    this = (group_members.c.group_id == group_id, group_members.c.user_id == user_id)
    connection.execute(delete(group_members).where(*this))


def _remove_member(connection: Connection, group_id: str, user_id: str, now: float) -> list[Token]:
    """Remove a user from a group, and what they had by it."""
    _drop_member(connection, group_id, user_id)
    return end_unmanaged(connection, now, tokens.c.made_by == user_id)


def _members(connection: Connection, group_id: str) -> list[User]:
    """Who is in a group, by name."""
    query = select(*USERS.read).join_from(group_members, users).where(group_members.c.group_id == group_id)
    return [USERS.value(row) for row in connection.execute(query.order_by(users.c.name))]


def _levels(connection: Connection, group_id: str) -> set[AccessLevel]:
    """What agents are shared with a group for."""
    shared = select(agent_shares.c.access).where(agent_shares.c.subject == f"group:{group_id}").distinct()
    return {AccessLevel(access) for access in connection.scalars(shared)}
