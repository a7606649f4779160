"""The audit log: rows are added, each with the hash of the one before it, and never changed or removed."""

from alembic import op
from sqlalchemy import Column, Double, Integer, LargeBinary, Text

revision = "0008"
down_revision = "0007"

_TRIGGERS = (
    "CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END",
    "CREATE TRIGGER audit_undeleted BEFORE DELETE ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END",
    "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit "
    "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever added to'); END",
)


def upgrade() -> None:
    """Make the table, and what guards it."""
    op.create_table(
        "audit",
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("at", Double, nullable=False),
        *(Column(name, Text, nullable=False) for name in ("who_kind", "who_id", "who_user_id", "who_name")),
        Column("action", Text, nullable=False),
        *(Column(name, Text, nullable=False) for name in ("object_kind", "object_id", "object_name")),
        Column("outcome", Text, nullable=False),
        Column("address", Text, nullable=False),
        Column("detail", LargeBinary, nullable=False),
        Column("previous", Text, nullable=False),
        Column("hash", Text, nullable=False),
    )
    for trigger in _TRIGGERS:
        op.execute(trigger)
