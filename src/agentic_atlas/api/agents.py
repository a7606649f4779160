"""Routes of agents and their tokens. An agent is named `name`, or `owner/name`."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from agentic_atlas.api.describe import describe
from agentic_atlas.backend.usecases import agents, tokens
from agentic_atlas.backend.usecases.shown import agent_info, agent_summary, new_token, token_info
from agentic_atlas.http.answers import Json, read
from agentic_atlas.http.requests import After, Limit, OwnTurn, Parts, Who
from agentic_atlas.protocol.caller.agents import (
    AgentChange,
    AgentInfo,
    AgentPage,
    AgentRequest,
    AgentSummary,
    NewToken,
    TokenInfo,
    TokenList,
    TokenRequest,
)

router = APIRouter(prefix="/api/v1", tags=["agents"])


@router.get("/agents", **describe(answers=AgentPage))
async def find(application: Parts, who: Who, turn: OwnTurn, limit: Limit = 100, after: After = None) -> Response:
    """List agents by name."""
    async with turn:
        found = await agents.find(who, application, limit=limit, after=after)
        items = [agent_summary(one) for one in found]
        return Json(AgentPage(items=items, next=found[-1].agent.full_name if len(found) == limit else None))


@router.post("/agents", **describe(takes=AgentRequest, answers=AgentSummary, status=HTTPStatus.CREATED))
async def create(request: Request, application: Parts, who: Who) -> Response:
    """Make an agent of one's own."""
    body = await read(request, AgentRequest)
    agent = await agents.create(who, application, body.name, body.description)
    return Json(agent_summary(agent), status=HTTPStatus.CREATED)


# Before `/agents/{owner}/{name}`, which would take `tokens` for a name; no agent can have that name.
@router.get("/agents/{name}/tokens", **describe(answers=TokenList))
@router.get("/agents/{owner}/{name}/tokens", **describe(answers=TokenList))
async def list_tokens(name: str, application: Parts, who: Who, turn: OwnTurn, owner: str = "") -> Response:
    """List an agent's tokens, newest first."""
    async with turn:
        agent, found = await tokens.of_agent(who, application, _full(owner, name))
        return Json(TokenList(items=[token_info(token, agent, application.now()) for token in found]))


@router.post("/agents/{name}/tokens", **describe(takes=TokenRequest, answers=NewToken, status=HTTPStatus.CREATED))
@router.post(
    "/agents/{owner}/{name}/tokens", **describe(takes=TokenRequest, answers=NewToken, status=HTTPStatus.CREATED)
)
async def issue(name: str, request: Request, application: Parts, who: Who, owner: str = "") -> Response:
    """Make a token for one instance of an agent; its secret is in this answer and nowhere else."""
    body = await read(request, TokenRequest)
    issued = await tokens.issue(who, application, _full(owner, name), name=body.name, lifetime=body.expires_in)
    view = new_token(issued.token, issued.agent, application.now(), issued.secret)
    return Json(view, status=HTTPStatus.CREATED)


@router.get("/agents/{name}", **describe(answers=AgentInfo))
@router.get("/agents/{owner}/{name}", **describe(answers=AgentInfo))
async def show(name: str, application: Parts, who: Who, owner: str = "") -> Response:
    """Show an agent with its skills and instances."""
    details = await agents.show(who, application, _full(owner, name))
    return Json(agent_info(details))


@router.patch("/agents/{name}", **describe(takes=AgentChange, answers=AgentSummary))
@router.patch("/agents/{owner}/{name}", **describe(takes=AgentChange, answers=AgentSummary))
async def update(name: str, request: Request, application: Parts, who: Who, owner: str = "") -> Response:
    """Change an agent's description, disable it (its connections are closed) or enable it."""
    body = await read(request, AgentChange)
    agent = await agents.update(
        who, application, _full(owner, name), description=body.description, disabled=body.disabled
    )
    return Json(agent_summary(agent))


@router.delete("/agents/{name}", **describe(status=HTTPStatus.NO_CONTENT))
@router.delete("/agents/{owner}/{name}", **describe(status=HTTPStatus.NO_CONTENT))
async def delete(name: str, application: Parts, who: Who, owner: str = "") -> Response:
    """Remove an agent with its tokens; its tasks stay."""
    await agents.delete(who, application, _full(owner, name))
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete("/tokens/{token_id}", **describe(answers=TokenInfo))
async def revoke(token_id: str, application: Parts, who: Who) -> Response:
    """Make a token worthless; the connection made with it is closed."""
    agent, token = await tokens.revoke(who, application, token_id)
    return Json(token_info(token, agent, application.now()))


def _full(owner: str, name: str) -> str:
    return f"{owner}/{name}" if owner else name
