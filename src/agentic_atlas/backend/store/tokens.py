"""Issued agent tokens behind the port."""

from collections.abc import Collection

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, insert, or_, select, update

from agentic_atlas.backend.domain.records import AgentRecord, Token, User
from agentic_atlas.backend.ports import MOST_OF_LINEAGE, MOST_SECRETS, NamedToken
from agentic_atlas.backend.rights import manages, share_ended
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

    async def rotate(self, token: Token, of: str, at: float) -> list[Token] | None:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _rotate(connection, token, of, at)))

    async def revoke(self, token_id: str, now: float) -> Token | None:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _revoke(connection, token_id, now)))

    async def resting_on(self, key_id: str, now: float) -> list[NamedToken]:
        """See the port."""
        return await self._readers.run(lambda connection: _resting_on(connection, key_id, now))

    async def withdraw(self, key_id: str, now: float) -> list[NamedToken]:
        """See the port."""
        return await self._writer.submit(statement(lambda connection: _withdraw(connection, key_id, now)))

    async def withdraw_others(self, key_ids: Collection[str], now: float) -> None:
        """See the port."""
        others = (tokens.c.key_id.not_in((*key_ids, "")), tokens.c.expires_at > now)
        await self._writer.submit(statement(lambda connection: _end(connection, now, *others)))


def _add(connection: Connection, token: Token) -> None:
    """Add a token, unless it was made by a share that has ended meanwhile."""
    connection.execute(insert(tokens).values(TOKENS.values(token)))
    if token.by_share and _unmanaged(connection, token.issued_at, tokens.c.id == token.id):
        raise share_ended()


_MADE = select(*TOKENS.read, *AGENTS.read, *USERS.read).select_from(
    tokens.join(agents, agents.c.id == tokens.c.agent_id).outerjoin(users, users.c.id == tokens.c.made_by)
)


def _unmanaged(connection: Connection, now: float, *which: ColumnElement[bool]) -> list[Token]:
    """Tokens made by a share, and still good, of whoever may not manage their agent."""
    agent, maker = len(TOKENS.read), len(TOKENS.read) + len(AGENTS.read)
    good = (tokens.c.by_share == 1, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now)
    found = []
    for row in connection.execute(_MADE.where(*good, *which).order_by(tokens.c.id)):
        user = USERS.value(row[maker:]) if row[maker] is not None else None
        if not manages(user, AGENTS.value(row[agent:])):
            found.append(TOKENS.value(row))
    return [token for token in found if not token.over(now)]


def end_unmanaged(connection: Connection, now: float, *which: ColumnElement[bool]) -> list[Token]:
    """Revoke, of these tokens, those of whoever may not manage their agent any more, and return them."""
    ended = _unmanaged(connection, now, *which)
    for token in ended:
        connection.execute(update(tokens).where(tokens.c.id == token.id).values(revoked_at=now))
    return [replace(token, revoked_at=now) for token in ended]


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


def _renew(connection: Connection, token: Token, of: str) -> bool:
    """Add a token in place of one that is still its lineage's last; what is long over is forgotten for it."""
    before = _get(connection, of)
    if before is None or before.retires_at is not None or before.revoked_at is not None:
        return False
    over = (tokens.c.lineage == token.root, tokens.c.expires_at <= token.issued_at)
    unused = ~exists().where(instances.c.token_id == tokens.c.id)
    newest = select(tokens.c.id).where(*over).order_by(tokens.c.id.desc()).limit(MOST_OF_LINEAGE)
    connection.execute(delete(tokens).where(*over, unused, tokens.c.id.not_in(newest.scalar_subquery())))
    _add(connection, token)
    return True


def _rotate(connection: Connection, token: Token, of: str, at: float) -> list[Token] | None:
    """Add a token to a lineage, and have the others end; return those that had not."""
    before = _get(connection, of)
    if before is None or before.revoked:
        return None
    living = (_in(token.root), *_unended(token.issued_at))
    found = [TOKENS.value(row) for row in connection.execute(select(*TOKENS.read).where(*living).order_by(tokens.c.id))]
    retired = [replace(one, retires_at=at if one.retires_at is None else min(at, one.retires_at)) for one in found]
    for one in retired:
        connection.execute(update(tokens).where(tokens.c.id == one.id).values(retires_at=one.retires_at))
    _add(connection, token)
    return retired


def _revoke(connection: Connection, token_id: str, now: float) -> Token | None:
    """Mark a lineage revoked, as far as it is not, and return the token that was named."""
    token = _get(connection, token_id)
    if token is not None:
        at = func.coalesce(tokens.c.revoked_at, now)
        connection.execute(update(tokens).where(_in(token.root)).values(revoked_at=at, withdrawn=0))
    return _get(connection, token_id)


def _unended(now: float) -> tuple[ColumnElement[bool], ...]:
    """Conditions of a token that is still good (`Token.over`)."""
    unretired = or_(tokens.c.retires_at.is_(None), tokens.c.retires_at > now)
    return tokens.c.revoked_at.is_(None), tokens.c.expires_at > now, unretired


def _rests_on(key_id: str) -> ColumnElement[bool]:
    """Condition of a token that rests on a signing key (`Token.rests_on`)."""
    return or_(tokens.c.key_id.in_(("", key_id)), func.instr(tokens.c.earlier_keys, key_id) > 0)


def _resting_on(connection: Connection, key_id: str, now: float) -> list[NamedToken]:
    """Tokens that rest on a key and have not ended, with the names of their agents."""
    named = select(*TOKENS.read, agents.c.full_name).join_from(tokens, agents, agents.c.id == tokens.c.agent_id)
    found = connection.execute(named.where(_rests_on(key_id), *_unended(now)).order_by(tokens.c.id))
    return [(TOKENS.value(row), row.full_name) for row in found]


def _withdraw(connection: Connection, key_id: str, now: float) -> list[NamedToken]:
    """Mark what rests on a key withdrawn; return what had not ended."""
    ended = _resting_on(connection, key_id, now)
    _end(connection, now, _rests_on(key_id))
    return ended


def _end(connection: Connection, now: float, *which: ColumnElement[bool]) -> None:
    """Mark tokens withdrawn that are not revoked."""
    valid = update(tokens).where(tokens.c.revoked_at.is_(None), *which)
    connection.execute(valid.values(revoked_at=now, withdrawn=1))
