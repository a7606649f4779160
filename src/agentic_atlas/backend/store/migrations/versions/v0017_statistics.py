"""Tasks that have ended are counted: an index on when they did, and a table of what was counted."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text, text

revision = "0017"
down_revision = "0016"

_ENDED = text("ended_at IS NOT NULL")
_NAMES = ("agent_id", "owner_id", "skill", "caller_kind", "caller_id", "state", "code")


def upgrade() -> None:
    """Make them; what has ended so far is counted at the next start."""
    op.create_index("tasks_by_end", "tasks", ["ended_at"], sqlite_where=_ENDED, postgresql_where=_ENDED)
    op.create_table(
        "statistics",
        Column("span", Integer, primary_key=True, autoincrement=False),
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        *(Column(name, Text, primary_key=True) for name in _NAMES),
        Column("took", Integer, primary_key=True, autoincrement=False),
        Column("tasks", Integer, nullable=False),
        sqlite_with_rowid=False,
    )
