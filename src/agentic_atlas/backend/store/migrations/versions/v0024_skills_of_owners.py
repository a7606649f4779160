"""The index of all tasks of a user has their skills: a rare one is found without a look at each task."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make it anew."""
    op.drop_index("tasks_of_owner", "tasks")
    op.create_index("tasks_of_owner", "tasks", ["owner_id", "id", "skill"])
