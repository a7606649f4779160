"""Questions to people: a task keeps what it asked and what became of it."""

from alembic import op
from sqlalchemy import Column, LargeBinary

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column at the end of the row, which rewrites no row: an upgrade takes no longer with more tasks."""
    op.add_column("tasks", Column("dialogue", LargeBinary))
