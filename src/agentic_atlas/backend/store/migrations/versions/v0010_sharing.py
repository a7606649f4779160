"""Agents are shared with users, groups and everyone, and renamed: so far each was its owner's alone, with one name."""

from alembic import op
from sqlalchemy import Column, Double, ForeignKey, Text, text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables, and room for names that agents had when their tokens were made."""
    op.add_column("tokens", Column("former_names", Text, nullable=False, server_default=text("''")))
    op.create_table(
        "agent_shares",
        Column("agent_id", Text, ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("access", Text, nullable=False),
    )
    op.create_index("agent_shares_by_subject", "agent_shares", ["subject", "agent_id"])
    op.create_table(
        "groups",
        Column("id", Text, primary_key=True),
        Column("name", Text, nullable=False),
        Column("created_at", Double, nullable=False),
    )
    op.create_index("groups_by_name", "groups", ["name"], unique=True)
    op.create_table(
        "group_members",
        Column("group_id", Text, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
        Column("user_id", Text, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    )
    op.create_index("groups_of_user", "group_members", ["user_id", "group_id"])
