"""Tokens of agents: issued once, listed without their secret, renewed by agents, rotated and revoked by people."""

from collections.abc import Sequence
from typing import TypedDict

import msgspec
from msgspec.structs import replace

from agentic_atlas.auth import AGENT_SCOPES, AgentClaims, Scope, mint, parse_scopes
from agentic_atlas.backend.domain.names import check_description, check_label
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, Token
from agentic_atlas.backend.domain.renewal import keys_before, renewable, renewed_until
from agentic_atlas.backend.domain.renewal import lifetime as lifetime_of
from agentic_atlas.backend.engine.access import held
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.review import maker_names
from agentic_atlas.backend.rights import AgentToken, Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import new_token, token_info
from agentic_atlas.errors import Conflict, Forbidden, InvalidInput, NotFound
from agentic_atlas.protocol.caller.agents import NewToken, RevokedToken, TokenInfo
from agentic_atlas.protocol.inside.messages import ROTATED, Renew, Renewed, Retire, Revoke

_DAY = 86_400
DEFAULT_LIFETIME = 90 * _DAY
"""Seconds that an agent's token is good for unless its owner says otherwise, or the network allows less."""
OVERLAP = _DAY
"""Seconds for which a token is good after another one was made in its place, unless its owner says otherwise."""


@use_case
async def issue(
    who: Principal,
    engine: Engine,
    agent_name: str,
    *,
    name: str = "",
    description: str = "",
    lifetime: float | None = None,
    scopes: Sequence[str] | None = None,
    renews: bool = True,
) -> NewToken:
    """Make a token for one instance of an agent; `lifetime` in seconds, `description` what it is for, in words.

    `renews` says whether its agent may have the next one by itself.

    Raises:
        NotFound: there is no such agent. Forbidden: they don't manage it.
        InvalidInput: it is to live for too long, a scope is none, it is called what no token may be, or too much is
            said of it.
    """
    agent = await engine.access.agent(who.user, agent_name, AccessLevel.MANAGE)
    most = engine.tokens.max_token_lifetime
    seconds = _bounded(min(DEFAULT_LIFETIME, most) if lifetime is None else lifetime, most)
    now = int(engine.clock())
    unsigned = Token(
        id=engine.ids("tok"),
        agent_id=agent.id,
        name=check_label(name, "a token's name"),
        description=check_description(description),
        issued_at=now,
        expires_at=now + seconds,
        scopes=_scopes(scopes),
        lifetime=seconds,
        renewable_until=now + engine.tokens.max_token_age if renews else None,
        **_made(who, agent),
    )
    token, secret = _signed(engine, unsigned, agent)
    await engine.store.tokens.add(token)
    engine.changes.tokens(agent.id)
    await engine.signing.check(token)
    return new_token(token, agent, who.user.name, now, secret)


@use_case
async def of_agent(who: Principal, engine: Engine, agent_name: str) -> list[TokenInfo]:
    """Return the agent's tokens, newest first; raises NotFound, and Forbidden for who doesn't manage it."""
    agent = await engine.access.agent(who.user, agent_name, AccessLevel.MANAGE)
    there = (engine.access.token(one.instance_id) for one in engine.credit.usage(agent.id))
    used, now = {token.id for token in there if token is not None}, engine.clock()
    found = await engine.store.tokens.of_agent(agent.id)
    makers = await maker_names(engine, found)
    return [token_info(token, agent, makers[token.made_by], now, in_use=token.id in used) for token in found]


@use_case
async def show(who: Principal, engine: Engine, token_id: str) -> TokenInfo:
    """Return a token without its secret; raises NotFound (`token_not_found`)."""
    agent, token = await _of_theirs(who, engine, token_id)
    there = (engine.access.token(one.instance_id) for one in engine.credit.usage(agent.id))
    makers = await maker_names(engine, [token])
    in_use = any(one is not None and one.id == token.id for one in there)
    return token_info(token, agent, makers[token.made_by], engine.clock(), in_use=in_use)


@use_case
async def rotate(
    who: Principal,
    engine: Engine,
    token_id: str,
    *,
    overlap: float = OVERLAP,
    lifetime: float | None = None,
    renews: bool | None = None,
) -> NewToken:
    """Make a token in place of this one, which is good for `overlap` seconds more, as are all others of its lineage.

    Whoever is connected with such a one finishes what it runs then, and is given nothing new; without an overlap it is
    cut off. The new one says what that one said, and is good for as long as that one was made for, or for `lifetime`
    seconds; `renews` as in `issue`, None: as that one.

    Raises:
        NotFound: there is no such token (`token_not_found`).
        InvalidInput: it is to live for too long.
        Conflict: it was revoked (`token_revoked`).
    """
    agent, token = await _of_theirs(who, engine, token_id)
    most = engine.tokens.max_token_lifetime
    seconds = _bounded(min(lifetime_of(token), most) if lifetime is None else lifetime, most)
    now = int(engine.clock())
    again = token.renewable_until is not None if renews is None else renews
    until = now + engine.tokens.max_token_age if again else None
    after = _after(engine, token, now, now + seconds)
    unsigned = replace(after, lifetime=seconds, renewable_until=until, earlier_keys=(), **_made(who, agent))
    successor, secret = _signed(engine, unsigned, agent)
    retired = await engine.store.tokens.rotate(successor, token.id, now + overlap)
    if retired is None:
        raise Conflict("this token was revoked: make a new one with `atlas tokens create`", code="token_revoked")
    engine.access.retired(retired)
    engine.changes.tokens(agent.id)
    ended = tuple(one.id for one in retired)
    engine.router.say(Retire(ended, now + overlap) if overlap else Revoke(ended, ROTATED))
    await engine.signing.check(successor)
    return new_token(successor, agent, who.user.name, now, secret, retired=retired)


@use_case
async def renew(who: Principal, engine: Engine, said: Renew) -> Renewed:
    """Make a token in place of the one that an agent is connected with, whose connection is the new one's from now on.

    The old one is good until it expires: what its agent has of the new one may not outlive the process.

    Raises:
        Forbidden, Busy: see `renewal.renewed_until`; or the connection is not with this token (`token_unknown`).
    """
    shown = who.credential
    token = await engine.store.tokens.get(said.token_id)
    agent = await engine.store.agents.get(said.instance.agent_id)
    if not isinstance(shown, AgentToken) or token is None or agent is None or shown.id != token.id:
        raise Forbidden("this connection has another token", code="token_unknown")
    now = int(engine.clock())
    ends = renewed_until(token, await engine.store.tokens.of_lineage(token.root), now)
    ring = engine.signing.ring
    earlier = keys_before(token, ring.verification.keys(), ring.active.kid)
    unsigned = replace(_after(engine, token, now, ends), lifetime=lifetime_of(token), earlier_keys=earlier)
    successor, secret = _signed(engine, unsigned, agent)
    if not await engine.store.tokens.renew(successor, token.id):
        raise Forbidden("this token was revoked or rotated meanwhile", code="token_revoked")
    await engine.store.agents.go_on(said.instance.instance_id, said.instance.generation, successor)
    await engine.signing.check(successor)
    engine.credit.instances.stored(said.instance, successor.id)
    engine.access.renewed(said.instance, held(successor, agent))
    engine.changes.tokens(agent.id)
    return Renewed(said.number, secret, successor.id, successor.expires_at, renewable(successor), successor.key_id)


@use_case
async def revoke(who: Principal, engine: Engine, token_id: str) -> RevokedToken:
    """Make a token and its whole lineage worthless, and close the connections made with them; return what ended.

    Raises NotFound (`token_not_found`).
    """
    agent, token = await _of_theirs(who, engine, token_id)
    now = engine.clock()
    revoked = await engine.store.tokens.revoke(token_id, now)
    lineage = await engine.store.tokens.of_lineage(token.root)
    engine.access.forget()
    engine.changes.tokens(agent.id)
    engine.router.say(Revoke(tuple(one.id for one in lineage), "token_revoked"))
    makers = await maker_names(engine, [token])
    shown = token_info(revoked or token, agent, makers[token.made_by], now)
    ended = tuple(one.id for one in lineage if one.revoked_at == now and one.ends_at > now)
    return RevokedToken(**msgspec.structs.asdict(shown), ended=ended)


async def _of_theirs(who: Principal, engine: Engine, token_id: str) -> tuple[AgentRecord, Token]:
    token = await engine.store.tokens.get(token_id)
    # Looked for without a token too: what is somebody else's takes as long as what is not there.
    agent = await engine.store.agents.get(token.agent_id if token else "")
    if token is None or agent is None or not who.visible.may(agent, AccessLevel.MANAGE):
        raise NotFound(f"there is no token {token_id[:64]!r}", code="token_not_found")
    return agent, token


def _bounded(seconds: float, most: float) -> int:
    if not 1 <= seconds <= most:
        raise InvalidInput(f"a token lives from 1 second to {_words(most)} on this network")
    return int(seconds)


def _words(seconds: float) -> str:
    return f"{seconds / _DAY:g} days" if seconds >= _DAY else f"{seconds:g} seconds"


def _scopes(asked: Sequence[str] | None) -> tuple[str, ...]:
    if asked is None:
        return AGENT_SCOPES
    # What it is for is always among them.
    return parse_scopes(" ".join((Scope.AGENT_CONNECT, *asked)), AGENT_SCOPES)


class _Made(TypedDict):
    """Who makes a token, and as what."""

    made_by: str
    by_share: bool


def _made(who: Principal, agent: AgentRecord) -> _Made:
    # By a share, or by being an administrator: neither is for ever.
    return {"made_by": who.user.id, "by_share": agent.owner_id != who.user.id}


def _after(engine: Engine, token: Token, now: int, ends: float) -> Token:
    """Return the next token of a lineage, which has been used by nobody, as if who made that one made it."""
    return replace(
        token,
        id=engine.ids("tok"),
        issued_at=now,
        expires_at=int(ends),
        lineage=token.root,
        retires_at=None,
        last_used_at=None,
        last_instance="",
        last_host="",
        last_address="",
        revoked_at=None,
        withdrawn=False,
    )


def _signed(engine: Engine, token: Token, agent: AgentRecord) -> tuple[Token, str]:
    """Return the token with the key that signs it, and what its agent shows."""
    claims = AgentClaims(
        jti=token.id,
        agent_id=agent.id,
        network=engine.network,
        name=agent.full_name,
        scopes=token.scopes,
        iat=int(token.issued_at),
        nbf=int(token.issued_at),
        exp=int(token.expires_at),
        lineage=token.lineage,
    )
    ring = engine.signing.ring
    return replace(token, key_id=ring.active.kid), mint(ring, claims)
