"""Users and their API keys behind the port."""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, update

from agentic_atlas.backend.domain.people import Entry, last_administrator, owns_agents
from agentic_atlas.backend.domain.records import ApiKey, Role, User
from agentic_atlas.backend.ports import MOST_SECRETS, Ended, KeyUse
from agentic_atlas.backend.store.accounts import check_maker, end_invitations_by, may_enter
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import API_KEYS, USERS
from agentic_atlas.backend.store.tables import agents, api_keys, invitations, tokens, users
from agentic_atlas.backend.store.tokens import end_unmanaged
from agentic_atlas.backend.store.writer import Writer, statement
from agentic_atlas.errors import Conflict


class SqlUsers:
    """`ports.Users`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, user: User) -> None:
        """See the port."""
        if not await self._writer.submit(statement(lambda connection: _add(connection, user))):
            raise Conflict(f"there is a user {user.name} already", code="user_exists")

    async def get(self, user_id: str) -> User | None:
        """See the port."""
        return await self._readers.run(lambda connection: _get(connection, user_id))

    async def by_name(self, name: str) -> User | None:
        """See the port."""
        return await self._readers.run(lambda connection: _by_name(connection, name))

    async def find(self, *, limit: int, after: str | None = None, part: str = "") -> list[User]:
        """See the port."""
        return await self._readers.run(lambda connection: _find(connection, limit, after, part))

    async def update(
        self, user_id: str, now: float, *, role: Role | None = None, disabled_at: float | None = None
    ) -> tuple[User | None, Ended]:
        """See the port."""
        values: dict[str, object] = {}
        if role is not None:
            values["role"] = role.value
        if disabled_at is not None:
            values["disabled_at"] = disabled_at or None
        return await self._writer.submit(statement(lambda connection: _update(connection, user_id, now, values)))

    async def delete(self, user_id: str, now: float) -> Ended | None:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _delete(connection, user_id, now)))

    async def add_key(self, key: ApiKey, entry: Entry | None = None) -> bool:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _add_key(connection, key, entry)))

    async def key_by_digest(self, digest: bytes) -> tuple[ApiKey, User] | None:
        """See the port."""
        return await self._readers.run(lambda connection: _key_by_digest(connection, digest))

    async def keys_of(self, user_id: str) -> list[ApiKey]:
        """See the port."""
        return await self._readers.run(lambda connection: _keys_of(connection, user_id))

    async def find_keys(
        self, *, limit: int, user_id: str | None = None, after: str | None = None
    ) -> list[tuple[ApiKey, User]]:
        """See the port."""
        return await self._readers.run(lambda connection: _find_keys(connection, limit, user_id, after))

    async def revoke_key(self, key_id: str, user_id: str | None, now: float) -> ApiKey | None:
        """See the port; the first time of revoking stays."""
        return await self._writer.submit(statement(lambda connection: _revoke_key(connection, key_id, user_id, now)))

    async def keys_used(self, uses: Mapping[str, KeyUse]) -> None:
        """See the port."""
        await self._writer.submit(statement(lambda connection: _keys_used(connection, uses)))


def _add(connection: Connection, user: User) -> bool:
    """Add a user; False when the name is taken."""
    if _by_name(connection, user.name) is not None:
        return False
    connection.execute(insert(users).values(USERS.values(user)))
    return True


def _get(connection: Connection, user_id: str) -> User | None:
    """One user."""
    row = connection.execute(select(*USERS.read).where(users.c.id == user_id)).one_or_none()
    return USERS.value(row) if row else None


def _by_name(connection: Connection, name: str) -> User | None:
    """The user of this name."""
    row = connection.execute(select(*USERS.read).where(users.c.name == name)).one_or_none()
    return USERS.value(row) if row else None


def _find(connection: Connection, limit: int, after: str | None, part: str) -> list[User]:
    """Users by name."""
    query = select(*USERS.read).order_by(users.c.name).limit(limit)
    if part:
        query = query.where(users.c.name.contains(part, autoescape=True))
    if after is not None:
        query = query.where(users.c.name > after)
    return [USERS.value(row) for row in connection.execute(query)]


def _update(connection: Connection, user_id: str, now: float, values: dict[str, object]) -> tuple[User | None, Ended]:
    """Change some columns of a user; return it, and what this ended."""
    if values.get("role", Role.ADMIN.value) != Role.ADMIN.value or values.get("disabled_at"):
        _check_others(connection, user_id)
    if "role" in values:
        # A link that was made for somebody of less rights is none to those of this role.
        other = exists().where(users.c.id == user_id, users.c.role != values["role"])
        unused = (invitations.c.used_at.is_(None), invitations.c.revoked_at.is_(None))
        connection.execute(delete(invitations).where(invitations.c.user_id == user_id, *unused, other))
    if values:
        connection.execute(update(users).where(users.c.id == user_id).values(values))
    user = _get(connection, user_id)
    return user, _end(connection, user_id, now, administers=user is not None and user.administers)


def _delete(connection: Connection, user_id: str, now: float) -> Ended | None:
    """Remove a user, foreign keys what is their own; None when there is none. Raises Conflict while they own agents."""
    owned = connection.execute(select(agents.c.name).where(agents.c.owner_id == user_id).limit(4)).scalars().all()
    if owned:
        raise owns_agents(owned)
    _check_others(connection, user_id)
    if not connection.execute(delete(users).where(users.c.id == user_id)).rowcount:
        return None
    return _end(connection, user_id, now, administers=False)


def _end(connection: Connection, user_id: str, now: float, *, administers: bool) -> Ended:
    """End what a user has made and may not make any more, and return it."""
    ended = end_unmanaged(connection, now, tokens.c.made_by == user_id)
    if administers:
        return ended, [], []
    good = (api_keys.c.revoked_at.is_(None), or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now))
    these = update(api_keys).where(api_keys.c.made_by == user_id, *good).values(revoked_at=now)
    revoked = [API_KEYS.value(row) for row in connection.execute(these.returning(*API_KEYS.read))]
    return ended, sorted(revoked, key=lambda key: key.id), end_invitations_by(connection, user_id, now)


def _check_others(connection: Connection, user_id: str) -> None:
    """Raise Conflict when nobody else administers, and this one does: in the write that would end that."""
    administer = select(users.c.id).where(users.c.role == Role.ADMIN.value, users.c.disabled_at.is_(None)).limit(2)
    if connection.execute(administer).scalars().all() == [user_id]:
        raise last_administrator()


def _add_key(connection: Connection, key: ApiKey, entry: Entry | None) -> bool:
    """Add an API key, of a user who may come in, made by somebody who may make it."""
    if entry is not None and not may_enter(connection, key.user_id, entry):
        return False
    check_maker(connection, key.made_by)
    connection.execute(insert(api_keys).values(API_KEYS.values(key)))
    return True


def _key_by_digest(connection: Connection, digest: bytes) -> tuple[ApiKey, User] | None:
    """The key of this digest and its user, in one look: it is on the way of every request."""
    query = select(*API_KEYS.read, *USERS.read).join_from(api_keys, users).where(api_keys.c.digest == digest)
    row = connection.execute(query).one_or_none()
    return (API_KEYS.value(row), USERS.value(row[len(API_KEYS.read) :])) if row else None


def _keys_of(connection: Connection, user_id: str) -> list[ApiKey]:
    """Keys of a user, newest first; where there are too many, those that may still be revoked are among them."""
    newest = (api_keys.c.created_at.desc(), api_keys.c.id.desc())
    query = (
        select(*API_KEYS.read)
        .where(api_keys.c.user_id == user_id)
        .order_by(api_keys.c.revoked_at.is_not(None), *newest)
    )
    found = [API_KEYS.value(row) for row in connection.execute(query.limit(MOST_SECRETS))]
    return sorted(found, key=lambda key: (key.created_at, key.id), reverse=True)


def _find_keys(connection: Connection, limit: int, user_id: str | None, after: str | None) -> list[tuple[ApiKey, User]]:
    """Keys with their users, newest first."""
    query = select(*API_KEYS.read, *USERS.read).join_from(api_keys, users).order_by(api_keys.c.id.desc()).limit(limit)
    if user_id is not None:
        query = query.where(api_keys.c.user_id == user_id)
    if after is not None:
        query = query.where(api_keys.c.id < after)
    return [(API_KEYS.value(row), USERS.value(row[len(API_KEYS.read) :])) for row in connection.execute(query)]


def _revoke_key(connection: Connection, key_id: str, user_id: str | None, now: float) -> ApiKey | None:
    """Mark a key revoked, unless it is, and return it; None when it is not that user's."""
    this = [api_keys.c.id == key_id] if user_id is None else [api_keys.c.id == key_id, api_keys.c.user_id == user_id]
    connection.execute(update(api_keys).where(*this, api_keys.c.revoked_at.is_(None)).values(revoked_at=now))
    row = connection.execute(select(*API_KEYS.read).where(*this)).one_or_none()
    return API_KEYS.value(row) if row else None


_USED = (
    update(api_keys)
    .where(api_keys.c.id == bindparam("key"))
    .values(last_used_at=bindparam("at"), last_address=bindparam("from_where"))
)


def _keys_used(connection: Connection, uses: Mapping[str, KeyUse]) -> None:
    """Keep the last use of each of these keys."""
    if uses:
        rows = [{"key": key_id, "at": at, "from_where": address} for key_id, (at, address) in uses.items()]
        connection.execute(_USED, rows)
