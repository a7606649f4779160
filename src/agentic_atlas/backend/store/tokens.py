"""Issued agent tokens behind the port."""

from sqlalchemy import Connection, bindparam, insert, select, update

from agentic_atlas.backend.domain.records import AgentRecord, Token, User
from agentic_atlas.backend.ports import MOST_SECRETS
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import AGENTS, TOKENS, USERS
from agentic_atlas.backend.store.tables import agents, tokens, users
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
        return await self._readers.run(lambda connection: _of_agent(connection, agent_id))

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


def _of_agent(connection: Connection, agent_id: str) -> list[Token]:
    """Tokens of an agent, newest first; where there are too many, those that may still be revoked are among them."""
    newest = (tokens.c.issued_at.desc(), tokens.c.id.desc())
    query = (
        select(*TOKENS.read).where(tokens.c.agent_id == agent_id).order_by(tokens.c.revoked_at.is_not(None), *newest)
    )
    found = [TOKENS.value(row) for row in connection.execute(query.limit(MOST_SECRETS))]
    return sorted(found, key=lambda token: (token.issued_at, token.id), reverse=True)


def _revoke(connection: Connection, token_id: str, now: float) -> Token | None:
    """Mark a token revoked, unless it is, and return it."""
    valid = (tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
    connection.execute(update(tokens).where(*valid).values(revoked_at=now))
    return _get(connection, token_id)
