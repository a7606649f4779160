"""API keys that an administrator made for somebody else are known as theirs."""

from alembic import op
from sqlalchemy import Column, Text, text

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Add who made them; of those that there are it is not known."""
    op.add_column("api_keys", Column("made_by", Text, nullable=False, server_default=text("''")))
