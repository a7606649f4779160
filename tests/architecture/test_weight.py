"""An agent's machine loads the base dependencies alone: what the server needs is loaded when a command needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentic_atlas.protocol.caller.agents import AgentSummary
from tests.architecture.distributions import closure, top_level_modules
from tests.integration.client.client_server import KEY, Answer, in_order, serving
from tests.shown import answer

PRINT_MODULES = "\nimport json, sys\nprint('MODULES', json.dumps(sorted(sys.modules)))"
HELP = """
import sys
from agentic_atlas.__main__ import main
sys.argv = ["atlas", *{words}, "--help"]
try:
    main()
except SystemExit as end:
    assert end.code in (0, None)
"""


def loaded_by(program: str) -> set[str]:
    """Return the top-level modules a fresh interpreter has loaded after the program."""
    return {name.partition(".")[0] for name in modules_after(program)}


def modules_after(program: str) -> set[str]:
    """Return the modules a fresh interpreter has loaded after the program."""
    done = subprocess.run([sys.executable, "-c", program + PRINT_MODULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1].removeprefix("MODULES ")
    return set(json.loads(line))


@pytest.fixture(scope="module")
def server_only() -> set[str]:
    base, server = closure(), closure("server")
    return {*top_level_modules(server.keys() - base.keys()), "sqlite3"}


def test_the_server_has_dependencies_which_the_base_install_lacks(server_only: set[str]) -> None:
    assert {"alembic", "httptools", "jsonschema_rs", "jwt", "sqlalchemy"} <= server_only
    assert not {"certifi", "h11", "msgspec", "picows", "pydantic"} & server_only


TESTED = """
from agentic_atlas import Agent, Context
from agentic_atlas.testing import running

agent = Agent("hello")

@agent.skill
async def greet(ctx: Context, name: str) -> str:
    return f"{await ctx.ask('Which greeting?', str)}, {name}!"

with running(agent) as hello:
    task = hello.submit("greet", name="Ada", queue_ttl=60)
    task.answer("Hello")
    assert task.result() == "Hello, Ada!"
"""


@pytest.mark.parametrize(
    "program",
    [
        "import agentic_atlas, agentic_atlas.sdk",
        TESTED,
        "import agentic_atlas.cli",
        *(HELP.format(words=words) for words in ([], ["backup"], ["restore"])),
    ],
    ids=[
        "the SDK",
        "an agent under test",
        "the commands",
        "atlas --help",
        "atlas backup --help",
        "atlas restore --help",
    ],
)
def test_nothing_of_the_server_is_loaded_by(program: str, server_only: set[str]) -> None:
    assert loaded_by(program) & server_only == set()


AGENTS = """
import sys
from agentic_atlas.cli.app import run
assert run(["agents"]) == 0
"""
OF_OURS = {
    "backend.domain.names",
    "transport.addresses",
    "compose.sources",
    "protocol",
    "observe",
    "errors",
    "files",
    "_version",
}
"""What it loads of ours outside `cli` and the client; of folders, everything in them."""
OF_THE_SDK = {
    "address",
    "client",
    "credentials",
    "dotenv_file",
    "environment",
    "forms",
    "lines.settings",
    "misspelt",
    "private_file",
    "text",
}
OF_COMMANDS = {"app", "command", "agents", "shell", "streams", "connection", "completion", "options", "errors"} | {
    "output", "visible", "columns", "times", "interrupts"
}  # fmt: skip
OF_OTHERS = {"click", "h11", "msgspec", "typing_extensions"}


def test_a_command_that_asks_the_platform_loads_what_it_uses_and_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(in_order()) as server:
        server.answer = lambda asked: Answer({"items": [answer(AgentSummary, name="hello")], "next": None})
        monkeypatch.setenv("ATLAS_API_URL", server.url)
        monkeypatch.setenv("ATLAS_API_KEY", KEY)
        monkeypatch.setenv("HOME", str(tmp_path))
        modules = modules_after(AGENTS)
    allowed = OF_OURS | {f"sdk.{name}" for name in OF_THE_SDK} | {f"cli.{name}" for name in OF_COMMANDS}
    ours = {name.partition(".")[2] for name in modules if name.startswith("agentic_atlas.")}
    folders = {name.rpartition(".")[0] for name in ours} | {"backend"}
    assert {name for name in ours - folders if not any(f"{name}.".startswith(f"{one}.") for one in allowed)} == set()
    installed = set(top_level_modules(closure("server").keys()))
    assert {name.partition(".")[0] for name in modules} & installed - OF_OTHERS == set()
    # What is paid before anything is asked; 273 when this was written.
    assert len(modules) < 320
