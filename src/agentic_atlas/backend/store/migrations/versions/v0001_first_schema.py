"""The first schema."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import BigInteger, Column, Double, ForeignKey, Integer, LargeBinary, Text, TextClause, text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    _create_people()
    _create_agents()
    _create_tasks()


def _create_people() -> None:
    op.create_table(
        "network",
        Column("id", Text, primary_key=True),
        Column("created_at", Double, nullable=False),
    )
    op.create_table(
        "users",
        Column("id", Text, primary_key=True),
        Column("name", Text, nullable=False),
        Column("role", Text, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("disabled_at", Double),
    )
    op.create_index("users_by_name", "users", ["name"], unique=True)
    op.create_table(
        "api_keys",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        Column("name", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("expires_at", Double),
        Column("revoked_at", Double),
    )
    op.create_index("api_keys_by_digest", "api_keys", ["digest"], unique=True)
    op.create_index("api_keys_of_user", "api_keys", ["user_id"])


def _create_agents() -> None:
    op.create_table(
        "agents",
        Column("id", Text, primary_key=True),
        Column("owner_id", Text, ForeignKey("users.id"), nullable=False),
        Column("owner", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("full_name", Text, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("description", Text, nullable=False),
        Column("disabled_at", Double),
        Column("last_seen_at", Double),
    )
    op.create_index("agents_by_name", "agents", ["full_name"], unique=True)
    op.create_index("agents_of_owner", "agents", ["owner_id", "full_name"])
    op.create_table(
        "skills",
        Column("agent_id", Text, ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
        Column("name", Text, primary_key=True),
        Column("description", Text, nullable=False),
        Column("input_schema", LargeBinary, nullable=False),
        Column("output_schema", LargeBinary, nullable=False),
        Column("policy", LargeBinary, nullable=False),
        Column("streams", Integer, nullable=False),
        Column("updated_at", Double, nullable=False),
    )
    op.create_table(
        "tokens",
        Column("id", Text, primary_key=True),
        Column("agent_id", Text, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
        Column("name", Text, nullable=False),
        Column("issued_at", Double, nullable=False),
        Column("expires_at", Double, nullable=False),
        Column("revoked_at", Double),
        Column("last_used_at", Double),
    )
    op.create_index("tokens_of_agent", "tokens", ["agent_id"])
    op.create_table(
        "instances",
        Column("id", Text, primary_key=True),
        Column("agent_id", Text, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
        Column("token_id", Text, ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
        Column("generation", Integer, nullable=False),
        Column("opened_at", Double, nullable=False),
        Column("validated_at", Double, nullable=False),
        Column("connected_at", Double, nullable=False),
        Column("disconnected_at", Double),
        Column("host", Text, nullable=False),
        Column("pid", BigInteger, nullable=False),
        Column("sdk", Text, nullable=False),
        Column("runtime", Text, nullable=False),
        Column("code_hash", Text, nullable=False),
        Column("concurrency", Integer, nullable=False),
        Column("labels", LargeBinary, nullable=False),
    )
    op.create_index("instances_of_agent", "instances", ["agent_id"])
    op.create_index("instances_of_token", "instances", ["token_id"])


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        Column("id", Text, primary_key=True),
        Column("agent_id", Text, nullable=False),
        Column("agent", Text, nullable=False),
        Column("skill", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("caller_kind", Text, nullable=False),
        Column("caller_id", Text, nullable=False),
        Column("caller_user_id", Text, nullable=False),
        Column("caller_name", Text, nullable=False),
        Column("owner_id", Text, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("updated_at", Double, nullable=False),
        Column("trace", Text, nullable=False),
        Column("delivery", Text, nullable=False),
        Column("max_attempts", Integer, nullable=False),
        Column("retries", Integer, nullable=False),
        Column("backoff", Double, nullable=False),
        Column("timeout", Double),
        Column("deadline", Double),
        Column("queue_expires_at", Double),
        Column("priority", Integer, nullable=False),
        Column("position", Double, nullable=False),
        Column("parent_id", Text),
        Column("depth", Integer, nullable=False),
        Column("idempotency_key", Text),
        Column("body_digest", LargeBinary),
        Column("retry_of", Text),
        Column("attempt", Integer, nullable=False),
        Column("instance_id", Text),
        Column("accepted_at", Double),
        Column("last_n", Integer, nullable=False),
        Column("losses", Integer, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("not_before", Double),
        Column("cancel_reason", Text),
        Column("cancel_at", Double),
        Column("last_seq", Integer, nullable=False),
        Column("ended_at", Double),
        Column("trace_id", Text, nullable=False),
        Column("error_code", Text),
        Column("error_message", Text),
        Column("error_detail", LargeBinary),
        Column("output", LargeBinary),
        Column("input", LargeBinary, nullable=False),
    )
    _create_partial_index(
        "tasks_by_key",
        ["caller_user_id", "caller_kind", "caller_id", "idempotency_key"],
        "idempotency_key IS NOT NULL",
        unique=True,
    )
    _create_partial_index("tasks_held", ["instance_id"], "state IN ('input_required', 'working')")
    op.create_index("tasks_of_agent", "tasks", ["agent_id", "id"])
    op.create_index("tasks_of_owner", "tasks", ["owner_id", "id"])
    _create_partial_index("tasks_of_parent", ["parent_id", "id"], "parent_id IS NOT NULL")
    op.create_index("tasks_of_trace", "tasks", ["trace_id"])
    _create_partial_index("tasks_waiting", ["agent_id", text("priority DESC"), "position", "id"], "state = 'submitted'")
    op.create_table(
        "events",
        Column("task_id", Text, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("at", Double, nullable=False),
        Column("kind", Text, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("data", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _create_partial_index(name: str, columns: Sequence[str | TextClause], where: str, *, unique: bool = False) -> None:
    op.create_index(name, "tasks", columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))
