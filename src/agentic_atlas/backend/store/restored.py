"""What a restore ends in a database that no process has open: what let people in at the moment of the backup.

Whoever has logged out since, or was logged out by another password or by an administrator, must not be in again.
"""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, or_, update
from sqlalchemy.exc import SQLAlchemyError

from agentic_atlas.backend.domain.audit import SYSTEM, AuditEvent, genesis
from agentic_atlas.backend.store.accounts import end_invitations
from agentic_atlas.backend.store.audit import add_rows, last_row
from agentic_atlas.backend.store.errors import domain_error
from agentic_atlas.backend.store.migrations import migrate
from agentic_atlas.backend.store.sqlite import writing_engine
from agentic_atlas.backend.store.tables import api_keys, sessions
from agentic_atlas.protocol.caller.audit import AuditObject


def end_log_ins(path: Path, network: str, now: float, backup: str | None) -> Mapping[str, int]:
    """End every session, API key of a log-in and invitation; bring the schema to this version's first.

    Args:
        path: of the database.
        network: its id.
        now: seconds since the epoch.
        backup: what the audit log is to call the backup; None: it tells of nothing.

    Returns how many were ended, by what they are. Raises as opening the store does.
    """
    engine = writing_engine(path)
    try:
        migrate(engine)
        with engine.begin() as connection:
            ended = _end(connection, now)
            if backup is not None:
                what = AuditObject(kind="backup", name=backup)
                event = AuditEvent(at=now, who=SYSTEM, action="backups.restore", object=what, detail=ended)
                add_rows(connection, last_row(connection) or genesis(network), [event])
        return ended
    except SQLAlchemyError as error:
        raise domain_error(error) from error
    finally:
        engine.dispose()


def _end(connection: Connection, now: float) -> Mapping[str, int]:
    live = update(sessions).where(sessions.c.ended_at.is_(None), sessions.c.ends_at > now).values(ended_at=now)
    good = (api_keys.c.revoked_at.is_(None), or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now))
    keys = update(api_keys).where(api_keys.c.from_login == 1, *good).values(revoked_at=now)
    return {
        "sessions": connection.execute(live).rowcount,
        "login_keys": connection.execute(keys).rowcount,
        "invitations": end_invitations(connection, now),
    }
