"""Skills in a process of their own: real processes, started as the product starts them."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from agentic_atlas import Agent
from agentic_atlas.errors import ConfigurationError, Conflict
from agentic_atlas.protocol.messages import Cancel, Outcome
from agentic_atlas.sdk.runner.process import NAME, ProcessCall, ProcessDied
from tests.integration.sdk.process_skills import (
    Order,
    awkward,
    be_signalled,
    crash,
    deaf,
    divide,
    double,
    hang,
    hang_with_a_child,
    leave,
    leave_a_child,
    refuse,
    start_something,
    unpicklable,
    vanish,
)
from tests.unit.sdk.memory_wire import SECONDS, network, read


def called(function: Callable[..., Any], **arguments: Any) -> Any:
    return ProcessCall(function, arguments).run()


def test_input_and_output_are_carried_over_to_another_process() -> None:
    answer = called(double, order=Order(count=4))
    assert answer["answer"] == 8
    assert answer["pid"] != os.getpid()


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (divide, {"by": 0}, ZeroDivisionError, "division by zero"),
        (refuse, {}, Conflict, "not today"),
        (leave, {}, SystemExit, "3"),
        (awkward, {}, ProcessDied, "Awkward: 1 and 2"),
        (crash, {}, ProcessDied, r"the process died \(signal 9\)"),
        (vanish, {}, ProcessDied, r"the process died \(exit code 7\)"),
        (unpicklable, {}, ProcessDied, "cannot be carried over"),
    ],
)
def test_whatever_happens_there_is_an_error_here(
    function: Callable[..., Any], arguments: dict[str, Any], error: type[BaseException], message: str
) -> None:
    with pytest.raises(error, match=message):
        called(function, **arguments)


def test_an_error_keeps_its_code_and_the_traceback_of_its_process() -> None:
    with pytest.raises(Conflict) as caught:
        called(refuse)
    assert caught.value.code == "closed"
    assert any("in refuse" in note for note in caught.value.__notes__)


def test_a_function_that_cannot_be_imported_is_told_so() -> None:
    with pytest.raises(ProcessDied, match="importable from a module"):
        called(lambda: None)


def test_a_call_stopped_before_it_began_never_begins(tmp_path: Path) -> None:
    call = ProcessCall(hang, {"path": str(tmp_path / "pid")})
    call.terminate()
    with pytest.raises(ProcessDied, match="before it began"):
        call.run()
    assert not (tmp_path / "pid").exists()


def pid_in(path: Path) -> int:
    """Wait until a process has written its id; a file's appearance is the only signal that another process can give."""
    deadline = time.monotonic() + SECONDS
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
    return int(path.read_text())


@pytest.mark.parametrize("function", [hang, deaf])
async def test_a_cancelled_process_is_ended_with_force_if_need_be(function: Callable[..., Any], tmp_path: Path) -> None:
    agent = Agent("tester")
    agent.skill(name="skill", process=True)(function)
    path = tmp_path / "pid"

    async with network(agent, grace=0.1) as net:
        net.send("skill", {"path": str(path)})
        pid = await asyncio.to_thread(pid_in, path)
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED
        assert not psutil.pid_exists(pid)


def gone(pid: int) -> bool:
    """Tell whether a process ends within the time of a test; one that nobody waits for any more counts as ended."""
    deadline = time.monotonic() + SECONDS
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True


def test_a_death_is_noticed_while_something_that_the_process_forked_lives_and_ends_that_too(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with pytest.raises(ProcessDied, match=r"signal 9"):
        called(leave_a_child, path=str(path))
    assert gone(pid_in(path))


async def test_a_cancelled_process_takes_with_it_what_it_has_forked(tmp_path: Path) -> None:
    agent = Agent("tester")
    agent.skill(process=True)(hang_with_a_child)
    path = tmp_path / "pid"

    async with network(agent) as net:
        net.send("hang_with_a_child", {"path": str(path)})
        pid = await asyncio.to_thread(pid_in, path)
        net.inbox.deliver(Cancel("t1", 1))
        assert (await net.wire.result()).outcome is Outcome.CANCELED
        assert await asyncio.to_thread(gone, pid)


def test_what_a_process_that_has_returned_leaves_behind_is_its_own_business(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    assert called(start_something, path=str(path)) == "started"
    left = psutil.Process(pid_in(path))
    try:
        assert left.is_running()
        assert os.getpgid(left.pid) != os.getpgrp()
    finally:
        left.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_for_all_processes_of_a_service_leaves_the_work_to_the_agent(
    number: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "pid"
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(called(be_signalled, path=str(path))))
    thread.start()
    pid = pid_in(path)
    assert os.getsid(pid) == pid != os.getsid(0)
    os.kill(pid, number)
    (tmp_path / "pid.go").write_text("go")
    thread.join(SECONDS)
    assert outcomes == ["finished"]


def test_signals_that_were_held_back_while_a_process_began_are_let_through_again() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    called(double, order=Order(count=1))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


async def test_a_process_does_not_outlive_its_agent(tmp_path: Path) -> None:
    agent = Agent("tester")
    agent.skill(process=True)(hang)
    path = tmp_path / "pid"
    pids: list[int] = []

    async with network(agent) as net:
        net.send("hang", {"path": str(path)})
        pids.append(await asyncio.to_thread(pid_in, path))
    psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=SECONDS)
    assert not psutil.pid_exists(pids[0])


async def test_a_skill_in_a_process_is_a_skill_like_others() -> None:
    agent = Agent("tester")
    agent.skill(process=True)(double)
    agent.skill(process=True)(crash)

    async with network(agent) as net:
        result = await net.ask("double", {"order": {"count": 21}})
        assert read(result.output)["answer"] == 42
        result = await net.ask("crash", task="t2")
        assert result.error is not None
        assert (result.error.code, result.error.message) == ("handler_error", "the process died (signal 9)")


async def test_no_second_agent_is_served_in_the_process_of_a_skill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiprocessing.current_process", lambda: type("Process", (), {"name": NAME}))
    with pytest.raises(ConfigurationError, match="__main__"):
        await Agent("tester").serve()


def test_no_second_agent_starts_in_the_process_of_a_skill(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("multiprocessing.current_process", lambda: type("Process", (), {"name": NAME}))
    with pytest.raises(SystemExit) as caught:
        Agent("tester").run()
    assert caught.value.code == 2
    assert "__main__" in capsys.readouterr().err
