"""A key that sees only what was asked for with it finds that by an index."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the index."""
    op.create_index("tasks_of_caller", "tasks", ["caller_id", "id"])
