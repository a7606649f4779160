"""Backups of the whole network, for administrators: a backup holds every secret the network has."""

from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.protocol.caller.backups import BackupInfo


@use_case
async def make(who: Principal, engine: Engine) -> BackupInfo:
    """Make a backup where backups are kept, while no row of the audit log is archived; raises as `Backups.make`."""
    async with engine.trail.copied():
        return await engine.backups.make()


@use_case
async def find(who: Principal, engine: Engine) -> list[BackupInfo]:
    """Return the backups that are kept, newest first; raises as `Backups.find` does."""
    return await engine.backups.find()
