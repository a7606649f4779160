"""Routes of what the server is, and of the limits it keeps to."""

from msgspec.structs import replace

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import system
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Request, Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.protocol.caller.system import LimitList, ServerInfo

routes = RouteGroup("server", "/api/v1")


@routes.at("GET", "/about", answers=ServerInfo)
async def about(
    request: Request, application: Application, who: Principal, turns: Turns, where: Whereabouts
) -> Response:
    """Tell what the server is, since when it is up, and how much it keeps; administrators learn where its data is."""
    async with turns.turn(who.user.id):
        found = await system.about(who, application)
    return json(replace(found, api_url=where.api_for(request.host), router_url=where.router_for(request.hostname)))


@routes.at("GET", "/limits", answers=LimitList)
async def limits(application: Application, who: Principal) -> Response:
    """List the limits that are in force: what may be chosen for a network, and how much of it is used."""
    return json(LimitList(items=await system.limits(who, application)))
