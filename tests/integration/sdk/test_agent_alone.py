"""Declaring and starting an agent; what it does once connected is in the tests of runner and link."""

import asyncio
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas import Agent
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.agent import skills_of
from tests.integration.sdk.dialogues import begun
from tests.unit.sdk.memory_wire import SECONDS

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
UNUSED = "ws://127.0.0.1:1/ws"


async def greet() -> str:
    return "hi"


async def other() -> None: ...


def greeter(**options: Any) -> Agent:
    agent = Agent("greeter", **options)
    agent.skill(greet)
    return agent


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An agent with a token, and a router that nobody listens at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENT_JWT_TOKEN", TOKEN)
    monkeypatch.setenv("ROUTER_WS_URL", UNUSED)


@pytest.mark.parametrize("name", ["a", "translator", "my-agent_2", "0x", "a" * 64])
def test_an_agent_has_a_name_that_can_stand_in_an_address(name: str) -> None:
    assert Agent(name).name == name


@pytest.mark.parametrize("name", ["", "Translator", "two words", "-a", "a-", "a" * 65, "größe", "a/b", "a\n"])
def test_another_name_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(ConfigurationError, match="lower-case letters"):
        Agent(name)


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"concurrency": 1_001},
        {"concurrency": "many"},
        {"description": "x" * 20_000},
        {"labels": {"a": 1}},
        {"labels": {str(number): "x" for number in range(65)}},
    ],
)
def test_a_declaration_the_router_would_refuse_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="greeter"):
        Agent("greeter", **options)


def test_declared_skills_can_be_seen_and_not_changed() -> None:
    agent = greeter()
    assert list(agent.skills) == ["greet"]
    with pytest.raises(TypeError):
        skills_of(agent)["other"] = skills_of(agent)["greet"]  # type: ignore[index]


async def test_an_agent_without_skills_says_how_to_get_one(environ: None) -> None:
    with pytest.raises(ConfigurationError, match=r"@agent\.skill"):
        await Agent("idle").serve()


async def test_an_agent_that_declares_more_than_a_greeting_has_room_for_is_told_so_before_it_connects(
    environ: None,
) -> None:
    agent = Agent("talkative")
    for number in range(60):
        agent.skill(name=f"skill_{number}", description="x" * 16_000)(greet)
    with pytest.raises(ConfigurationError, match="shorten the descriptions"):
        await agent.serve()


async def test_an_agent_without_a_token_does_not_start_and_names_the_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENT_JWT_TOKEN", raising=False)
    started: list[str] = []

    @asynccontextmanager
    async def lifespan(_agent: Agent) -> AsyncIterator[None]:
        started.append("lifespan")
        yield

    with pytest.raises(ConfigurationError, match="AGENT_JWT_TOKEN"):
        await greeter(lifespan=lifespan).serve()
    assert not started


async def test_a_stop_ends_an_agent_that_was_never_connected(environ: None) -> None:
    told: list[str] = []
    agent = Agent("greeter")

    @asynccontextmanager
    async def lifespan(served: Agent) -> AsyncIterator[None]:
        told.append("before")
        asyncio.get_running_loop().call_soon(served.stop)
        yield
        told.append("after")

    agent = greeter(lifespan=lifespan)
    for _ in range(2):
        async with asyncio.timeout(SECONDS):
            await agent.serve()
    assert told == ["before", "after", "before", "after"]


async def test_a_stop_from_another_thread_before_the_connection_is_not_lost(environ: None) -> None:
    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        thread = threading.Thread(target=agent.stop)
        thread.start()
        thread.join()
        yield

    async with asyncio.timeout(SECONDS):
        await greeter(lifespan=lifespan).serve()


async def test_an_agent_is_served_once_at_a_time(environ: None) -> None:
    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        with pytest.raises(ConfigurationError, match="running already"):
            await agent.serve()
        agent.stop()
        yield

    async with asyncio.timeout(SECONDS):
        await greeter(lifespan=lifespan).serve()


async def test_a_stop_while_the_lifespan_begins_ends_it_there_and_runs_its_clean_up(environ: None) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        threading.Thread(target=agent.stop).start()
        try:
            await asyncio.Event().wait()
        finally:
            told.append("cleaned up")
        yield

    async with asyncio.timeout(SECONDS):
        await greeter(lifespan=lifespan).serve()
        me = asyncio.current_task()
        assert me is not None
        assert me.cancelling() == 0
    assert told == ["cleaned up"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
async def test_a_stop_while_the_env_file_is_waited_for_ends_the_agent(environ: None, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    agent = greeter(env_file=pipe)

    # Somebody has opened it and writes nothing.
    writer = os.open(pipe, os.O_RDWR)
    try:
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            serving = group.create_task(agent.serve())
            while agent._loop is None:  # noqa: ASYNC110 - it tells nobody that it has begun
                await asyncio.sleep(0)
            agent.stop()
            await serving
        assert agent._loop is None
    finally:
        os.close(writer)


async def test_a_timeout_of_the_lifespans_own_is_the_users_error(environ: None) -> None:
    @asynccontextmanager
    async def lifespan(_agent: Agent) -> AsyncIterator[None]:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
        yield

    with pytest.raises(TimeoutError):
        await greeter(lifespan=lifespan).serve()


async def test_an_error_at_the_end_of_the_lifespan_is_the_users_own(environ: None) -> None:
    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        agent.stop()
        yield
        raise LookupError("cannot save the model")

    with pytest.raises(LookupError, match="cannot save"):
        await greeter(lifespan=lifespan).serve()


async def test_an_error_of_the_lifespan_is_the_users_own(environ: None) -> None:
    @asynccontextmanager
    async def lifespan(_agent: Agent) -> AsyncIterator[None]:
        raise LookupError("no model")
        yield

    with pytest.raises(LookupError, match="no model"):
        await greeter(lifespan=lifespan).serve()


async def test_a_cell_that_is_run_again_replaces_its_skill() -> None:
    agent = greeter()
    cell = compile("async def greet() -> str:\n    return 'hello'\n", "<cell 2>", "exec")
    names: dict[str, Any] = {"__name__": greet.__module__}
    exec(cell, names)
    agent.skill(names["greet"])
    assert (await skills_of(agent)["greet"].function()) == "hello"
    with pytest.raises(ConfigurationError, match="two skills with the name greet"):
        agent.skill(name="greet")(other)


async def test_a_skill_that_the_network_would_not_learn_of_is_refused_while_the_agent_runs(environ: None) -> None:
    agent = greeter()
    refused: list[str] = []

    async def late() -> None: ...

    async def again(name: str) -> str:
        return name

    again.__name__, again.__qualname__ = greet.__name__, greet.__qualname__
    again.__code__ = again.__code__.replace(co_filename="<cell 2>")

    def declare_late() -> None:
        for function in (late, again):
            with pytest.raises(ConfigurationError) as caught:
                agent.skill(function)
            refused.append(caught.value.message)
        agent.skill(greet)
        agent.stop()

    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        group.create_task(agent.serve())
        await begun(agent)
        declare_late()
    fix = "stop the agent, declare it, and start the agent again"
    assert refused == [
        f"the agent greeter is running, and the skill late is new: {fix}",
        f"the agent greeter is running, and the skill greet is declared otherwise than the network knows it: {fix}",
    ]


def test_what_an_agent_is_told_in_python_counts_before_its_environment_and_is_shown_nowhere(
    environ: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AGENT_JWT_TOKEN", "not.this.one")
    (tmp_path / "its.env").write_text("ATLAS_LOG_LEVEL=error\n")
    agent = greeter(token=TOKEN, router_url="ws://localhost:1/ws", env_file=tmp_path / "its.env")
    settings = agent._given.settings()
    assert (settings.token, settings.router_url, settings.log_level) == (TOKEN, "ws://localhost:1/ws", "error")
    assert not settings.token_from_file
    for shown in (repr(agent), repr(agent._given), repr(settings), str(vars(agent))):
        assert TOKEN not in shown


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"env_file": "nowhere.env"}, "nowhere.env"),
        ({"router_url": "https://example.org/ws"}, "ROUTER_WS_URL does not begin with"),
        ({"token": "no-token"}, "AGENT_JWT_TOKEN does not have the three parts"),
    ],
)
async def test_what_cannot_be_used_of_it_is_refused_with_the_fix(
    environ: None, options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        await greeter(**options).serve()


def test_each_agent_reads_the_env_file_beside_the_file_that_declares_it(
    environ: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AGENT_JWT_TOKEN")
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / ".env").write_text(f"AGENT_JWT_TOKEN={name}.token.here\n")
        file = folder / "agent.py"
        file.write_text(f"from agentic_atlas import Agent\nagent = Agent({name!r})\n")
        found.append(runpy.run_path(str(file))["agent"]._given.settings().token)
    assert found == ["one.token.here", "two.token.here"]


async def test_two_agents_of_a_process_cannot_have_one_token(environ: None) -> None:
    first, second = greeter(), Agent("other")
    second.skill(greet)

    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        group.create_task(first.serve())
        await begun(first)
        await asyncio.sleep(0)
        try:
            with pytest.raises(ConfigurationError, match="the agents greeter and other have the same token"):
                await second.serve()
            with pytest.raises(ConfigurationError, match="the agent greeter is running in this process already"):
                await greeter().serve()
        finally:
            first.stop()


async def test_cancelling_serve_ends_it(environ: None) -> None:
    entered = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_agent: Agent) -> AsyncIterator[None]:
        entered.set()
        yield

    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        serving = group.create_task(greeter(lifespan=lifespan).serve())
        await entered.wait()
        serving.cancel()
    assert serving.cancelled()


def test_run_ends_with_one_sentence_and_code_2_when_it_cannot_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENT_JWT_TOKEN", "no-token")
    with pytest.raises(SystemExit) as caught:
        greeter().run()
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("AGENT_JWT_TOKEN ")


def test_run_returns_after_a_signal(environ: None, capsys: pytest.CaptureFixture[str]) -> None:
    @asynccontextmanager
    async def lifespan(_agent: Agent) -> AsyncIterator[None]:
        signal.raise_signal(signal.SIGTERM)
        yield

    greeter(lifespan=lifespan).run()
    assert "Traceback" not in capsys.readouterr().err


async def test_run_in_a_running_loop_names_what_to_call_instead() -> None:
    with pytest.raises(ConfigurationError, match=r"await agent\.serve\(\)"):
        greeter().run()


AGENT = """
import sys
from agentic_atlas import Agent, Context
agent = Agent("greeter")

@agent.skill
async def greet() -> str:
    return "hi"

if __name__ == "__main__":
    agent.run()
"""


def started(folder: Path, **environ: str) -> subprocess.Popen[str]:
    (folder / "agent.py").write_text(AGENT)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "AGENT_"))}
    return subprocess.Popen(
        [sys.executable, "agent.py"],
        cwd=folder,
        env={**kept, "AGENT_JWT_TOKEN": TOKEN, "ROUTER_WS_URL": UNUSED, "ATLAS_LOG_FORMAT": "json", **environ},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_process_whose_router_is_not_there_keeps_trying_and_says_what_to_check_until_it_is_stopped(
    tmp_path: Path,
) -> None:
    with started(tmp_path) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert UNUSED in line
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert "Traceback" not in process.stderr.read()


DECLARED_WRONGLY = """
from agentic_atlas import Agent
agent = Agent("broken")

@agent.skill
def double(number):
    return 2 * number

agent.run()
"""


def test_an_agent_that_is_declared_wrongly_says_so_in_a_sentence_and_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(DECLARED_WRONGLY)
    done = subprocess.run([sys.executable, "agent.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{tmp_path}/agent.py:5: skill double: ")


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are inherited otherwise there")
def test_an_agent_without_standard_streams_runs_and_stops(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT.replace("agent.run()", "print('here', flush=True)\n    agent.run()"))
    # Nobody can read what it says; that it was asked to stop and did shows that it ran.
    code = "import os, sys; os.closerange(0, 3); os.execv(sys.executable, [sys.executable, 'agent.py'])"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "AGENT_"))}
    spool = tmp_path / "spool"
    environ = {**kept, "AGENT_JWT_TOKEN": TOKEN, "ROUTER_WS_URL": UNUSED, "ATLAS_SPOOL": str(spool)}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environ) as process:
        deadline = time.monotonic() + SECONDS
        while not spool.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


def test_importing_agent_loads_nothing_that_only_a_connection_needs() -> None:
    later = {"structlog", "picows", "httpx", "uvloop", "rich"}
    code = f"import sys; from agentic_atlas import Agent; print(sorted({later} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
