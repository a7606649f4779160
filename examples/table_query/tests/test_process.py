"""Jobs run in processes of their own: nothing they do holds up the agent, writes a file or outlives the answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from table_samples import Tables, write_workbook
from tables import process
from tables.errors import BadSql, QueryFailed, TooMuchMemory, TooSlow, Unreadable
from tables.jobs import Ask, Convert
from tables.limits import Limits
from tables.table import Answer

HOME = Path(__file__).resolve().parent.parent
SECONDS = 20.0


def asked(sql: str, views: Tables, limits: Limits | None = None) -> Answer:
    return asyncio.run(process.ask(Ask(views, sql, 10), limits or Limits()))


def workers() -> list[psutil.Process]:
    """Return the worker processes of tables that still run; other tests of this run may have children of their own."""
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "tables.worker" in child.cmdline()
    ]


def test_a_query_is_answered_by_another_process_that_is_gone_afterwards(sales: Tables) -> None:
    assert asked("SELECT sum(id) AS s FROM sales", sales).rows == [[15]]
    with pytest.raises(BadSql, match="only SELECT is allowed"):
        asked("DROP VIEW sales", sales)
    assert workers() == []


def test_what_duckdb_cannot_interrupt_is_ended(sales: Tables) -> None:
    began = time.perf_counter()
    with pytest.raises((TooSlow, TooMuchMemory)):
        asked("SELECT lpad('a', 2000000000, 'b')", sales, Limits(query_seconds=0.2, grace_seconds=0.1))
    assert time.perf_counter() - began < SECONDS
    assert workers() == []


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_memory_that_duckdb_does_not_count_is_limited_by_the_system(sales: Tables) -> None:
    with pytest.raises((TooMuchMemory, QueryFailed)) as caught:
        asked("SELECT repeat('x', 1900000000) FROM range(9)", sales, Limits(memory_megabytes=64))
    assert "memory" in str(caught.value)


def test_cancelling_ends_the_process(sales: Tables) -> None:
    endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range = -1"

    async def main() -> None:
        async with asyncio.timeout(0.7):
            await process.ask(Ask(sales, endless, 10), Limits())

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert workers() == []


def test_the_process_ends_with_its_agent() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "tables.worker"], cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with worker:
        assert worker.stdin is not None and worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        worker.stdin.close()
        assert worker.wait(SECONDS) == 0
        assert worker.stdout.read() == b""


def test_the_token_of_the_agent_is_not_in_its_environment() -> None:
    agent = {
        "AGENT_JWT_TOKEN": "sesame",
        "HOME": "/home/ana",
        "AWS_SECRET_ACCESS_KEY": "x",
        "PATH": "/bin",
        "TZ": "UTC",
    }
    assert process.environment(agent) == {"PATH": "/bin", "TZ": "UTC"}


@pytest.mark.skipif(sys.platform == "win32", reason="the size of files is limited by POSIX systems")
def test_a_process_that_answers_sql_can_write_no_file(tmp_path: Path) -> None:
    code = f"""
import duckdb
from tables.jobs import Ask
from tables.limits import Limits
from tables.worker import bound

bound(Ask({{}}, "", 1), Limits())
duckdb.connect().execute("COPY (FROM range(9)) TO '{tmp_path}/a.csv'")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert [path.stat().st_size for path in tmp_path.iterdir()] in ([], [0])


def test_a_file_is_converted_by_another_process(folder: Path) -> None:
    file = write_workbook(folder / "a.xlsx", {"A": [("n",), (1,)]})
    made = asyncio.run(process.convert(Convert(file, "xlsx", folder / "made"), Limits()))
    assert [part.rows for part in made.parts] == [1]
    (folder / "b.csv").write_bytes(b"")
    with pytest.raises(Unreadable, match="holds nothing"):
        asyncio.run(process.convert(Convert(folder / "b.csv", "csv", folder / "made"), Limits()))


def test_a_file_that_takes_too_long_is_given_up(folder: Path) -> None:
    (folder / "a.csv").write_text("a\n1\n")
    job, limits = Convert(folder / "a.csv", "csv", folder / "made"), Limits(import_seconds=0.001, grace_seconds=0)
    with pytest.raises(Unreadable, match=r"takes longer than 0\.001 seconds") as caught:
        asyncio.run(process.convert(job, limits))
    assert caught.value.passing
