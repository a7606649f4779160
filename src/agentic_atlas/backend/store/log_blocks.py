"""How log lines are written: in blocks, each a row with up to some hundred lines of one instance, and only added to.

A row for each line would cost more than all the rest. So the lines of a message are one block; short ones are added to
the instance's last block while that is short too, so that an agent which says one line a second fills blocks as well.
A block spans an hour at the most, and the blocks of an instance follow one another: whoever looks for what was said
at some time need not open others.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from agentic_atlas.backend.domain.logs import (
    KeptBatch,
    LogBatch,
    LogFence,
    LoggedLine,
    LogLimits,
    TaskOwner,
    kept_lines,
    level_bits,
)

SPAN: Final = 3_600.0
"""Seconds that a block spans at the most."""
BLOCK_BYTES: Final = 64 * 1024
"""Bytes of a block at the most, but for a single line that is longer."""
SHORT: Final = 16 * 1024
"""Bytes of a block to which lines are added."""
REMOVED_AT_ONCE: Final = 500
"""Blocks that are removed in one transaction: others wait for it."""

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY, agent_id TEXT NOT NULL, instance_id TEXT NOT NULL, "
    "lines INTEGER NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL, levels INTEGER NOT NULL, "
    "size INTEGER NOT NULL)",
    # All that is asked of a block before it is opened: of millions of lines these are a few megabytes.
    "CREATE INDEX IF NOT EXISTS blocks_by_time ON blocks (last_at, id, agent_id, first_at, levels, size)",
    "CREATE INDEX IF NOT EXISTS blocks_by_agent ON blocks (agent_id, last_at, id, first_at, levels, size)",
    # Text and no blob, in which `LIKE` finds nothing where SQLite is built so, as Debian does
    # (SQLITE_LIKE_DOESNT_MATCH_BLOBS).
    "CREATE TABLE IF NOT EXISTS contents (block_id INTEGER PRIMARY KEY, lines TEXT NOT NULL, tasks TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS task_blocks (task_id TEXT NOT NULL, block_id INTEGER NOT NULL, "
    "PRIMARY KEY (task_id, block_id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS owner_blocks (owner_id TEXT NOT NULL, block_id INTEGER NOT NULL, "
    "PRIMARY KEY (owner_id, block_id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS instances (instance_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, "
    "up_to INTEGER NOT NULL, dropped INTEGER NOT NULL, last_at REAL NOT NULL, kept_at REAL NOT NULL) WITHOUT ROWID",
)

_encode = msgspec.json.Encoder().encode_lines


class OpenBlock(NamedTuple):
    """The last block of an instance."""

    id: int
    first_at: float
    size: int
    tasks: frozenset[str]


class InstanceLog(NamedTuple):
    """What is known of the lines of an instance, and where they go on."""

    fence: LogFence
    block: OpenBlock | None = None


def make_tables(connection: Connection) -> None:
    """Make the tables that are missing."""
    for statement in _SCHEMA:
        connection.exec_driver_sql(statement)


def write(
    connection: Connection, known: Mapping[str, InstanceLog], batches: Sequence[LogBatch], now: float, oldest: float
) -> tuple[list[KeptBatch], dict[str, InstanceLog]]:
    """Keep batches; return what became of each, and what is known of their instances afterwards."""
    instances: dict[str, InstanceLog] = {}
    became = []
    for batch in batches:
        id_ = batch.instance_id
        instance = instances.get(id_) or known.get(id_) or InstanceLog(_fence(connection, id_))
        lines = kept_lines(batch, instance.fence, now, oldest)
        block = instance.block
        for some in _cut(lines):
            block = _put(connection, batch, some, block)
        if lines:
            fence = LogFence(lines[-1].n, batch.dropped, lines[-1].at, known=True)
            _note(connection, batch, fence, now)
            instance = InstanceLog(fence, block)
        instances[id_] = instance
        became.append(KeptBatch(instance.fence.up_to, lines))
    return became, instances


def _fence(connection: Connection, instance_id: str) -> LogFence:
    """What is kept of an instance that is not remembered."""
    found = connection.exec_driver_sql(
        "SELECT up_to, dropped, last_at FROM instances WHERE instance_id = ?", (instance_id,)
    ).one_or_none()
    return LogFence() if found is None else LogFence(found[0], found[1], found[2], known=True)


def _note(connection: Connection, batch: LogBatch, fence: LogFence, now: float) -> None:
    """Note up to which number an instance's lines are kept."""
    connection.exec_driver_sql(
        "INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (instance_id) DO UPDATE SET "
        "up_to = excluded.up_to, dropped = excluded.dropped, last_at = excluded.last_at, kept_at = excluded.kept_at",
        (batch.instance_id, batch.agent_id, fence.up_to, fence.dropped, fence.last_at, now),
    )


def _cut(lines: Sequence[LoggedLine]) -> Iterator[Sequence[LoggedLine]]:
    """Cut lines where a block would span too long, or be too long."""
    sizes = [0, *accumulate(len(line.message) + len(line.exception) + len(bytes(line.fields)) for line in lines)]
    start = 0
    for end, line in enumerate(lines):
        if end > start and (line.at - lines[start].at > SPAN or sizes[end + 1] - sizes[start] > BLOCK_BYTES):
            yield lines[start:end]
            start = end
    if lines:
        yield lines[start:]


def _put(
    connection: Connection, batch: LogBatch, lines: Sequence[LoggedLine], block: OpenBlock | None
) -> OpenBlock | None:
    """Put lines into the instance's last block where they fit, else into a new one; return the last one."""
    text = _encode(lines)
    if block is not None and block.size + len(text) <= SHORT and lines[-1].at - block.first_at <= SPAN:
        added = _add(connection, batch, lines, text.decode(), block)
        if added is not None:
            return added
    return _begin(connection, batch, lines, text.decode())


def _add(
    connection: Connection, batch: LogBatch, lines: Sequence[LoggedLine], text: str, block: OpenBlock
) -> OpenBlock | None:
    """Add lines to a block; None: it is gone."""
    new = {line.task for line in lines if line.task} - block.tasks
    told = _owners(batch, new)
    if not connection.exec_driver_sql(
        "UPDATE contents SET lines = lines || ?, tasks = tasks || ? WHERE block_id = ?", (text, told, block.id)
    ).rowcount:
        return None
    connection.exec_driver_sql(
        "UPDATE blocks SET lines = lines + ?, last_at = ?, levels = levels | ?, size = size + ? WHERE id = ?",
        (len(lines), lines[-1].at, level_bits(lines), len(text) + len(told), block.id),
    )
    _index(connection, block.id, batch.owners, new)
    return block._replace(size=block.size + len(text), tasks=block.tasks | new)


def _begin(connection: Connection, batch: LogBatch, lines: Sequence[LoggedLine], text: str) -> OpenBlock:
    """Begin another block with these lines."""
    of = frozenset(line.task for line in lines if line.task)
    told = _owners(batch, of)
    first_at = lines[0].at
    block_id = connection.exec_driver_sql(
        "INSERT INTO blocks (agent_id, instance_id, lines, first_at, last_at, levels, size) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (batch.agent_id, batch.instance_id, len(lines), first_at, lines[-1].at, level_bits(lines), len(text + told)),
    ).lastrowid
    connection.exec_driver_sql("INSERT INTO contents VALUES (?, ?, ?)", (block_id, text, told))
    _index(connection, block_id, batch.owners, of)
    return OpenBlock(block_id, first_at, len(text), of)


def _owners(batch: LogBatch, tasks: Iterable[str]) -> str:
    """Return whose these tasks are, as a block has it: a task, its owner and its caller a line."""
    owners = ((id_, batch.owners[id_]) for id_ in sorted(tasks))
    return _encode([(id_, owner.owner_id, owner.caller_id) for id_, owner in owners]).decode()


def _index(connection: Connection, block_id: int, owners: Mapping[str, TaskOwner], tasks: Iterable[str]) -> None:
    """Have a block found by its tasks, and by who asked for them."""
    of = list(tasks)
    for table, ids in (("task_blocks", of), ("owner_blocks", {owners[id_].owner_id for id_ in of})):
        rows = [(id_, block_id) for id_ in ids]
        if rows:
            connection.exec_driver_sql(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", rows)  # noqa: S608  # its name is ours


def trim(connection: Connection, now: float, limits: LogLimits) -> bool:
    """Remove some of what is too old or too much, the oldest first; tell whether there may be more of it."""
    before = now - limits.logs_age
    gone = _ids(
        connection, "SELECT id FROM blocks WHERE last_at < ? ORDER BY last_at LIMIT ?", (before, REMOVED_AT_ONCE)
    )
    sizes = connection.exec_driver_sql("SELECT agent_id, sum(size) FROM blocks GROUP BY agent_id").all()
    oldest = "SELECT id, size FROM blocks WHERE agent_id = ? ORDER BY last_at LIMIT ?"
    for agent_id, size in sizes:
        gone += _over(connection.exec_driver_sql(oldest, (agent_id, REMOVED_AT_ONCE)), size - limits.logs_agent_bytes)
    total = sum(size for _, size in sizes) - limits.logs_bytes
    oldest = "SELECT id, size FROM blocks ORDER BY last_at LIMIT ?"
    gone += _over(connection.exec_driver_sql(oldest, (REMOVED_AT_ONCE,)), total)
    some = list(dict.fromkeys(gone))[:REMOVED_AT_ONCE]
    _remove(connection, some)
    connection.exec_driver_sql("DELETE FROM instances WHERE kept_at < ?", (before,))
    return bool(some)


def forget(connection: Connection, agent_id: str) -> bool:
    """Remove some of what is kept of an agent; tell whether there may be more of it."""
    some = _ids(connection, "SELECT id FROM blocks WHERE agent_id = ? LIMIT ?", (agent_id, REMOVED_AT_ONCE))
    _remove(connection, some)
    connection.exec_driver_sql("DELETE FROM instances WHERE agent_id = ?", (agent_id,))
    return bool(some)


def _over(blocks: Iterable[Any], excess: float) -> list[int]:
    """Return of blocks, oldest first, as many as have this excess in them."""
    gone: list[int] = []
    for id_, size in blocks if excess > 0 else ():
        gone.append(id_)
        excess -= size
        if excess <= 0:
            break
    return gone


def _ids(connection: Connection, query: str, values: tuple[object, ...]) -> list[int]:
    return list(connection.exec_driver_sql(query, values).scalars())


def _remove(connection: Connection, blocks: Sequence[int]) -> None:
    """Remove blocks, and what they are found by."""
    for block_id in blocks:
        told = connection.exec_driver_sql("SELECT tasks FROM contents WHERE block_id = ?", (block_id,)).scalar()
        of = [json.loads(line) for line in (told or "").split("\n") if line]
        for table, column, ids in (
            ("task_blocks", "task_id", [(task, block_id) for task, _, _ in of]),
            ("owner_blocks", "owner_id", [(owner, block_id) for _, owner, _ in of]),
        ):
            if ids:
                gone = f"DELETE FROM {table} WHERE {column} = ? AND block_id = ?"  # noqa: S608  # its name is ours
                connection.exec_driver_sql(gone, ids)
        for table, column in (("contents", "block_id"), ("blocks", "id")):
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE {column} = ?", (block_id,))  # noqa: S608
