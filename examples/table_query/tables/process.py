"""Hands jobs to worker processes, one process for each. The other side is worker.py."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tables.errors import QueryFailed, TooMuchMemory, TooSlow, Unreadable
from tables.jobs import Ask, Convert, Describe, read_answer, read_described, read_import, write_job
from tables.limits import Limits
from tables.table import Answer, Described, Import

_HOME: Final = Path(__file__).resolve().parent.parent
_START_SECONDS: Final = 10.0
"""For a process to start; not taken from the time of the job."""
_LONGEST_ANSWER: Final = 16 * 1024 * 1024
_PASSED_ON: Final = (
    "PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TZ", "LANG", "LC_ALL",
)  # fmt: skip


class _Late(Exception):
    """The process did not answer in time."""


class _Died(Exception):
    """The process ended without an answer."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def convert(job: Convert, limits: Limits) -> Import:
    """Makes tables of a file. Raises Unreadable."""
    try:
        return read_import(await _exchange(write_job(job, limits), limits.import_seconds + limits.grace_seconds))
    except _Late:
        raise Unreadable(f"takes longer than {limits.import_seconds:g} seconds to read", passing=True) from None
    except _Died as error:
        raise Unreadable(f"ended the process that reads it ({_told(error.code)})", passing=True) from None


async def ask(job: Ask, limits: Limits) -> Answer:
    """Runs a query. Raises QueryFailed."""
    return read_answer(await _queried(write_job(job, limits), limits))


async def describe(job: Describe, limits: Limits) -> list[Described]:
    """Describes a table. Raises QueryFailed."""
    return read_described(await _queried(write_job(job, limits), limits))


def environment(agent: Mapping[str, str]) -> dict[str, str]:
    """What a worker gets of the agent's environment: not its token, and nothing else that is no concern of a query."""
    return {name: agent[name] for name in _PASSED_ON if name in agent}


async def _queried(line: bytes, limits: Limits) -> bytes:
    try:
        return await _exchange(line, limits.query_seconds + limits.grace_seconds)
    except _Late:
        raise TooSlow(f"the query was stopped after {limits.query_seconds:g} seconds") from None
    except _Died as error:
        # We end processes only when they are late, so it was the operating system, in want of memory.
        if error.code == -signal.SIGKILL:
            raise TooMuchMemory(f"the query needs more than {limits.memory_megabytes} MB of memory") from None
        raise QueryFailed(f"the query ended the process that ran it ({_told(error.code)})") from None


async def _exchange(line: bytes, seconds: float) -> bytes:
    """The answer to a job. The process is gone when this ends, however it ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tables.worker",
        cwd=_HOME,
        env=environment(os.environ),  # noqa: TID251 - to take the worker's part of it
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=_LONGEST_ANSWER,
        start_new_session=True,
    )
    try:
        return await _answered(process, line, seconds)
    except TimeoutError:
        raise _Late from None
    finally:
        # The pipe first: where ending fails, the process sees that nobody waits for it.
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _answered(process: Process, line: bytes, seconds: float) -> bytes:
    assert process.stdin is not None and process.stdout is not None, "both are pipes"
    async with asyncio.timeout(_START_SECONDS):
        ready = await process.stdout.readline()
    answer = b""
    if ready:
        try:
            process.stdin.write(line)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it ended, and what it says of that comes below
        async with asyncio.timeout(seconds):
            answer = await process.stdout.readline()
    if not answer.endswith(b"\n"):
        raise _Died(await process.wait())
    return answer


def _told(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
