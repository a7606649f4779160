"""Tasks are found by the code of their error; those of a skill that somebody asked for are found without an index."""

from alembic import op
from sqlalchemy import text

revision = "0014"
down_revision = "0013"

_FAILED = text("error_code IS NOT NULL")
_INDEXES = {
    "tasks_with_error": ["error_code", "id"],
    "tasks_of_owner_with_error": ["owner_id", "error_code", "id"],
    "tasks_of_agent_with_error": ["agent_id", "error_code", "id"],
}


def upgrade() -> None:
    """Make indexes that only failures are entered in, and remove one that every task was."""
    for name, columns in _INDEXES.items():
        op.create_index(name, "tasks", columns, sqlite_where=_FAILED, postgresql_where=_FAILED)
    op.drop_index("tasks_of_owner_and_skill", "tasks")
