"""Route of what became of tasks."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import statistics
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.http.turns import Turns
from agentic_atlas.protocol.caller.statistics import StatisticsInfo

routes = RouteGroup("statistics", "/api/v1/statistics")


class WantedTime(BaseModel):
    """Of what time, and of which agent."""

    agent: Annotated[str | None, Field(max_length=129, description="`name`, or `owner/name`.")] = None
    since: Annotated[AwareDatetime | None, Field(description="An hour before its end, unless it is given.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Now, unless it is given.")] = None


@routes.at("GET", "", answers=StatisticsInfo)
async def read(application: Application, who: Principal, turns: Turns, wanted: WantedTime) -> Response:
    """Count tasks that have ended: how, how long they took, why they failed, and who asked whom."""
    since, until = (None if one is None else one.timestamp() for one in (wanted.since, wanted.until))
    async with turns.turn(who.user.id):
        return json(await statistics.read(who, application, since=since, until=until, agent=wanted.agent))
