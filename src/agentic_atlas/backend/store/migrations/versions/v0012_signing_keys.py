"""Of each token is known on which signing keys it rests, and whether it was ended with one of them."""

from alembic import op
from sqlalchemy import Column, Integer, Text, text

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make room; of the tokens so far it is not known: each may rest on any key."""
    for name in ("key_id", "earlier_keys"):
        op.add_column("tokens", Column(name, Text, nullable=False, server_default=text("''")))
    op.add_column("tokens", Column("withdrawn", Integer, nullable=False, server_default=text("0")))
