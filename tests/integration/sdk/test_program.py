"""Running agents as a program: several in one process, and a loop that nothing on it ends early."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas import Agent, run
from agentic_atlas.errors import ConfigurationError
from tests.integration.sdk.dialogues import begun

UNUSED = "ws://127.0.0.1:1/ws"


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROUTER_WS_URL", UNUSED)
    monkeypatch.delenv("AGENT_JWT_TOKEN", raising=False)


async def greet() -> str:
    return "hi"


def agent_that(
    name: str, *steps: Callable[[Agent], Any], end: Callable[[], None] = lambda: None, beside: tuple[Agent, ...] = ()
) -> Agent:
    """An agent that takes these steps, each in a turn of the loop, as soon as it has begun, and those beside it."""
    tasks: list[asyncio.Task[None]] = []

    async def take(agent: Agent) -> None:
        for one in (agent, *beside):
            await begun(one)
        for step in steps:
            step(agent)
            await asyncio.sleep(0)

    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        tasks.append(asyncio.get_running_loop().create_task(take(agent)))
        yield
        end()

    agent = Agent(name, token=f"{name}.token.here", lifespan=lifespan)
    agent.skill(greet)
    return agent


def stop(_: Agent) -> None:
    signal.raise_signal(signal.SIGTERM)


def stop_the_loop(_: Agent) -> None:
    asyncio.get_running_loop().stop()


def leave_in_a_task(_: Agent) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    asyncio.get_running_loop().create_task(leave())


def leave_in_a_callback(_: Agent) -> None:
    def leave() -> None:
        raise SystemExit(4)

    asyncio.get_running_loop().call_soon(leave)


def cancel_all(_: Agent) -> None:
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("step", [stop_the_loop, leave_in_a_task, leave_in_a_callback, cancel_all])
def test_what_would_end_the_loop_of_an_agent_does_not_end_the_agent(step: Callable[[Agent], Any]) -> None:
    went_on: list[bool] = []
    agent_that("one", step, lambda agent: went_on.append(agent._runner is not None), stop).run()
    assert went_on == [True]


def interrupt(_: Agent) -> None:
    def pressed() -> None:
        raise KeyboardInterrupt

    asyncio.get_running_loop().call_soon(pressed)


def test_an_interrupt_that_a_skill_has_let_through_asks_the_agent_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    agent_that("one", interrupt).run()
    said = capsys.readouterr().err.splitlines()
    # The router that is not there may be told of before it, in between or not at all.
    assert any("stopping: nothing runs" in line for line in said)
    assert '"event": "stopped"' in said[-1]


def test_one_signal_stops_all_agents_of_a_process_and_each_line_names_its_agent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended: list[str] = []
    two = agent_that("two", end=lambda: ended.append("two"))
    run(agent_that("one", stop, end=lambda: ended.append("one"), beside=(two,)), two)
    assert sorted(ended) == ["one", "two"]
    said = [line for line in capsys.readouterr().err.splitlines() if "stopping: nothing runs" in line]
    assert [name for line in sorted(said) for name in ("one", "two") if f'"agent": "{name}"' in line] == ["one", "two"]
    assert all("(Ctrl-C or SIGTERM again ends it at once)" in line for line in said)


def test_an_agent_that_cannot_run_ends_its_program_when_the_others_have_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = Agent("two", token="no-token")
    wrong.skill(greet)
    with pytest.raises(SystemExit) as caught:
        run(agent_that("one"), wrong)
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("two: AGENT_JWT_TOKEN does not have")


def test_a_program_without_agents_or_with_one_twice_is_told_so() -> None:
    with pytest.raises(ConfigurationError, match="no agent to run"):
        run()
    agent = agent_that("one")
    with pytest.raises(ConfigurationError, match="named twice"):
        run(agent, agent)
