"""What an agent logs, from its process to the backend: also when it is cut off, or killed."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import pytest

from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import LogLine
from tests.integration.router.doors import CALM, Door
from tests.integration.router.doors import door as any_door
from tests.integration.sdk.dialogues import PATIENCE, TOKEN
from tests.integration.sdk.test_link_router import wire

PROGRAM = Path(__file__).with_name("logging_agent.py")


@contextmanager
def started(folder: Path, port: int, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the agent as a program; it is killed in the end."""
    given = {
        "AGENT_JWT_TOKEN": TOKEN,
        "ROUTER_WS_URL": f"ws://127.0.0.1:{port}/ws",
        "XDG_STATE_HOME": str(folder),
        "ATLAS_LOG_LEVEL": "info",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "AGENT_"))}
    with subprocess.Popen(
        [sys.executable, str(PROGRAM)], env=kept | given | environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def door(*, lines_per_second: int = 2_000) -> AbstractAsyncContextManager[Door]:
    """Run a router that knows one agent."""
    settings = dataclasses.replace(CALM, log_lines_per_second=lines_per_second)
    return any_door(settings, verify=lambda _: Identity("tok_1", "worker", 4e9))


async def line(at: Door, message: str) -> LogLine:
    return await at.backend.lines.line(message, 3 * PATIENCE)  # a process starts first


async def test_the_lines_of_an_agent_that_is_killed_in_mid_task_are_there_up_to_the_kill(tmp_path: Path) -> None:
    async with door() as at:
        with started(tmp_path, at.port, ATLAS_CAPTURE_OUTPUT="1") as process:
            task = at.backend.submit("worker", "endless", b'{"word":"one"}')
            waits = await line(at, "one waits")
            process.kill()
            await asyncio.to_thread(process.wait, PATIENCE)
        begins, prints, tells = [await line(at, said) for said in ("one begins", "one prints", "tells")]
        assert {(one.task, one.attempt) for one in (begins, prints, tells, waits)} == {(task.id, 1)}
        assert (begins.source, prints.source, tells.source) == ("logging", "stdout", "task")
        messages = at.backend.lines.said()
        assert messages.index("one begins") < messages.index("one prints") < messages.index("one waits")
        (ready,) = [one for _, one in at.backend.lines.numbered() if one.message.startswith("ready as")]
        assert (ready.source, ready.task) == ("agent", "")


async def test_tracebacks_of_failed_tasks_and_of_threads_are_told(tmp_path: Path) -> None:
    async with door() as at:
        with started(tmp_path, at.port):
            failing = at.backend.submit("worker", "fails", b'{"word":"bread"}')
            told = await line(at, "task failed")
            assert (told.level, told.source, told.task, told.attempt) == ("error", "agent", failing.id, 1)
            assert told.exception.endswith("ValueError: no bread here")
            at.backend.submit("worker", "leaves_a_thread")
            told = await line(at, "an error that nobody caught has ended the thread a thread that fails")
            assert (told.level, told.task) == ("critical", "")
            assert "IndexError" in told.exception
        (file,) = (tmp_path / "agentic-atlas" / "logs").iterdir()
        assert "no bread here" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600


async def test_a_skill_with_a_process_of_its_own_is_heard_there_and_all_of_it_is_its_tasks(tmp_path: Path) -> None:
    async with door() as at:
        with started(tmp_path, at.port, ATLAS_CAPTURE_OUTPUT="1"):
            tasks = [at.backend.submit("worker", "apart", b'{"word":"%s"}' % word) for word in (b"one", b"two")]
            async with asyncio.timeout(PATIENCE):
                for task in tasks:
                    assert bytes((await task.ended).output) in (b'"one"', b'"two"')
            for word, task in zip(("one", "two"), tasks, strict=True):
                for ending, source in (("logs", "logging"), ("prints", "stdout")):
                    told = await line(at, f"{word} {ending}")
                    assert (told.task, told.source) == (task.id, source)
            lines = [one for _, one in at.backend.lines.numbered() if one.source != "agent"]
        assert {one.task for one in lines} == {task.id for task in tasks}
        assert [one.message for one in lines].count("no end") == 2


async def test_no_cut_loses_a_line_or_has_it_kept_twice(tmp_path: Path) -> None:
    async with door() as at, wire(at.port) as between:
        with started(tmp_path, between.port):
            task = at.backend.submit("worker", "chats", b'{"lines":3000,"seconds":2.0}')
            for number in (200, 900, 1700):
                await line(at, f"line {number:06} of a chatty skill that goes on and on")
                between.cut()
            async with asyncio.timeout(PATIENCE):
                await task.ended
            await line(at, "line 002999 of a chatty skill that goes on and on")
        numbered = [(number, one) for number, one in at.backend.lines.numbered() if one.source == "logging"]
        assert [one.message[5:11] for _, one in numbered] == [f"{number:06}" for number in range(3000)]
        assert [number for number, _ in numbered] == sorted({number for number, _ in numbered})
        assert {one.task for _, one in numbered} == {task.id}
        assert set(at.backend.lines.dropped.values()) == {0}


async def test_what_the_router_does_not_take_in_time_is_dropped_counted_and_told(tmp_path: Path) -> None:
    async with door(lines_per_second=100_000) as at:
        at.backend.lines.keeping.clear()
        with started(tmp_path, at.port):
            task = at.backend.submit("worker", "chats", b'{"lines":30000,"seconds":0}')
            async with asyncio.timeout(PATIENCE):
                await task.ended
            at.backend.lines.keeping.set()
            await line(at, "line 029999 of a chatty skill that goes on and on")
        lines = at.backend.lines.numbered()
        (dropped,) = at.backend.lines.dropped.values()
        about = [one for _, one in lines if "dropped here" in one.message]
        assert dropped > 10_000
        assert sum(int(one.message.split()[0]) for one in about) == dropped
        last = max(number for number, _ in lines)
        assert last == len(lines) - len(about) + dropped


@pytest.mark.parametrize("level", ["warning", "off"])
async def test_what_is_not_wanted_is_not_told(tmp_path: Path, level: str) -> None:
    async with door() as at:
        with started(tmp_path, at.port, ATLAS_CAPTURE_LOGGING=level, ATLAS_LOG_FILE="off"):
            at.backend.submit("worker", "chats", b'{"lines":10,"seconds":0}')
            at.backend.submit("worker", "fails", b'{"word":"bread"}')
            await line(at, "task failed")
        assert not [one for _, one in at.backend.lines.numbered() if one.source != "agent"]
        assert not (tmp_path / "agentic-atlas" / "logs").exists()
