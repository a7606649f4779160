"""Routes of agents and their tokens. An agent is named `name`, or `owner/name`."""

from http import HTTPStatus

from agentic_atlas.backend.domain.records import AccessLevel
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, tokens
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import After, Limit, RouteGroup
from agentic_atlas.http.turns import Turns
from agentic_atlas.protocol.caller.agents import (
    AgentChange,
    AgentInfo,
    AgentPage,
    AgentRequest,
    AgentShares,
    AgentSummary,
    NewToken,
    RevokedToken,
    ShareRequest,
    TokenList,
    TokenRequest,
    TokenRotation,
)

routes = RouteGroup("agents", "/api/v1")


@routes.at("GET", "/agents", answers=AgentPage)
async def find(
    application: Application, who: Principal, turns: Turns, limit: Limit = 100, after: After = None
) -> Response:
    """List agents by name."""
    async with turns.turn(who.user.id):
        found = await agents.find(who, application, limit=limit, after=after)
        return json(AgentPage(items=found, next=found[-1].full_name if len(found) == limit else None))


@routes.at("POST", "/agents", answers=AgentSummary, status=HTTPStatus.CREATED)
async def create(body: AgentRequest, application: Application, who: Principal) -> Response:
    """Make an agent of one's own."""
    agent = await agents.create(who, application, body.name, body.description)
    return json(agent, status=HTTPStatus.CREATED)


# Before `/agents/{owner}/{name}`, which would take `tokens` for a name; no agent can have that name.
@routes.at("GET", "/agents/{name}/tokens", answers=TokenList)
@routes.at("GET", "/agents/{owner}/{name}/tokens", answers=TokenList)
async def list_tokens(name: str, application: Application, who: Principal, turns: Turns, owner: str = "") -> Response:
    """List an agent's tokens, newest first."""
    async with turns.turn(who.user.id):
        return json(TokenList(items=await tokens.of_agent(who, application, _full(owner, name))))


@routes.at("POST", "/agents/{name}/tokens", answers=NewToken, status=HTTPStatus.CREATED)
@routes.at("POST", "/agents/{owner}/{name}/tokens", answers=NewToken, status=HTTPStatus.CREATED)
async def issue(name: str, body: TokenRequest, application: Application, who: Principal, owner: str = "") -> Response:
    """Make a token for one instance of an agent; its secret is in this answer and nowhere else."""
    issued = await tokens.issue(
        who,
        application,
        _full(owner, name),
        name=body.name,
        description=body.description,
        lifetime=body.expires_in,
        scopes=body.scopes,
        renews=body.renewable,
    )
    return json(issued, status=HTTPStatus.CREATED)


@routes.at("GET", "/agents/{name}", answers=AgentInfo)
@routes.at("GET", "/agents/{owner}/{name}", answers=AgentInfo)
async def show(name: str, application: Application, who: Principal, owner: str = "") -> Response:
    """Show an agent with its skills and instances."""
    return json(await agents.show(who, application, _full(owner, name)))


@routes.at("PATCH", "/agents/{name}", answers=AgentSummary)
@routes.at("PATCH", "/agents/{owner}/{name}", answers=AgentSummary)
async def update(name: str, body: AgentChange, application: Application, who: Principal, owner: str = "") -> Response:
    """Change an agent's description, rename it, disable it (its connections are closed) or enable it."""
    agent = await agents.update(
        who,
        application,
        _full(owner, name),
        description=body.description,
        disabled=body.disabled,
        rename=body.name,
    )
    return json(agent)


@routes.at("PUT", "/agents/{name}/shares", answers=AgentShares)
@routes.at("PUT", "/agents/{owner}/{name}/shares", answers=AgentShares)
async def share(name: str, body: ShareRequest, application: Application, who: Principal, owner: str = "") -> Response:
    """Share an agent with users, groups or everyone, in place of what was shared with them; its owner only."""
    level = AccessLevel(body.access)
    _, shares = await agents.share(who, application, _full(owner, name), body.subjects, level)
    return json(shares)


@routes.at("DELETE", "/agents/{name}/shares/{subjects}", answers=AgentShares)
@routes.at("DELETE", "/agents/{owner}/{name}/shares/{subjects}", answers=AgentShares)
async def unshare(name: str, subjects: str, application: Application, who: Principal, owner: str = "") -> Response:
    """Share an agent with users, groups or everyone no more, with commas between them; its owner only."""
    _, shares = await agents.unshare(who, application, _full(owner, name), subjects.split(","))
    return json(shares)


@routes.at("DELETE", "/agents/{name}", status=HTTPStatus.NO_CONTENT)
@routes.at("DELETE", "/agents/{owner}/{name}", status=HTTPStatus.NO_CONTENT)
async def delete(name: str, application: Application, who: Principal, owner: str = "") -> Response:
    """Remove an agent with its tokens; its tasks stay."""
    await agents.delete(who, application, _full(owner, name))
    return Response(HTTPStatus.NO_CONTENT)


@routes.at("POST", "/tokens/{token_id}/rotate", answers=NewToken, status=HTTPStatus.CREATED)
async def rotate(token_id: str, body: TokenRotation, application: Application, who: Principal) -> Response:
    """Make a token in place of another one, which stays good for a while; its secret is in this answer alone."""
    made = await tokens.rotate(
        who, application, token_id, overlap=body.overlap, lifetime=body.expires_in, renews=body.renewable
    )
    return json(made, status=HTTPStatus.CREATED)


@routes.at("DELETE", "/tokens/{token_id}", answers=RevokedToken)
async def revoke(token_id: str, application: Application, who: Principal) -> Response:
    """Make a token worthless, with all of its lineage; connections made with them are closed."""
    return json(await tokens.revoke(who, application, token_id))


def _full(owner: str, name: str) -> str:
    return f"{owner}/{name}" if owner else name
