"""Issued agent tokens behind the port."""

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, insert, or_, select, update

from agentic_atlas.backend.domain.records import AgentRecord, Token, User
from agentic_atlas.backend.ports import MOST_OF_LINEAGE, MOST_SECRETS
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import AGENTS, TOKENS, USERS
from agentic_atlas.backend.store.tables import agents, instances, tokens, users
from agentic_atlas.backend.store.writer import Writer, statement


class SqlTokens:
    """`ports.Tokens`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, token: Token) -> None:
        """See the port. Raises NotFound without the agent."""
        await self._writer.submit(statement(lambda connection: _add(connection, token)))

    async def get(self, token_id: str) -> Token | None:
        """See the port."""
        return await self._readers.run(lambda connection: _get(connection, token_id))

    async def bearer(self, token_id: str) -> tuple[Token, AgentRecord, User] | None:
        """See the port."""
        return await self._readers.run(lambda connection: _bearer(connection, token_id))

    async def of_agent(self, agent_id: str) -> list[Token]:
        """See the port."""
        return await self._readers.run(lambda connection: _newest(connection, tokens.c.agent_id == agent_id))

    async def of_lineage(self, lineage: str) -> list[Token]:
        """See the port."""
        return await self._readers.run(lambda connection: _newest(connection, _in(lineage)))

    async def renew(self, token: Token, of: str) -> bool:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _renew(connection, token, of)))

    async def rotate(self, token: Token, at: float) -> list[Token] | None:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _rotate(connection, token, at)))

    async def retiring(self, now: float) -> list[Token]:
        """See the port."""
        return await self._readers.run(lambda connection: _retiring(connection, now))

    async def revoke(self, token_id: str, now: float) -> Token | None:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _revoke(connection, token_id, now)))


def _add(connection: Connection, token: Token) -> None:
    """Add a token."""
    connection.execute(insert(tokens).values(TOKENS.values(token)))


def _get(connection: Connection, token_id: str) -> Token | None:
    """One token."""
    row = connection.execute(select(*TOKENS.read).where(tokens.c.id == token_id)).one_or_none()
    return TOKENS.value(row) if row else None


_BEARER = (
    select(*TOKENS.read, *AGENTS.read, *USERS.read)
    .join_from(tokens, agents, agents.c.id == tokens.c.agent_id)
    .join(users, users.c.id == agents.c.owner_id)
    .where(tokens.c.id == bindparam("token"))
)


def _bearer(connection: Connection, token_id: str) -> tuple[Token, AgentRecord, User] | None:
    """One token with its agent and owner: it is on the way of every agent that connects."""
    agent, owner = len(TOKENS.read), len(TOKENS.read) + len(AGENTS.read)
    row = connection.execute(_BEARER, {"token": token_id}).one_or_none()
    return (TOKENS.value(row), AGENTS.value(row[agent:]), USERS.value(row[owner:])) if row else None


def _newest(connection: Connection, which: ColumnElement[bool]) -> list[Token]:
    """Tokens, newest first; where there are too many, those that may still be revoked are among them."""
    newest = (tokens.c.issued_at.desc(), tokens.c.id.desc())
    query = select(*TOKENS.read).where(which).order_by(tokens.c.revoked_at.is_not(None), *newest)
    found = [TOKENS.value(row) for row in connection.execute(query.limit(MOST_SECRETS))]
    return sorted(found, key=lambda token: (token.issued_at, token.id), reverse=True)


def _in(lineage: str) -> ColumnElement[bool]:
    return or_(tokens.c.id == lineage, tokens.c.lineage == lineage)


def _revoked(connection: Connection, lineage: str) -> bool:
    """Whether any token of a lineage was revoked."""
    which = select(tokens.c.id).where(_in(lineage), tokens.c.revoked_at.is_not(None)).limit(1)
    return connection.execute(which).one_or_none() is not None


def _renew(connection: Connection, token: Token, of: str) -> bool:
    """Add a token in place of one that is still its lineage's last; what is long over is forgotten for it."""
    before = _get(connection, of)
    if before is None or before.retires_at is not None or _revoked(connection, token.root):
        return False
    over = (tokens.c.lineage == token.root, tokens.c.expires_at <= token.issued_at)
    unused = ~exists().where(instances.c.token_id == tokens.c.id)
    newest = select(tokens.c.id).where(*over).order_by(tokens.c.id.desc()).limit(MOST_OF_LINEAGE)
    connection.execute(delete(tokens).where(*over, unused, tokens.c.id.not_in(newest.scalar_subquery())))
    _add(connection, token)
    return True


def _rotate(connection: Connection, token: Token, at: float) -> list[Token] | None:
    """Add a token to a lineage, and have the others end; return those that had not."""
    if _revoked(connection, token.root):
        return None
    unended = or_(tokens.c.retires_at.is_(None), tokens.c.retires_at > token.issued_at)
    living = (_in(token.root), tokens.c.expires_at > token.issued_at, unended)
    found = [TOKENS.value(row) for row in connection.execute(select(*TOKENS.read).where(*living).order_by(tokens.c.id))]
    retired = [replace(one, retires_at=at if one.retires_at is None else min(at, one.retires_at)) for one in found]
    for one in retired:
        connection.execute(update(tokens).where(tokens.c.id == one.id).values(retires_at=one.retires_at))
    _add(connection, token)
    return retired


def _retiring(connection: Connection, now: float) -> list[Token]:
    """Tokens that end before they expire, and have not yet."""
    soon = (tokens.c.retires_at > now, tokens.c.retires_at < tokens.c.expires_at, tokens.c.revoked_at.is_(None))
    return [TOKENS.value(row) for row in connection.execute(select(*TOKENS.read).where(*soon).order_by(tokens.c.id))]


def _revoke(connection: Connection, token_id: str, now: float) -> Token | None:
    """Mark a lineage revoked, as far as it is not, and return the token that was named."""
    token = _get(connection, token_id)
    if token is not None:
        valid = (_in(token.root), tokens.c.revoked_at.is_(None))
        connection.execute(update(tokens).where(*valid).values(revoked_at=now))
    return _get(connection, token_id)
