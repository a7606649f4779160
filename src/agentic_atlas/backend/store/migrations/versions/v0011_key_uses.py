"""API keys are told by their first characters, and have when and from where they were used last."""

from alembic import op
from sqlalchemy import Column, Double, Text, text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make room; of the keys so far it is not known."""
    op.add_column("api_keys", Column("prefix", Text, nullable=False, server_default=text("''")))
    op.add_column("api_keys", Column("last_used_at", Double))
    op.add_column("api_keys", Column("last_address", Text, nullable=False, server_default=text("''")))
