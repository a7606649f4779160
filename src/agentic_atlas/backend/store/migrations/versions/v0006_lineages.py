"""Tokens take each other's place; and of each is known who used it last, and from where."""

from alembic import op
from sqlalchemy import Column, Double, Text, text

revision = "0006"
down_revision = "0005"

_EMPTY = text("''")


def upgrade() -> None:
    """Add the columns: what was issued until now is the first of its lineage, and can't be renewed."""
    op.add_column("tokens", Column("lineage", Text, nullable=False, server_default=_EMPTY))
    for name in ("lifetime", "renewable_until", "retires_at"):
        op.add_column("tokens", Column(name, Double))
    for name in ("last_instance", "last_host", "last_address"):
        op.add_column("tokens", Column(name, Text, nullable=False, server_default=_EMPTY))
    for name in ("lineage", "address"):
        op.add_column("instances", Column(name, Text, nullable=False, server_default=_EMPTY))
    op.create_index("tokens_of_lineage", "tokens", ["lineage"])
