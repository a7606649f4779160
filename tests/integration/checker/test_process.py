"""A check that takes too long costs whoever asked for it that one check, and nobody anything else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from agentic_atlas.backend.checker.process import MOST_WAITING, PROGRAM, ProcessChecker, checking
from agentic_atlas.backend.checker.worker import HEAD, compiled
from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.records import InputFault
from agentic_atlas.backend.domain.schemas import Validator
from agentic_atlas.compose.sources import python_environ
from agentic_atlas.errors import Busy, InvalidInput, Unavailable
from agentic_atlas.protocol.schemas import cost_of

ODD = (str(Path(__file__).with_name("odd_worker.py")),)
PATIENCE = 30.0


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run each test on the product's loop, and on the one where that is not to be had."""
    return "asyncio", {"use_uvloop": request.param}


@asynccontextmanager
async def running(program: tuple[str, ...] = ODD, wall: float = PATIENCE) -> AsyncIterator[ProcessChecker]:
    """Have a checker until the end of the block; afterwards its process is gone."""
    async with asyncio.timeout(PATIENCE), checking(python_environ(), program, wall=wall) as checker:
        yield checker
        pid = checker.pid
    assert pid is None or not psutil.pid_exists(pid)


async def asked(
    checker: ProcessChecker, value: object, whose: str = "usr_1", schema: object = True
) -> Sequence[InputFault] | None:
    encoded = json.dumps(schema).encode(), json.dumps(value).encode()
    return await checker.check(*encoded, name="greet", whose=whose)


async def too_costly(checker: ProcessChecker, value: str) -> None:
    with pytest.raises(InvalidInput, match="send less at once") as caught:
        await asked(checker, value)
    assert caught.value.code == "schema_too_costly"


async def test_a_process_is_started_when_it_is_needed_and_checks_one_value_after_the_other() -> None:
    async with running() as checker:
        assert checker.pid is None
        assert await asked(checker, "fit") is None
        first = checker.pid
        faults = await asked(checker, "anything")
        assert [(fault.path, fault.message) for fault in faults] == [("/place", "greet is odd")]
        assert checker.pid == first


@pytest.mark.parametrize("value", ["work", "fill", "crash"])
async def test_a_check_that_takes_too_long_or_too_much_ends_with_its_process_and_the_next_has_another(
    value: str,
) -> None:
    async with running() as checker:
        for _ in range(2):
            await too_costly(checker, value)
        assert await asked(checker, "fit") is None


async def test_a_process_that_ended_while_nobody_asked_is_replaced() -> None:
    async with running() as checker:
        assert await asked(checker, "fit") is None
        assert checker.pid is not None
        gone = psutil.Process(checker.pid)
        gone.kill()
        while checker.pid == gone.pid:  # noqa: ASYNC110 - it is the loop that has to learn of it
            await asyncio.sleep(0)
        assert await asked(checker, "fit") is None
        assert checker.pid != gone.pid


async def test_a_check_that_only_hangs_ends_too() -> None:
    async with running(wall=1.0) as checker:
        assert await asked(checker, "fit") is None
        await too_costly(checker, "sleep")


async def test_a_misfit_whose_reasons_take_too_long_is_a_misfit_without_reasons() -> None:
    async with running() as checker:
        assert await asked(checker, "work to tell") == ()
        assert await asked(checker, "fit") is None


async def test_the_process_has_no_secret_and_no_socket_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_SECRET", "not to be seen")

    async with running() as checker:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            os.set_inheritable(listening.fileno(), True)
            said = (await asked(checker, "who"))[0].message
        assert "ATLAS" not in said
        assert said.endswith(" 0")


async def test_who_stops_waiting_for_the_start_of_the_process_leaves_nothing_behind_either() -> None:
    async with running() as checker:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await asked(checker, "fit")
        assert await asked(checker, "fit") is None


async def test_who_stops_waiting_leaves_no_answer_behind_for_the_next() -> None:
    async with running() as checker:
        await asked(checker, "fit")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asked(checker, "sleep")
        assert await asked(checker, "fit") is None


async def test_users_take_turns_and_one_can_have_only_so_many_checks_waiting() -> None:
    async with running() as checker:
        order: list[str] = []

        async def ask(whose: str) -> None:
            await asked(checker, "fit", whose)
            order.append(whose)

        async with asyncio.TaskGroup() as group:
            for _ in range(MOST_WAITING):
                group.create_task(ask("usr_many"))
            await asyncio.sleep(0)
            group.create_task(ask("usr_one"))
            with pytest.raises(Busy):
                await asked(checker, "fit", "usr_many")
        assert order.index("usr_one") <= 2


async def test_a_process_that_does_not_start_is_told_as_what_it_is() -> None:
    async with running(program=("-c", "raise SystemExit(1)")) as checker:
        with pytest.raises(Unavailable) as caught:
            await asked(checker, "fit")
        assert caught.value.code == "checker_unavailable"


def test_the_process_ends_with_the_server_however_that_ends_and_not_by_a_signal_to_all() -> None:
    command = [sys.executable, *ODD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.read(1) == b"\n"
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(name)
        request = json.dumps(True).encode(), json.dumps("fit").encode(), b"greet"
        process.stdin.write(HEAD.pack(*map(len, request)) + b"".join(request))
        process.stdin.flush()
        assert process.stdout.read(4)
        process.stdin.close()  # as the kernel does when the server is killed
        assert process.wait(PATIENCE) == 0


async def test_the_real_process_checks_against_the_schema() -> None:
    async with running(program=PROGRAM) as checker:
        schema = {"type": "object", "properties": {"name": {"pattern": r"^\p{L}{1,64}$"}}}
        assert await asked(checker, {"name": "Ada"}, schema=schema) is None
        (fault,) = await asked(checker, {"name": "1"}, schema=schema)
        assert fault.path == "/name"
        with pytest.raises(InvalidInput, match="not a JSON Schema") as caught:
            await asked(checker, 1, schema={"type": "nothing"})
        assert caught.value.code == "invalid_schema"


async def test_a_number_beyond_all_range_is_no_value() -> None:
    async with running(program=PROGRAM) as checker:
        with pytest.raises(InvalidInput, match="not JSON") as caught:
            await checker.check(b"{}", b'{"n": 1e999}', name="greet", whose="usr_1")
        assert caught.value.code == "invalid_input"
        pid = checker.pid
        assert await checker.check(b"{}", b"1e99", name="greet", whose="usr_1") is None
        assert checker.pid == pid


async def test_a_schema_can_be_looked_at_without_a_value() -> None:
    async with running(program=PROGRAM) as checker:
        cost = await checker.look_at(b'{"pattern": "^[a-z]{1,20}$"}', whose="usr_1")
        assert cost == cost_of({"pattern": "^[a-z]{1,20}$"})
        with pytest.raises(InvalidInput, match="refers to") as caught:
            await checker.look_at(b'{"$ref": "#"}', whose="usr_1")
        assert caught.value.code == "invalid_schema"


def test_the_process_keeps_schemas_within_a_bound_of_bytes() -> None:
    kept: Kept[bytes, Validator] = Kept(10_000)
    for number in range(20):
        compiled(kept, json.dumps({"title": "x" * number, "type": "string"}).encode())
        assert kept.bytes <= 10_000
