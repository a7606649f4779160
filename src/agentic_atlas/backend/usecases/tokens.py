"""Tokens of agents: issued once, listed without their secret, revoked."""

from agentic_atlas.auth import AGENT_SCOPES, AgentClaims, mint
from agentic_atlas.backend.domain.names import check_label
from agentic_atlas.backend.domain.records import AgentRecord, Token
from agentic_atlas.backend.engine.api_keys import MAX_LIFETIME
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import new_token
from agentic_atlas.errors import InvalidInput, NotFound
from agentic_atlas.protocol.caller.agents import NewToken
from agentic_atlas.protocol.inside.messages import Revoke

_DAY = 86_400
DEFAULT_LIFETIME = 90 * _DAY
"""Seconds that an agent's token is good for unless its owner says otherwise."""


@use_case
async def issue(
    who: Principal, engine: Engine, agent_name: str, *, name: str = "", lifetime: float | None = None
) -> NewToken:
    """Make a token for one instance of an agent; `lifetime` in seconds. Raises NotFound or InvalidInput."""
    agent = await engine.access.agent(who.user, agent_name)
    seconds = DEFAULT_LIFETIME if lifetime is None else lifetime
    if not 1 <= seconds <= MAX_LIFETIME:
        raise InvalidInput(f"a token lives from 1 second to {MAX_LIFETIME // _DAY} days")
    now = int(engine.clock())
    token = Token(
        id=engine.ids("tok"),
        agent_id=agent.id,
        name=check_label(name, "a token's name"),
        issued_at=now,
        expires_at=now + int(seconds),
    )
    claims = AgentClaims(
        jti=token.id,
        agent_id=agent.id,
        network=engine.network,
        name=agent.full_name,
        scopes=AGENT_SCOPES,
        iat=now,
        nbf=now,
        exp=int(token.expires_at),
    )
    secret = mint(engine.keys, claims)
    await engine.store.tokens.add(token)
    return new_token(token, agent, now, secret)


@use_case
async def of_agent(who: Principal, engine: Engine, agent_name: str) -> tuple[AgentRecord, list[Token]]:
    """Return the agent and its tokens, newest first; raises NotFound."""
    agent = await engine.access.agent(who.user, agent_name)
    return agent, await engine.store.tokens.of_agent(agent.id)


@use_case
async def revoke(who: Principal, engine: Engine, token_id: str) -> tuple[AgentRecord, Token]:
    """Make a token worthless, and close the connection made with it; raises NotFound (`token_not_found`)."""
    token = await engine.store.tokens.get(token_id)
    # Looked for without a token too: what is somebody else's takes as long as what is not there.
    agent = await engine.store.agents.get(token.agent_id if token else "")
    if token is None or agent is None or not who.visible.agent(agent):
        raise NotFound(f"there is no token {token_id[:64]!r}", code="token_not_found")
    revoked = await engine.store.tokens.revoke(token_id, engine.clock())
    assert revoked is not None
    engine.access.forget()
    engine.router.say(Revoke((token_id,), "token_revoked"))
    return agent, revoked
