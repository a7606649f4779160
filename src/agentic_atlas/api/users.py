"""Routes of users and API keys."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from agentic_atlas._version import __version__
from agentic_atlas.backend.domain.people import BrowserSession
from agentic_atlas.backend.domain.records import ApiKey, Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import keys as api_keys
from agentic_atlas.backend.usecases import users
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import api_key_info, listed_user, session_info, user_info
from agentic_atlas.http.messages import Request, Response, json
from agentic_atlas.http.routes import After, Limit, RouteGroup
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.protocol.caller.people import (
    ApiKeyInfo,
    ApiKeyList,
    ApiKeyPage,
    ApiKeyRequest,
    NewApiKey,
    UserChange,
    UserInfo,
    UserPage,
    UserRequest,
    WhoAmI,
)

routes = RouteGroup("users", "/api/v1")


@routes.at("GET", "/whoami", answers=WhoAmI)
async def whoami(request: Request, application: Application, who: Principal, where: Whereabouts) -> Response:
    """Tell who asks, and which network this is."""
    router_url = where.router_for(request.hostname)
    network, held = await users.whoami(who, application)
    view = WhoAmI(
        user=user_info(who.user),
        api_key=api_key_info(held) if isinstance(held, ApiKey) else None,
        session=session_info(held, who.user.name, held.id) if isinstance(held, BrowserSession) else None,
        network=network,
        version=__version__,
        router_url=router_url,
        api_url=where.api_url,
    )
    return json(view)


@routes.at("GET", "/users", answers=UserPage)
async def find(
    application: Application, who: Principal, turns: Turns, limit: Limit = 100, after: After = None
) -> Response:
    """List the users by name, with what each may come in by; administrators only."""
    async with turns.turn(who.user.id):
        found = await users.find(who, application, limit=limit, after=after)
        following = found[-1][0].name if len(found) == limit else None
        return json(UserPage(items=[listed_user(*one) for one in found], next=following))


@routes.at("POST", "/users", answers=UserInfo, status=HTTPStatus.CREATED)
async def create(body: UserRequest, application: Application, who: Principal) -> Response:
    """Make a user; administrators only."""
    return json(user_info(await users.create(who, application, body.name, Role(body.role))), status=HTTPStatus.CREATED)


@routes.at("PATCH", "/users/{name}", answers=UserInfo)
async def update(name: str, body: UserChange, application: Application, who: Principal) -> Response:
    """Change a user's role, disable or enable them; administrators only."""
    role = None if body.role is None else Role(body.role)
    return json(user_info(await users.update(who, application, name, role=role, disabled=body.disabled)))


@routes.at("DELETE", "/users/{name}", status=HTTPStatus.NO_CONTENT)
async def delete(name: str, application: Application, who: Principal) -> Response:
    """Remove a user with their keys and sessions, who owns no agents any more; administrators only."""
    await users.delete(who, application, name)
    return Response(HTTPStatus.NO_CONTENT)


@routes.at("GET", "/api-keys", answers=ApiKeyList)
async def keys(application: Application, who: Principal, turns: Turns) -> Response:
    """List one's own API keys, newest first."""
    async with turns.turn(who.user.id):
        return json(ApiKeyList(items=[api_key_info(key) for key in await api_keys.find(who, application)]))


@routes.at("GET", "/api-keys/all", answers=ApiKeyPage)
async def all_keys(
    application: Application,
    who: Principal,
    turns: Turns,
    user: Annotated[str | None, Field(max_length=64, description="Name of a user; only theirs.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """List everybody's API keys, newest first, or those of one user; administrators only."""
    async with turns.turn(who.user.id):
        found = await api_keys.find_all(who, application, limit=limit, user=user, after=after)
        return json(ApiKeyPage(items=found, next=found[-1].id if len(found) == limit else None))


@routes.at("POST", "/api-keys", answers=NewApiKey, status=HTTPStatus.CREATED)
async def create_key(body: ApiKeyRequest, application: Application, who: Principal) -> Response:
    """Make an API key; its secret is in this answer and nowhere else.

    In a session one for somebody else, or with which users are changed, takes a log-in of the last ten minutes.
    """
    make = api_keys.create if body.user in (None, who.user.name) else partial(api_keys.create_for, user=body.user)
    made = await make(who, application, name=body.name, lifetime=body.expires_in, scopes=body.scopes)
    return json(made, status=HTTPStatus.CREATED)


@routes.at("DELETE", "/api-keys/{key_id}", answers=ApiKeyInfo)
async def revoke_key(key_id: str, application: Application, who: Principal) -> Response:
    """Make an API key worthless at once."""
    return json(api_key_info(await api_keys.revoke(who, application, key_id)))
