"""Tokens say what they are for."""

from alembic import op
from sqlalchemy import Column, Text, text

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make room; nobody has said it so far."""
    op.add_column("tokens", Column("description", Text, nullable=False, server_default=text("''")))
