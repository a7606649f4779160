"""What users log in with, behind the port: accounts, invitations, identities."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, case, delete, exists, func, insert, or_, select, update

from agentic_atlas.backend.accounts import MOST_IDENTITIES, MOST_INVITATIONS, LoggedOut, Sealing
from agentic_atlas.backend.domain.people import (
    Account,
    Amend,
    Entry,
    Invitation,
    LinkedIdentity,
    WaysIn,
    administers_no_more,
    enabled,
    last_way_in,
)
from agentic_atlas.backend.domain.records import Role, User
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import USERS, Field, Rows
from agentic_atlas.backend.store.tables import accounts, api_keys, identities, invitations, sessions, users
from agentic_atlas.backend.store.writer import Writer, statement

_DIGEST = 32


def _digests(joined: bytes) -> tuple[bytes, ...]:
    return tuple(joined[start : start + _DIGEST] for start in range(0, len(joined), _DIGEST))


ACCOUNTS = Rows(Account, accounts, Field("recovery", encode=lambda digests: (b"".join(digests),), decode=_digests))
INVITATIONS = Rows(Invitation, invitations)
IDENTITIES = Rows(LinkedIdentity, identities)


class _Unsealed:
    """Keeps secrets as they are, where a database holds nobody's."""

    def close(self, secret: str, whose: str) -> str:
        """See `backend.accounts.Sealing`."""
        return secret

    def open(self, kept: str, whose: str) -> str:
        """See `backend.accounts.Sealing`."""
        return kept


UNSEALED: Final = _Unsealed()


class SqlAccounts:
    """`backend.accounts.Accounts`; the secrets of one-time passwords are sealed in it."""

    def __init__(self, writer: Writer, readers: Readers, seal: Sealing) -> None:
        self._writer = writer
        self._readers = readers
        self._seal = seal

    async def get(self, user_id: str) -> Account | None:
        """See the port."""
        return await self._readers.run(lambda connection: _get(connection, self._seal, user_id))

    async def change(self, user_id: str, amend: Amend) -> Account | None:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _change(connection, self._seal, user_id, amend)))

    async def replace_password(
        self, user_id: str, amend: Amend, now: float, *, but: str = "", invitation: str = ""
    ) -> LoggedOut | None:
        """See the port."""

        def replaced(connection: Connection) -> LoggedOut | None:
            this = (invitations.c.id == invitation, invitations.c.user_id == user_id, *_open(now))
            if invitation and not connection.scalar(select(exists().where(*this))):
                return None
            if _change(connection, self._seal, user_id, amend) is None:
                return None
            connection.execute(update(invitations).where(*this).values(used_at=now))
            end_invitations(connection, now, invitations.c.user_id == user_id)
            return _log_out(connection, user_id, now, but)

        return await self._writer.submit(statement(replaced))

    async def invite(self, invitation: Invitation, role: Role) -> bool:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _invite(connection, invitation, role)))

    async def invitation(self, *, digest: bytes = b"", id: str = "") -> tuple[Invitation, User] | None:
        """See the port."""
        this = invitations.c.id == id if id else invitations.c.digest == digest
        found = await self._readers.run(lambda connection: _invitations(connection, this))
        return found[0] if found else None

    async def invitations(self, now: float) -> list[tuple[Invitation, User]]:
        """See the port."""
        return await self._readers.run(lambda connection: _invitations(connection, *_open(now)))

    async def revoke_invitation(self, id: str, now: float) -> bool:
        """See the port."""
        this = invitations.c.id == id
        return await self._writer.submit(statement(lambda connection: end_invitations(connection, now, this) > 0))

    async def link(self, identity: LinkedIdentity, entry: Entry = enabled) -> bool:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _link(connection, identity, entry)))

    async def unlink(self, identity: LinkedIdentity, now: float, *, but: str = "") -> LoggedOut | None:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _unlink(connection, identity, now, but)))

    async def identities(self, user_id: str) -> list[LinkedIdentity]:
        """See the port."""
        return await self._readers.run(lambda connection: _identities(connection, user_id))

    async def identified(self, issuer: str, subject: str) -> User | None:
        """See the port."""
        return await self._readers.run(lambda connection: _identified(connection, issuer, subject))

    async def ways(self, user_ids: Sequence[str], now: float, idle: float) -> dict[str, WaysIn]:
        """See the port."""
        return await self._readers.run(lambda connection: _ways(connection, user_ids, now, idle))

    async def anybody(self) -> bool:
        """See the port."""
        return await self._readers.run(_anybody)


def _get(connection: Connection, seal: Sealing, user_id: str) -> Account | None:
    """What a user logs in with."""
    row = connection.execute(select(*ACCOUNTS.read).where(accounts.c.user_id == user_id)).one_or_none()
    held = ACCOUNTS.value(row) if row else None
    return replace(held, totp=seal.open(held.totp, user_id)) if held and held.totp else held


def _change(connection: Connection, seal: Sealing, user_id: str, amend: Amend) -> Account | None:
    """Change it as is decided, or make it."""
    held = _get(connection, seal, user_id)
    changed = amend(held or Account(user_id))
    if changed is None:
        return None
    kept = ACCOUNTS.values(replace(changed, totp=seal.close(changed.totp, user_id)) if changed.totp else changed)
    if held is None:
        connection.execute(insert(accounts).values(kept))
    else:
        connection.execute(update(accounts).where(accounts.c.user_id == user_id).values(kept))
    return changed


def may_enter(connection: Connection, user_id: str, entry: Entry) -> bool:
    """Tell whether a user may come in, as all is kept now; of one who is not there a foreign key tells."""
    row = connection.execute(select(*USERS.read).where(users.c.id == user_id)).one_or_none()
    held = _get(connection, UNSEALED, user_id) or Account(user_id)
    return row is None or entry(USERS.value(row), held)


def check_maker(connection: Connection, user_id: str) -> None:
    """Raise Forbidden when who makes something for somebody else administers no more; empty: nobody does."""
    administers = (users.c.role == Role.ADMIN.value, users.c.disabled_at.is_(None))
    if user_id and not connection.scalar(select(exists().where(users.c.id == user_id, *administers))):
        raise administers_no_more()


def end_invitations_by(connection: Connection, user_id: str, now: float) -> list[Invitation]:
    """End the invitations that a user made, and return them."""
    these = (invitations.c.made_by == user_id, *_open(now))
    ended = update(invitations).where(*these).values(revoked_at=now).returning(*INVITATIONS.read)
    return sorted((INVITATIONS.value(row) for row in connection.execute(ended)), key=lambda one: one.id)


def _invite(connection: Connection, invitation: Invitation, role: Role) -> bool:
    """Add an invitation in place of others, for a user of this role who is not disabled."""
    user_id = invitation.user_id
    if not may_enter(connection, user_id, lambda user, _: user.disabled_at is None and user.role is role):
        return False
    check_maker(connection, invitation.made_by)
    end_invitations(connection, invitation.created_at, invitations.c.user_id == user_id)
    connection.execute(insert(invitations).values(INVITATIONS.values(invitation)))
    return True


def _open(now: float) -> tuple[ColumnElement[bool], ...]:
    columns = invitations.c
    return columns.used_at.is_(None), columns.revoked_at.is_(None), columns.expires_at > now


def _invitations(connection: Connection, *which: ColumnElement[bool]) -> list[tuple[Invitation, User]]:
    """Invitations with whom they are for, newest first."""
    query = select(*INVITATIONS.read, *USERS.read).join_from(invitations, users).where(*which)
    query = query.order_by(invitations.c.id.desc()).limit(MOST_INVITATIONS)
    rows = connection.execute(query).all()
    return [(INVITATIONS.value(row), USERS.value(row[len(INVITATIONS.read) :])) for row in rows]


def _log_out(connection: Connection, user_id: str, now: float, but: str) -> LoggedOut:
    """End what a log-in has let in."""
    theirs = (sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.id != but)
    ended = update(sessions).where(*theirs).values(ended_at=now).returning(sessions.c.id)
    keys = (api_keys.c.user_id == user_id, api_keys.c.from_login == 1, api_keys.c.id != but)
    revoked = update(api_keys).where(*keys, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    return list(connection.scalars(ended)), list(connection.scalars(revoked.returning(api_keys.c.id)))


def end_invitations(connection: Connection, now: float, *which: ColumnElement[bool]) -> int:
    """End invitations, all without `which`; return how many."""
    return connection.execute(update(invitations).where(*which, *_open(now)).values(revoked_at=now)).rowcount


def _link(connection: Connection, identity: LinkedIdentity, entry: Entry) -> bool:
    """Add an identity, unless it is known; False when it is not its user's then, or they may not come in."""
    held = _identified(connection, identity.issuer, identity.subject)
    if (held is not None and held.id != identity.user_id) or not may_enter(connection, identity.user_id, entry):
        return False
    if held is None:
        connection.execute(insert(identities).values(IDENTITIES.values(identity)))
    return True


def _unlink(connection: Connection, identity: LinkedIdentity, now: float, but: str) -> LoggedOut | None:
    """Remove an identity, with what log-ins have let in; None when it is not its user's."""
    theirs = identities.c.user_id == identity.user_id
    this = (theirs, identities.c.issuer == identity.issuer, identities.c.subject == identity.subject)
    if not connection.scalar(select(exists().where(*this))):
        return None
    by_password = exists().where(accounts.c.user_id == identity.user_id, accounts.c.password != "")
    several = select(func.count() > 1).select_from(identities).where(theirs).scalar_subquery()
    if not connection.scalar(select(or_(by_password, several))):
        raise last_way_in()
    connection.execute(delete(identities).where(*this))
    return _log_out(connection, identity.user_id, now, but)


def _identities(connection: Connection, user_id: str) -> list[LinkedIdentity]:
    """A user's identities, oldest first."""
    oldest = (identities.c.linked_at, identities.c.issuer, identities.c.subject)
    query = select(*IDENTITIES.read).where(identities.c.user_id == user_id).order_by(*oldest)
    return [IDENTITIES.value(row) for row in connection.execute(query.limit(MOST_IDENTITIES))]


def _identified(connection: Connection, issuer: str, subject: str) -> User | None:
    """Whose an identity is."""
    this = (identities.c.issuer == issuer, identities.c.subject == subject)
    row = connection.execute(select(*USERS.read).join_from(identities, users).where(*this)).one_or_none()
    return USERS.value(row) if row else None


def _ways(connection: Connection, user_ids: Sequence[str], now: float, idle: float) -> dict[str, WaysIn]:
    """What users may come in by, each with a look at what is theirs."""
    theirs = {table: table.c.user_id == users.c.id for table in (identities, invitations, sessions, api_keys)}
    live = (sessions.c.ended_at.is_(None), sessions.c.ends_at > now, sessions.c.used_at > now - idle)
    query = select(
        users.c.id,
        case((accounts.c.password != "", accounts.c.password_at)),
        accounts.c.totp_at,
        select(func.count()).select_from(identities).where(theirs[identities]).scalar_subquery(),
        select(func.max(invitations.c.expires_at)).where(theirs[invitations], *_open(now)).scalar_subquery(),
        select(func.count()).select_from(sessions).where(theirs[sessions], *live).scalar_subquery(),
        select(func.max(sessions.c.created_at)).where(theirs[sessions]).scalar_subquery(),
        select(func.max(api_keys.c.created_at)).where(theirs[api_keys], api_keys.c.from_login == 1).scalar_subquery(),
        select(func.max(sessions.c.used_at)).where(theirs[sessions]).scalar_subquery(),
        select(func.max(api_keys.c.last_used_at)).where(theirs[api_keys]).scalar_subquery(),
    )
    rows = connection.execute(query.outerjoin_from(users, accounts).where(users.c.id.in_(user_ids)))
    return {row[0]: WaysIn(*row[1:5], _latest(*row[6:8]), _latest(*row[8:10]), row[5]) for row in rows}


def _latest(*times: float | None) -> float | None:
    return max((one for one in times if one is not None), default=None)


def _anybody(connection: Connection) -> bool:
    """Whether an administrator can log in."""
    by_password = exists().where(accounts.c.user_id == users.c.id, accounts.c.password != "")
    by_identity = exists().where(identities.c.user_id == users.c.id)
    query = select(users.c.id).where(
        users.c.role == Role.ADMIN.value, users.c.disabled_at.is_(None), or_(by_password, by_identity)
    )
    return connection.execute(query.limit(1)).one_or_none() is not None
