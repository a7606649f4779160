"""How log lines are looked for: in blocks, those with the newest lines first, and in no more of them than it takes.

What a block is of, its times, levels and size are known from an index; text is looked for by SQLite in whole blocks,
beside which everything else goes on (it does not hold Python's lock meanwhile), and only what may fit is read.
"""

import heapq
import json
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import Connection

from agentic_atlas.backend.domain.logs import FoundLine, LogFilter, LogFinds, LoggedLine, LogSight, as_json
from agentic_atlas.backend.store.cursors import cursor_after, id_in
from agentic_atlas.backend.store.log_blocks import SPAN
from agentic_atlas.errors import InvalidInput

LOOKED_THROUGH: Final = 128 * 1024 * 1024
"""Bytes of blocks that are looked through for one page: some tenths of a second."""
OTHER_LETTERS: Final = 4
"""Of a text without a letter of ASCII such a part of these is looked through: its capitals are found in Python."""
_FIRST: Final = 4
_MOST: Final = 64
"""Blocks that are opened at once: few first, for the newest may be all that is wanted."""
_LAST: Final = 2**62
_ASCII: Final = re.compile("[ -~]+")
_COMMON: Final = '"\\[],:{}0123456789 etaoinshrdlucmfywgpbvkxqjz._-/'
"""Characters of lines, the most frequent first: what begins with a rare one is found sooner."""

Key: TypeAlias = tuple[float, int, int]
"""Time, block and number of a line: their order."""

_decode = msgspec.json.Decoder(LoggedLine).decode


class _Block(NamedTuple):
    id: int
    last_at: float
    size: int


def search(
    connection: Connection,
    which: LogFilter,
    sight: LogSight,
    limit: int,
    before: str | None,
    most_bytes: int = LOOKED_THROUGH,
) -> LogFinds:
    """Return lines, newest first; see `ports.LogStore.find`."""
    end = (which.until if which.until is not None else float("inf"), -1, 0) if before is None else _key(before)
    blocks = _blocks(connection, which, sight, end[0])
    waiting: list[tuple[Key, FoundLine]] = []
    found: list[tuple[Key, FoundLine]] = []
    looked, last = 0, end[0]
    if which.text and not _in_ascii(as_json(which.text)):
        most_bytes //= OTHER_LETTERS
    for some in _growing(blocks):
        newest = some[0].last_at
        _take(waiting, found, limit, newest)
        if len(found) == limit:
            break
        # A page that says up to where it has looked has come nearer than the one before it.
        if looked > most_bytes and newest < last:
            return LogFinds([line for _, line in found], _cursor((newest, _LAST, 0)), newest)
        looked += sum(block.size for block in some)
        for key, line in _lines(connection, some, which, sight):
            if key < end:
                heapq.heappush(waiting, ((-key[0], -key[1], -key[2]), line))
    else:
        _take(waiting, found, limit, float("-inf"))
        if not waiting:
            return LogFinds([line for _, line in found], None, None)
    at, block, n = found[-1][0]
    return LogFinds([line for _, line in found], _cursor((-at, -block, -n)), -at)


def _take(waiting: list[tuple[Key, FoundLine]], found: list[tuple[Key, FoundLine]], limit: int, newest: float) -> None:
    """Move lines to what was found as far as none in a block that is not opened yet can be newer."""
    while waiting and len(found) < limit and -waiting[0][0][0] > newest:
        found.append(heapq.heappop(waiting))


def _growing(blocks: Iterator[_Block]) -> Iterator[Sequence[_Block]]:
    """Yield blocks in lists that grow."""
    size, some = _FIRST, list[_Block]()
    for block in blocks:
        some.append(block)
        if len(some) == size:
            yield some
            size, some = min(2 * size, _MOST), []
    if some:
        yield some


def _blocks(connection: Connection, which: LogFilter, sight: LogSight, end: float) -> Iterator[_Block]:
    """Blocks that may have what is looked for, those with the newest lines first."""
    conditions, values = ["b.levels & ?", "b.first_at <= ?"], [which.levels(), end]
    if end != float("inf"):
        conditions.append("b.last_at <= ?")
        values.append(end + SPAN)
    if which.since is not None:
        conditions.append("b.last_at >= ?")
        values.append(which.since)
    of: list[str] = []
    if which.agent_ids is not None:
        conditions.append(_among("b.agent_id", which.agent_ids))
        of += which.agent_ids
    if which.tasks is not None:
        conditions.append(f"b.id IN (SELECT block_id FROM task_blocks WHERE {_among('task_id', which.tasks)})")  # noqa: S608
        of += which.tasks
    if sight.managed is not None and (sight.managed or sight.owner_id is not None):
        seen = [_among("b.agent_id", managed := sorted(sight.managed))]
        of += managed
        if sight.owner_id is not None:
            seen.append("b.id IN (SELECT block_id FROM owner_blocks WHERE owner_id = ?)")
            of.append(sight.owner_id)
        conditions.append(f"({' OR '.join(seen)})")
    query = f"SELECT b.id, b.last_at, b.size FROM blocks b WHERE {' AND '.join(conditions)} ORDER BY b.last_at DESC, b.id DESC"  # noqa: S608, E501  # of our own words
    rows = connection.execution_options(stream_results=True).exec_driver_sql(query, (*values, *of))
    while some := rows.fetchmany(_MOST):
        yield from (_Block(*row) for row in some)


def _among(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join('?' * len(values))})"


def _lines(
    connection: Connection, blocks: Sequence[_Block], which: LogFilter, sight: LogSight
) -> Iterator[tuple[Key, FoundLine]]:
    """Yield the lines of blocks that fit and are seen."""
    wanted = as_json(which.text.lower())
    texts, values = _likes(_in_ascii(wanted))
    marks = ", ".join("?" * len(blocks))
    rows = connection.exec_driver_sql(
        "SELECT b.id, b.agent_id, b.instance_id, c.lines, c.tasks FROM contents c JOIN blocks b ON b.id = c.block_id "  # noqa: S608  # of our own words
        f"WHERE c.block_id IN ({marks}){texts}",
        (*(block.id for block in blocks), *values),
    )
    for block_id, agent_id, instance_id, text, tasks in rows:
        if wanted not in text.lower():
            continue
        owners: dict[str, tuple[str, str]] = {}
        if sight.managed is not None and agent_id not in sight.managed:
            owners = {task: (owner, caller) for task, owner, caller in map(json.loads, filter(None, tasks.split("\n")))}
        for written in text.split("\n"):
            if not written or wanted not in written.lower():
                continue
            line = _decode(written)
            if which.fits(line) and sight.sees(agent_id, line, owners.get(line.task)):
                yield (line.at, block_id, line.n), FoundLine(agent_id, instance_id, line)


def _in_ascii(text: str) -> str:
    """Return what SQLite can look for of a text: the longest part of it in ASCII, of which alone it knows capitals."""
    return max(_ASCII.findall(text), key=len, default="")


def _likes(part: str) -> tuple[str, tuple[str, ...]]:
    """Return conditions for blocks that have this in them: first for its end from its rarest character on."""
    if not part:
        return "", ()
    start = max(range(max(1, len(part) - 2)), key=lambda i: (_rarity(part[i]), -i))
    parts = [part] if start == 0 else [part[start:], part]
    return " AND c.lines LIKE ? ESCAPE '^'" * len(parts), tuple(f"%{_literal(one)}%" for one in parts)


def _rarity(character: str) -> int:
    place = _COMMON.find(character)
    return place if place >= 0 else len(_COMMON)


def _literal(part: str) -> str:
    return re.sub(r"([%_^])", r"^\1", part)


def _cursor(key: Key) -> str:
    return cursor_after(f"{key[0]!r}/{key[1]}/{key[2]}")


def _key(cursor: str) -> Key:
    """Return the line before which a page ended; raises InvalidInput (`invalid_cursor`) for what is no cursor."""
    try:
        at, block, n = id_in(cursor).split("/")
        return float(at), int(block), int(n)
    except ValueError:
        raise InvalidInput("this cursor is not from a list of ours; begin without one", code="invalid_cursor") from None
