"""What users log in with, behind the port: accounts, invitations, identities."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, exists, insert, or_, select, update

from agentic_atlas.backend.accounts import MOST_INVITATIONS, Sealing
from agentic_atlas.backend.domain.people import Account, Amend, Invitation, LinkedIdentity
from agentic_atlas.backend.domain.records import Role, User
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import USERS, Field, Rows
from agentic_atlas.backend.store.tables import accounts, identities, invitations, users
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

    async def invite(self, invitation: Invitation) -> None:
        """See the port."""
        await self._writer.submit(statement(lambda connection: _invite(connection, invitation)))

    async def invitation(self, digest: bytes) -> tuple[Invitation, User] | None:
        """See the port."""
        found = await self._readers.run(lambda connection: _invitations(connection, invitations.c.digest == digest))
        return found[0] if found else None

    async def invitations(self, now: float) -> list[tuple[Invitation, User]]:
        """See the port."""
        return await self._readers.run(lambda connection: _invitations(connection, *_open(now)))

    async def redeem(self, invitation_id: str, amend: Amend, now: float) -> bool:
        """See the port."""
        return await self._writer.submit(
            statement(lambda connection: _redeem(connection, self._seal, invitation_id, amend, now))
        )

    async def revoke_invitations(self, now: float, *, id: str | None = None, user_id: str | None = None) -> int:
        """See the port."""
        which = [
            column == value for column, value in ((invitations.c.id, id), (invitations.c.user_id, user_id)) if value
        ]
        return await self._writer.submit(statement(lambda connection: _revoke(connection, which, now)))

    async def link(self, identity: LinkedIdentity, password_at: float | None) -> bool:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _link(connection, identity, password_at)))

    async def identified(self, issuer: str, subject: str) -> User | None:
        """See the port."""
        return await self._readers.run(lambda connection: _identified(connection, issuer, subject))

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


def _invite(connection: Connection, invitation: Invitation) -> None:
    """Add an invitation."""
    connection.execute(insert(invitations).values(INVITATIONS.values(invitation)))


def _open(now: float) -> tuple[ColumnElement[bool], ...]:
    columns = invitations.c
    return columns.used_at.is_(None), columns.revoked_at.is_(None), columns.expires_at > now


def _invitations(connection: Connection, *which: ColumnElement[bool]) -> list[tuple[Invitation, User]]:
    """Invitations with whom they are for, newest first."""
    query = select(*INVITATIONS.read, *USERS.read).join_from(invitations, users).where(*which)
    query = query.order_by(invitations.c.id.desc()).limit(MOST_INVITATIONS)
    rows = connection.execute(query).all()
    return [(INVITATIONS.value(row), USERS.value(row[len(INVITATIONS.read) :])) for row in rows]


def _redeem(connection: Connection, seal: Sealing, invitation_id: str, amend: Amend, now: float) -> bool:
    """Use an invitation up and change the account that it is for."""
    usable = update(invitations).where(invitations.c.id == invitation_id, *_open(now)).values(used_at=now)
    user_id = connection.scalar(usable.returning(invitations.c.user_id))
    if user_id is None:
        return False
    _change(connection, seal, user_id, amend)
    return True


def _revoke(connection: Connection, which: Sequence[ColumnElement[bool]], now: float) -> int:
    """End invitations."""
    return connection.execute(update(invitations).where(*which, *_open(now)).values(revoked_at=now)).rowcount


def _link(connection: Connection, identity: LinkedIdentity, password_at: float | None) -> bool:
    """Add an identity, unless it is known; False when it is not its user's then, or they are not as they were."""
    held = _identified(connection, identity.issuer, identity.subject)
    if held is not None and held.id != identity.user_id:
        return False
    theirs = users.c.id == identity.user_id
    joined = select(users.c.disabled_at, accounts.c.password_at).outerjoin_from(users, accounts).where(theirs)
    row = connection.execute(joined).one_or_none()
    if row is not None and tuple(row) != (None, password_at):
        return False
    if held is None:  # without the user, a foreign key refuses it
        connection.execute(insert(identities).values(IDENTITIES.values(identity)))
    return True


def _identified(connection: Connection, issuer: str, subject: str) -> User | None:
    """Whose an identity is."""
    this = (identities.c.issuer == issuer, identities.c.subject == subject)
    row = connection.execute(select(*USERS.read).join_from(identities, users).where(*this)).one_or_none()
    return USERS.value(row) if row else None


def _anybody(connection: Connection) -> bool:
    """Whether an administrator can log in."""
    by_password = exists().where(accounts.c.user_id == users.c.id, accounts.c.password != "")
    by_identity = exists().where(identities.c.user_id == users.c.id)
    query = select(users.c.id).where(
        users.c.role == Role.ADMIN.value, users.c.disabled_at.is_(None), or_(by_password, by_identity)
    )
    return connection.execute(query.limit(1)).one_or_none() is not None
