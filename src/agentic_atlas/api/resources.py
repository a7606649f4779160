"""Routes of what agents' processes take."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import resources
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.http.turns import Turns
from agentic_atlas.protocol.caller.resources import Fleet, ProcessOrder, ResourceHistory

routes = RouteGroup("resources", "/api/v1/resources")


class WantedProcesses(BaseModel):
    """Which processes, and in which order."""

    part: Annotated[str, Field(max_length=129, description="Of the agent's full name, or the host's.")] = ""
    order: Annotated[ProcessOrder, Field(description="The most first.")] = "cpu"
    limit: Annotated[int, Field(ge=1, le=resources.MOST_PROCESSES)] = 100


class WantedHistory(BaseModel):
    """Of which agent, and of what time."""

    agent: Annotated[str, Field(max_length=129, description="`name`, or `owner/name`.")]
    since: Annotated[AwareDatetime | None, Field(description="An hour before its end, unless it is given.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Now, unless it is given.")] = None


@routes.at("GET", "", answers=Fleet)
async def fleet(application: Application, who: Principal, turns: Turns, wanted: WantedProcesses) -> Response:
    """Show what the connected processes of one's agents take now."""
    async with turns.turn(who.user.id):
        found = await resources.fleet(who, application, part=wanted.part, order=wanted.order, limit=wanted.limit)
        return json(found)


@routes.at("GET", "/history", answers=ResourceHistory)
async def history(application: Application, who: Principal, turns: Turns, wanted: WantedHistory) -> Response:
    """Show what an agent's instances took over time; for who manages it."""
    since, until = (None if one is None else one.timestamp() for one in (wanted.since, wanted.until))
    async with turns.turn(who.user.id):
        return json(await resources.history(who, application, wanted.agent, since=since, until=until))
