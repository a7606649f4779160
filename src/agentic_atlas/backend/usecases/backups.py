"""Backups of the whole network, for administrators: a backup holds every secret the network has."""

from agentic_atlas.backend.engine.access import Principal, require_admin
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Backup


async def make(engine: Engine, principal: Principal) -> Backup:
    """Make a backup where backups are kept; raises Forbidden, and as `Backups.make` does."""
    require_admin(principal)
    return await engine.backups.make()


async def find(engine: Engine, principal: Principal) -> list[Backup]:
    """Return the backups that are kept, newest first; raises Forbidden, and as `Backups.find` does."""
    require_admin(principal)
    return await engine.backups.find()
