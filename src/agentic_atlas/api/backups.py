"""Routes of backups."""

from http import HTTPStatus

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import backups
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.protocol.caller.backups import BackupInfo, BackupList

routes = RouteGroup("backups", "/api/v1")


@routes.at("GET", "/backups", answers=BackupList)
async def find(application: Application, who: Principal) -> Response:
    """List the backups on the server's machine, newest first; administrators only."""
    return json(BackupList(items=await backups.find(who, application)))


@routes.at("POST", "/backups", answers=BackupInfo, status=HTTPStatus.CREATED)
async def make(application: Application, who: Principal) -> Response:
    """Make a backup while everything goes on, and answer when it is whole; administrators only."""
    return json(await backups.make(who, application), status=HTTPStatus.CREATED)
