"""What a credential is good for is kept with it: so far each was good for all that one of its kind can be good for."""

from alembic import op
from sqlalchemy import Column, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns, with what was issued until now."""
    op.add_column("api_keys", Column("scopes", Text, nullable=False, server_default="*"))
    op.add_column("tokens", Column("scopes", Text, nullable=False, server_default="agent:connect agent:call"))
