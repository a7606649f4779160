"""What it costs to keep log lines, and how long it takes to find one among ten million.

```console
$ python -m benchmarks.logs_search --folder DIR
$ python -m benchmarks.logs_search --folder DIR --lines 1000000
```

The file is filled where it is not there: a hundred agents over ten hours, 200 lines a message, and one agent that says
as much in the last hour as is kept of one agent. That takes some minutes and 2 GB. Keeping is told in microseconds of
the processor for a line, of all threads together, beside the same lines as a row each with an index of agent and of
task, which is what blocks are in place of.

Looked for is what is in the last hour of one agent, in many lines, in one line that is the oldest of it, and in none;
and in all agents. Told are the median and the slowest of some first pages, and how many pages there are until the end.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain.logs import LogBatch, LogFilter, LogLimits, LogSight, TaskOwner
from agentic_atlas.backend.store.logs import SqlLogs, open_logs
from agentic_atlas.protocol.messages import LogLine

NOW: Final = 1_800_000_000.0
HOUR: Final = 3_600.0
AGENTS, HOURS, AT_ONCE, TOGETHER = 100, 10, 200, 10
LOUD: Final = 550_000
"""Lines of the agent that is heard most, all in the last hour: about as much as is kept of one."""
ROWS: Final = 200_000
"""Lines that are kept as rows too."""
LOOKS: Final = 15
_SAID: Final = (
    "request handled customer order failed retry connection timeout parsed document page stored fetched queue worker "
    "session upload download model prompt answer tokens latency cache index"
)
WORDS: Final = _SAID.split()
RARE: Final = "zebra crossing"
LIMITS: Final = LogLimits(logs_bytes=10**13, logs_agent_bytes=10**12)


class Kept(NamedTuple):
    """What it took to keep so many lines."""

    lines: int
    seconds: float
    cpu: float


def line(chance: random.Random, at: float, message: str, task: str) -> LogLine:
    fields = Raw(b'{"customer":%d,"took_ms":%d}' % (chance.randrange(100_000), chance.randrange(5_000)))
    level = chance.choices(("debug", "info", "warning", "error"), (30, 60, 8, 2))[0]
    return LogLine(at, level, message, "task", task, 1, logger="app.orders", fields=fields)


def messages(count: int) -> Iterator[LogBatch]:
    """Yield messages in the order in which they come."""
    chance = random.Random(7)
    said = [" ".join(chance.choices(WORDS, k=chance.randrange(4, 14))) for _ in range(5_000)]
    quiet = count - min(LOUD, count // 10)
    spans = {"agent_loud": (count - quiet, NOW - HOUR)} | {
        f"agent_{n}": (quiet // AGENTS, NOW - HOURS * HOUR) for n in range(AGENTS)
    }
    order = sorted(
        (begin + (NOW - begin) * first / lines, agent, first, lines)
        for agent, (lines, begin) in spans.items()
        for first in range(0, lines, AT_ONCE)
    )
    for at, agent, first, lines in order:
        step = (NOW - spans[agent][1]) / lines
        task = f"tsk_{agent}_{first // 1_000}"
        of = [line(chance, at + k * step, chance.choice(said), task) for k in range(min(AT_ONCE, lines - first))]
        if agent == "agent_loud" and first == 0:
            of[0] = line(chance, at, f"a {RARE} in front", task)
        owner = TaskOwner(agent, f"user_{agent}", "key", f"{first:032x}")
        yield LogBatch(agent, f"ins_{agent}", first + 1, of, owners={task: owner})


async def fill(logs: SqlLogs, count: int) -> Kept:
    lines, seconds, cpu = 0, 0.0, 0.0
    some: list[LogBatch] = []

    async def keep() -> None:
        nonlocal lines, seconds, cpu
        began, worked = time.perf_counter(), time.process_time()
        await logs.append(some, NOW, LIMITS)
        seconds, cpu = seconds + time.perf_counter() - began, cpu + time.process_time() - worked
        lines += sum(len(batch.lines) for batch in some)
        some.clear()

    for batch in messages(count):
        some.append(batch)
        if len(some) == TOGETHER:
            await keep()
    await keep()
    return Kept(lines, seconds, cpu)


def as_rows(file: Path, count: int) -> Kept:
    """Keep lines as a row each."""
    file.unlink(missing_ok=True)
    lines, seconds, cpu = 0, 0.0, 0.0
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 2000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE lines (agent TEXT, instance TEXT, n INTEGER, at REAL, task TEXT, line BLOB)")
        connection.execute("CREATE INDEX by_agent ON lines (agent, at)")
        connection.execute("CREATE INDEX by_task ON lines (task, at)")
        for batch in messages(count * 50):
            began, worked = time.perf_counter(), time.process_time()
            of = [
                (batch.agent_id, batch.instance_id, n, one.at, one.task, msgspec.json.encode(one))
                for n, one in enumerate(batch.lines, batch.first)
            ]
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", of)
            connection.execute("COMMIT")
            seconds, cpu = seconds + time.perf_counter() - began, cpu + time.process_time() - worked
            lines += len(of)
            if lines >= count:
                break
    return Kept(lines, seconds, cpu)


def told(name: str, kept: Kept, file: Path) -> None:
    cost, size = kept.cpu / kept.lines * 1e6, file.stat().st_size / kept.lines
    print(
        f"{name:<28}{kept.lines:>12,} lines  {cost:6.2f} µs/line  {kept.lines / kept.seconds:>10,.0f}/s  {size:4.0f} B"
    )


async def look(logs: SqlLogs, name: str, which: LogFilter) -> None:
    took, found = [], 0
    for _ in range(LOOKS):
        began = time.perf_counter()
        page = await logs.find(which, LogSight(), limit=100)
        took.append((time.perf_counter() - began) * 1e3)
        found = len(page.lines)
    pages, began = 1, time.perf_counter()
    while page.next is not None and not page.lines and pages < 100:
        page = await logs.find(which, LogSight(), limit=100, before=page.next)
        pages += 1
    more = f"{pages} pages in {time.perf_counter() - began:.2f} s more" if pages > 1 else ""
    print(f"{name:<44}{statistics.median(took):8.1f} ms  {max(took):8.1f} ms  {found:4} lines  {more}")


async def main(folder: Path, count: int) -> None:
    file = folder / f"logs-{count}.sqlite3"
    async with open_logs(file) as logs:
        if not await logs.agents():
            told("kept in blocks", await fill(logs, count), file)
            told("a row for each line", as_rows(folder / "rows.sqlite3", min(ROWS, count)), folder / "rows.sqlite3")
        print(f"\n{'first page of the last hour':<44}{'median':>11}  {'slowest':>11}")
        for agent in ("agent_7", "agent_loud"):
            of = LogFilter(agent_ids=(agent,), since=NOW - HOUR)
            await look(logs, f"{agent}, the newest", of)
            for text in ("timeout", RARE, "nowhere to be found", "нигде"):
                await look(logs, f"{agent}, {text!r}", msgspec.structs.replace(of, text=text))
            await look(logs, f"{agent}, errors", msgspec.structs.replace(of, level="error"))
        last = LogFilter(since=NOW - HOUR)
        await look(logs, "all agents, the newest", last)
        await look(logs, "all agents, 'nowhere to be found'", msgspec.structs.replace(last, text="nowhere to be found"))
        await look(logs, "all agents and hours, the same", LogFilter(text="nowhere to be found"))
        await look(logs, "one task", LogFilter(tasks=("tsk_agent_7_50",)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--lines", type=int, default=10_000_000)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(given.folder, given.lines))
