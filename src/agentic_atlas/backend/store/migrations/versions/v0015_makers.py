"""Tokens say who made them, and whether they end with a share."""

from alembic import op
from sqlalchemy import Column, Integer, Text, text

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make room; who made the tokens so far is not known."""
    op.add_column("tokens", Column("made_by", Text, nullable=False, server_default=text("''")))
    op.add_column("tokens", Column("by_share", Integer, nullable=False, server_default=text("0")))
    op.create_index("tokens_of_maker", "tokens", ["made_by"])
