"""Routes of backups."""

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from agentic_atlas.api.describe import describe
from agentic_atlas.backend.usecases import backups
from agentic_atlas.backend.usecases.shown import backup_info
from agentic_atlas.http.answers import Json
from agentic_atlas.http.requests import Parts, Who
from agentic_atlas.protocol.caller.backups import BackupInfo, BackupList

router = APIRouter(prefix="/api/v1", tags=["backups"])


@router.post("/backups", **describe(answers=BackupInfo, status=HTTPStatus.CREATED))
async def make(application: Parts, who: Who) -> Response:
    """Make a backup while everything goes on, and answer when it is whole; administrators only."""
    return Json(backup_info(await backups.make(who, application)), status=HTTPStatus.CREATED)


@router.get("/backups", **describe(answers=BackupList))
async def find(application: Parts, who: Who) -> Response:
    """List the backups on the server's machine, newest first; administrators only."""
    return Json(BackupList(items=[backup_info(backup) for backup in await backups.find(who, application)]))
