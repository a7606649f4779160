"""What became of tasks is kept in summaries, of which there are few, and no more by all that it is counted by."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make them; what has ended so far is counted anew at the next start, from the tasks, of which none is gone."""
    op.drop_table("statistics")
    op.create_table(
        "statistics",
        Column("scope", Text, primary_key=True),
        Column("span", Integer, primary_key=True, autoincrement=False),
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        Column("tasks", Integer, nullable=False),
        Column("times", LargeBinary, nullable=False),
        Column("busiest", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("statistics_by_start", "statistics", ["span", "start"])
