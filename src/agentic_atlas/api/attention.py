"""Route of what needs whoever asks."""

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import attention
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.http.turns import Turns
from agentic_atlas.protocol.caller.attention import AttentionItem
from agentic_atlas.protocol.caller.values import Listing

routes = RouteGroup("attention", "/api/v1/attention")


@routes.at("GET", "", answers=Listing[AttentionItem])
async def find(application: Application, who: Principal, turns: Turns) -> Response:
    """List what needs you: questions, tokens that end soon, agents that are gone, what hangs in the network itself."""
    async with turns.turn(who.user.id):
        return json(Listing(items=await attention.find(who, application)))
