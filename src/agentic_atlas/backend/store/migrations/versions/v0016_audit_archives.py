"""Rows of the audit log may be removed that were archived, and no others."""

from alembic import op
from sqlalchemy import Column, Integer, Text

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make room for what was archived, and have the table's guard look there."""
    op.create_table(
        "audit_archives",
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("hash", Text, nullable=False),
    )
    op.execute("DROP TRIGGER audit_undeleted")
    op.execute(
        "CREATE TRIGGER audit_undeleted BEFORE DELETE ON audit "
        "WHEN OLD.seq > (SELECT coalesce(max(seq), 0) FROM audit_archives) "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END"
    )
