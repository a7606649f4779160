"""What is looked for in the audit log is found by indexes, however long the log is."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Make them."""
    for name in ("at", "who_id", "who_user_id", "who_name", "action", "object_id", "object_name", "address"):
        op.create_index(f"audit_by_{name}", "audit", [name])
