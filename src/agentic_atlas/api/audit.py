"""Routes of the audit log."""

from http import HTTPStatus
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field

from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import audit
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import WHOLE, Limit, RouteGroup
from agentic_atlas.http.turns import Turns
from agentic_atlas.protocol.caller.audit import (
    ArchiveRequest,
    AuditArchive,
    AuditArchiveList,
    AuditPage,
    AuditReport,
    AuditRows,
)

routes = RouteGroup("audit", "/api/v1/audit")

Seq = Annotated[int, Field(ge=0, le=2**53), WHOLE]


class WantedRows(BaseModel):
    """Which rows to list; everything that is given narrows."""

    action: Annotated[str | None, Field(max_length=64, description="`tokens.revoke`, or all of a noun: `tokens`.")] = (
        None
    )
    who: Annotated[str | None, Field(max_length=200, description="Id or name of who did it.")] = None
    object: Annotated[str | None, Field(max_length=200, description="Id or name of what it was done to.")] = None
    since: Annotated[AwareDatetime | None, Field(description="Only what was done from then on.")] = None
    until: Annotated[AwareDatetime | None, Field(description="Only what was done before.")] = None
    address: Annotated[str | None, Field(max_length=200, description="Address that it was asked from.")] = None


@routes.at("GET", "", answers=AuditPage)
async def find(
    application: Application,
    who: Principal,
    turns: Turns,
    wanted: WantedRows,
    limit: Limit = 50,
    after: Annotated[Seq | None, Field(description="`next` of the page before.")] = None,
) -> Response:
    """List what was done, newest first; administrators only."""
    since, until = (None if at is None else at.timestamp() for at in (wanted.since, wanted.until))
    which = AuditFilter(wanted.action, wanted.who, wanted.object, since, until, wanted.address)
    async with turns.turn(who.user.id):
        found = await audit.find(who, application, which, limit=limit, before=after)
        return json(AuditPage(items=found, next=str(found[-1].seq) if len(found) == limit else None))


@routes.at("GET", "/rows", answers=AuditRows)
async def rows(application: Application, who: Principal, turns: Turns, after: Seq = 0, limit: Limit = 500) -> Response:
    """Read the log as it was written, from the row behind `after` on, for an export; administrators only."""
    async with turns.turn(who.user.id):
        return json(await audit.rows(who, application, after=after, limit=limit))


@routes.at("GET", "/verification", answers=AuditReport)
async def verify(application: Application, who: Principal, turns: Turns) -> Response:
    """Look at every row, and say which are not as they were written; administrators only."""
    async with turns.turn(who.user.id):
        return json(await audit.verify(who, application))


@routes.at("GET", "/archives", answers=AuditArchiveList)
async def archives(application: Application, who: Principal, turns: Turns) -> Response:
    """List the files with archived rows on the server's machine, the newest first; administrators only."""
    async with turns.turn(who.user.id):
        return json(AuditArchiveList(items=await audit.archives(who, application)))


@routes.at("POST", "/archives", answers=AuditArchive, status=HTTPStatus.CREATED)
async def archive(application: Application, who: Principal, turns: Turns, body: ArchiveRequest) -> Response:
    """Put old rows into a file on the server's machine, and remove them from the log; administrators only."""
    async with turns.turn(who.user.id):
        made = await audit.archive(who, application, body.before.timestamp())
        return json(made, status=HTTPStatus.CREATED)
