"""Declaring and starting an agent; what it does once connected is in the tests of runner and link."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas import Agent
from agentic_atlas.errors import ConfigurationError
from tests.unit.sdk.memory_wire import SECONDS

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
UNUSED = "ws://127.0.0.1:1/ws"


async def greet() -> str:
    return "hi"


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
        agent.skills["other"] = agent.skills["greet"]  # type: ignore[index]


def test_an_agent_without_skills_says_how_to_get_one(environ: None) -> None:
    with pytest.raises(ConfigurationError, match=r"@agent\.skill"):
        asyncio.run(Agent("idle").serve())


def test_an_agent_without_a_token_does_not_start_and_names_the_fix(
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
        asyncio.run(greeter(lifespan=lifespan).serve())
    assert not started


def test_a_stop_ends_an_agent_that_was_never_connected(environ: None) -> None:
    told: list[str] = []
    agent = Agent("greeter")

    @asynccontextmanager
    async def lifespan(served: Agent) -> AsyncIterator[None]:
        told.append("before")
        asyncio.get_running_loop().call_soon(served.stop)
        yield
        told.append("after")

    async def main() -> None:
        async with asyncio.timeout(SECONDS):
            await agent.serve()

    agent = greeter(lifespan=lifespan)
    asyncio.run(main())
    asyncio.run(main())
    assert told == ["before", "after", "before", "after"]


def test_a_stop_from_another_thread_before_the_connection_is_not_lost(environ: None) -> None:
    @asynccontextmanager
    async def lifespan(agent: Agent) -> AsyncIterator[None]:
        thread = threading.Thread(target=agent.stop)
        thread.start()
        thread.join()
        yield

    async def main() -> None:
        async with asyncio.timeout(SECONDS):
            await greeter(lifespan=lifespan).serve()

    asyncio.run(main())


def test_an_agent_is_served_once_at_a_time(environ: None) -> None:
    async def main() -> None:
        @asynccontextmanager
        async def lifespan(agent: Agent) -> AsyncIterator[None]:
            with pytest.raises(ConfigurationError, match="running already"):
                await agent.serve()
            agent.stop()
            yield

        async with asyncio.timeout(SECONDS):
            await greeter(lifespan=lifespan).serve()

    asyncio.run(main())


def test_an_error_of_the_lifespan_is_the_users_own(environ: None) -> None:
    @asynccontextmanager
    async def lifespan(_agent: Agent) -> AsyncIterator[None]:
        raise LookupError("no model")
        yield

    with pytest.raises(LookupError, match="no model"):
        asyncio.run(greeter(lifespan=lifespan).serve())


def test_cancelling_serve_ends_it(environ: None) -> None:
    async def main() -> None:
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

    asyncio.run(main())


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


def test_run_in_a_running_loop_names_what_to_call_instead() -> None:
    async def main() -> None:
        with pytest.raises(ConfigurationError, match=r"await agent\.serve\(\)"):
            greeter().run()

    asyncio.run(main())


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


def test_importing_agent_loads_nothing_that_only_a_connection_needs() -> None:
    later = {"structlog", "picows", "httpx", "uvloop", "rich"}
    code = f"import sys; from agentic_atlas import Agent; print(sorted({later} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
