"""An API key has whether it was made because its user logged in: it ends with their password then."""

from alembic import op
from sqlalchemy import Column, Integer, text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make room; of the keys so far it is told by their name."""
    op.add_column("api_keys", Column("from_login", Integer, nullable=False, server_default=text("0")))
    op.execute("UPDATE api_keys SET from_login = 1 WHERE name LIKE 'atlas login on %'")
