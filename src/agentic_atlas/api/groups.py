"""Routes of groups: users with whom an agent is shared at once."""

from http import HTTPStatus

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import groups
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import After, Limit, RouteGroup
from agentic_atlas.http.turns import Turns
from agentic_atlas.protocol.caller.people import GroupInfo, GroupPage, GroupRequest

routes = RouteGroup("groups", "/api/v1")


@routes.at("GET", "/groups", answers=GroupPage)
async def find(
    application: Application, who: Principal, turns: Turns, limit: Limit = 100, after: After = None
) -> Response:
    """List the groups that one is in by name, with who is in them; administrators see all."""
    async with turns.turn(who.user.id):
        found = await groups.find(who, application, limit=limit, after=after)
        return json(GroupPage(items=found, next=found[-1].name if len(found) == limit else None))


@routes.at("POST", "/groups", answers=GroupInfo, status=HTTPStatus.CREATED)
async def create(body: GroupRequest, application: Application, who: Principal) -> Response:
    """Make a group; administrators only."""
    _, made = await groups.create(who, application, body.name)
    return json(made, status=HTTPStatus.CREATED)


@routes.at("DELETE", "/groups/{name}", answers=GroupInfo)
async def delete(name: str, application: Application, who: Principal) -> Response:
    """Remove a group, and what is shared with it; administrators only. The answer is what it was, and what ended."""
    _, deleted = await groups.delete(who, application, name)
    return json(deleted)


@routes.at("PUT", "/groups/{name}/members/{user}", answers=GroupInfo)
async def add(name: str, user: str, application: Application, who: Principal) -> Response:
    """Have a user in a group; administrators only."""
    _, changed = await groups.add(who, application, name, user)
    return json(changed)


@routes.at("DELETE", "/groups/{name}/members/{user}", answers=GroupInfo)
async def remove(name: str, user: str, application: Application, who: Principal) -> Response:
    """Have a user not in a group; administrators only."""
    _, changed = await groups.remove(who, application, name, user)
    return json(changed)
