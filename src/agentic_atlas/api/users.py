"""Routes of users and API keys."""

from functools import partial
from http import HTTPStatus
from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from agentic_atlas._version import __version__
from agentic_atlas.api.describe import describe
from agentic_atlas.api.whereabouts import Whereabouts
from agentic_atlas.backend.domain.records import ApiKey, Role
from agentic_atlas.backend.usecases import keys as api_keys
from agentic_atlas.backend.usecases import users
from agentic_atlas.backend.usecases.shown import api_key_info, new_api_key, user_info
from agentic_atlas.http.answers import Json, read
from agentic_atlas.http.requests import After, Limit, OwnTurn, Parts, Who
from agentic_atlas.protocol.caller.people import (
    ApiKeyInfo,
    ApiKeyList,
    ApiKeyRequest,
    NewApiKey,
    UserChange,
    UserInfo,
    UserPage,
    UserRequest,
    WhoAmI,
)

router = APIRouter(prefix="/api/v1", tags=["users"])


@router.get("/whoami", **describe(answers=WhoAmI))
async def whoami(request: Request, application: Parts, who: Who) -> Response:
    """Tell who asks, and which network this is."""
    where = cast(Whereabouts, request.app.state.whereabouts)
    router_url = where.router_for(request.url.hostname)
    network = await users.whoami(who, application)
    assert isinstance(who.credential, ApiKey)  # nothing else is taken here
    view = WhoAmI(
        user=user_info(who.user),
        api_key=api_key_info(who.credential),
        network=network,
        version=__version__,
        router_url=router_url,
        api_url=where.api_url,
    )
    return Json(view)


@router.get("/users", **describe(answers=UserPage))
async def find(application: Parts, who: Who, turn: OwnTurn, limit: Limit = 100, after: After = None) -> Response:
    """List the users by name; administrators only."""
    async with turn:
        found = await users.find(who, application, limit=limit, after=after)
        following = found[-1].name if len(found) == limit else None
        return Json(UserPage(items=[user_info(user) for user in found], next=following))


@router.post("/users", **describe(takes=UserRequest, answers=UserInfo, status=HTTPStatus.CREATED))
async def create(request: Request, application: Parts, who: Who) -> Response:
    """Make a user; administrators only."""
    body = await read(request, UserRequest)
    return Json(user_info(await users.create(who, application, body.name, Role(body.role))), status=HTTPStatus.CREATED)


@router.patch("/users/{name}", **describe(takes=UserChange, answers=UserInfo))
async def update(name: str, request: Request, application: Parts, who: Who) -> Response:
    """Change a user's role, disable or enable them; administrators only."""
    body = await read(request, UserChange)
    role = None if body.role is None else Role(body.role)
    return Json(user_info(await users.update(who, application, name, role=role, disabled=body.disabled)))


@router.get("/api-keys", **describe(answers=ApiKeyList))
async def keys(application: Parts, who: Who, turn: OwnTurn) -> Response:
    """List one's own API keys, newest first."""
    async with turn:
        return Json(ApiKeyList(items=[api_key_info(key) for key in await api_keys.find(who, application)]))


@router.post("/api-keys", **describe(takes=ApiKeyRequest, answers=NewApiKey, status=HTTPStatus.CREATED))
async def create_key(request: Request, application: Parts, who: Who) -> Response:
    """Make an API key; its secret is in this answer and nowhere else."""
    body = await read(request, ApiKeyRequest)
    make = api_keys.create if body.user in (None, who.user.name) else partial(api_keys.create_for, user=body.user)
    issued = await make(who, application, name=body.name, lifetime=body.expires_in, scopes=body.scopes)
    return Json(new_api_key(issued.key, issued.user, issued.secret), status=HTTPStatus.CREATED)


@router.delete("/api-keys/{key_id}", **describe(answers=ApiKeyInfo))
async def revoke_key(key_id: str, application: Parts, who: Who) -> Response:
    """Make an API key worthless at once."""
    return Json(api_key_info(await api_keys.revoke(who, application, key_id)))
