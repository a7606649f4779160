"""What agents' processes take is kept by the minute and by the hour, and who is connected is found at once."""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, Text, text

revision = "0023"
down_revision = "0022"

_CONNECTED = text("disconnected_at IS NULL")
_NUMBERS = ("memory", "memory_most", "machine_memory", "disk", "open_files", "threads", "children", "gpu_memory")
_FIGURES = (
    *("cpu", "cpu_most", "memory", "memory_most", "machine_cpu", "machine_memory", "load", "disk", "open_files"),
    *("threads", "children", "gpu", "gpu_memory", "battery"),
)


def upgrade() -> None:
    """Make the table, and an index of who is connected."""
    op.create_table(
        "resources",
        Column("span", Integer, primary_key=True, autoincrement=False),
        Column("start", BigInteger, primary_key=True, autoincrement=False),
        Column("agent_id", Text, primary_key=True),
        Column("instance_id", Text, primary_key=True),
        *(
            Column(name, BigInteger if name in _NUMBERS else Double, nullable=name in ("gpu", "battery"))
            for name in _FIGURES
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "instances_connected", "instances", ["agent_id"], sqlite_where=_CONNECTED, postgresql_where=_CONNECTED
    )
