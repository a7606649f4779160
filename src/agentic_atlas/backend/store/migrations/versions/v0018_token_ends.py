"""Tokens that end soon are found by an index."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Make it."""
    op.create_index("tokens_by_end", "tokens", ["expires_at"])
