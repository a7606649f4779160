"""An index for every way to narrow a list of tasks."""

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"

_RESTING = text("state IN ('canceled', 'completed', 'failed', 'rejected', 'submitted')")


def upgrade() -> None:
    """Add the indexes; that of traces ends in the id as all do, so that nothing is sorted."""
    op.drop_index("tasks_of_trace", "tasks")
    op.create_index("tasks_of_trace", "tasks", ["trace_id", "id"])
    op.create_index("tasks_of_skill", "tasks", ["skill", "id"])
    op.create_index("tasks_of_owner_and_skill", "tasks", ["owner_id", "skill", "id"])
    op.create_index("tasks_of_agent_and_skill", "tasks", ["agent_id", "skill", "id"])
    _create_resting_index("tasks_in_state", ["state", "id"])
    _create_resting_index("tasks_of_owner_in_state", ["owner_id", "state", "id"])
    _create_resting_index("tasks_of_agent_in_state", ["agent_id", "state", "id"])


def _create_resting_index(name: str, columns: list[str]) -> None:
    op.create_index(name, "tasks", columns, sqlite_where=_RESTING, postgresql_where=_RESTING)
