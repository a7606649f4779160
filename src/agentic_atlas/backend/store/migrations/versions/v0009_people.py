"""People can log in: what they do it with, their sessions, invitations, and identities at a provider."""

from alembic import op
from sqlalchemy import Column, Double, ForeignKey, Integer, LargeBinary, Text

revision = "0009"
down_revision = "0008"


def _user() -> ForeignKey:
    return ForeignKey("users.id", ondelete="CASCADE")


def upgrade() -> None:
    """Add the tables; nobody has a password yet."""
    op.create_table(
        "accounts",
        Column("user_id", Text, _user(), primary_key=True),
        Column("password", Text, nullable=False),
        Column("password_at", Double),
        Column("totp", Text, nullable=False),
        Column("totp_at", Double),
        Column("totp_step", Integer, nullable=False),
        Column("recovery", LargeBinary, nullable=False),
    )
    op.create_table(
        "sessions",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, _user(), nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("device", LargeBinary, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("used_at", Double, nullable=False),
        Column("ends_at", Double, nullable=False),
        Column("ended_at", Double),
        Column("address", Text, nullable=False),
        Column("agent", Text, nullable=False),
    )
    op.create_index("sessions_by_digest", "sessions", ["digest"], unique=True)
    op.create_index("sessions_of_user", "sessions", ["user_id", "used_at"])
    op.create_table(
        "invitations",
        Column("id", Text, primary_key=True),
        Column("user_id", Text, _user(), nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("expires_at", Double, nullable=False),
        Column("made_by", Text, nullable=False),
        Column("used_at", Double),
        Column("revoked_at", Double),
    )
    op.create_index("invitations_by_digest", "invitations", ["digest"], unique=True)
    op.create_index("invitations_of_user", "invitations", ["user_id"])
    op.create_table(
        "identities",
        Column("issuer", Text, primary_key=True),
        Column("subject", Text, primary_key=True),
        Column("user_id", Text, _user(), nullable=False),
        Column("linked_at", Double, nullable=False),
    )
    op.create_index("identities_of_user", "identities", ["user_id"])
