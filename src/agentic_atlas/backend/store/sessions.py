"""Sessions of people behind the port."""

from sqlalchemy import Connection, delete, insert, select, update

from agentic_atlas.backend.accounts import MOST_SESSIONS, REMEMBERED
from agentic_atlas.backend.domain.people import BrowserSession, Entry, enabled
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.store.accounts import may_enter
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import USERS, Rows
from agentic_atlas.backend.store.tables import sessions, users
from agentic_atlas.backend.store.writer import Writer, statement

SESSIONS = Rows(BrowserSession, sessions)


class SqlSessions:
    """`backend.accounts.Sessions`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, session: BrowserSession, entry: Entry = enabled) -> bool:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _add(connection, session, entry)))

    async def by_digest(self, digest: bytes) -> tuple[BrowserSession, User] | None:
        """See the port."""
        return await self._readers.run(lambda connection: _by_digest(connection, digest))

    async def of_user(self, user_id: str) -> list[BrowserSession]:
        """See the port."""
        return await self._readers.run(lambda connection: _of_user(connection, user_id))

    async def seen(self, session_id: str, at: float) -> None:
        """See the port."""
        await self._writer.submit(statement(lambda connection: _seen(connection, session_id, at)))

    async def end(self, now: float, *, user_id: str | None, id: str | None = None, but: str = "") -> list[str]:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _end(connection, now, user_id, id, but)))

    async def knows(self, user_id: str, device: bytes) -> bool:
        """See the port."""
        return await self._readers.run(lambda connection: _knows(connection, user_id, device))


def _add(connection: Connection, session: BrowserSession, entry: Entry) -> bool:
    """Add a session; those that were used last stay, and of those that are over none for longer than is said."""
    if not may_enter(connection, session.user_id, entry):
        return False
    connection.execute(insert(sessions).values(SESSIONS.values(session)))
    theirs = sessions.c.user_id == session.user_id
    newest = select(sessions.c.id).where(theirs).order_by(*_LAST_FIRST).limit(MOST_SESSIONS)
    connection.execute(delete(sessions).where(theirs, sessions.c.id.not_in(newest)))
    old = sessions.c.used_at < session.created_at - REMEMBERED
    connection.execute(delete(sessions).where(theirs, old, sessions.c.ends_at < session.created_at))
    return True


_LAST_FIRST = (sessions.c.used_at.desc(), sessions.c.id.desc())


def _by_digest(connection: Connection, digest: bytes) -> tuple[BrowserSession, User] | None:
    """The session of this digest and its user, in one look: it is on the way of every request of a browser."""
    query = select(*SESSIONS.read, *USERS.read).join_from(sessions, users).where(sessions.c.digest == digest)
    row = connection.execute(query).one_or_none()
    return (SESSIONS.value(row), USERS.value(row[len(SESSIONS.read) :])) if row else None


def _of_user(connection: Connection, user_id: str) -> list[BrowserSession]:
    """Sessions of a user, those that were used last first."""
    query = select(*SESSIONS.read).where(sessions.c.user_id == user_id).order_by(*_LAST_FIRST)
    return [SESSIONS.value(row) for row in connection.execute(query)]


def _seen(connection: Connection, session_id: str, at: float) -> None:
    """Note when a session was used."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(used_at=at))


def _end(connection: Connection, now: float, user_id: str | None, id: str | None, but: str) -> list[str]:
    """End sessions that have not been."""
    query = update(sessions).where(sessions.c.ended_at.is_(None), sessions.c.id != but).values(ended_at=now)
    if user_id is not None:
        query = query.where(sessions.c.user_id == user_id)
    if id is not None:
        query = query.where(sessions.c.id == id)
    return list(connection.scalars(query.returning(sessions.c.id)))


def _knows(connection: Connection, user_id: str, device: bytes) -> bool:
    """Whether a user has had a session on a device."""
    query = select(sessions.c.id).where(sessions.c.user_id == user_id, sessions.c.device == device).limit(1)
    return connection.execute(query).one_or_none() is not None
