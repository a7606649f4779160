from __future__ import annotations

import json
import subprocess
import sys
import types
from typing import Annotated

import pytest

from agentic_atlas._version import __version__
from agentic_atlas.cli.command.declared import Option
from agentic_atlas.cli.output import say
from agentic_atlas.errors import NotFound
from tests.integration.cli.commands import atlas, complained, printed

HEAVY = ("httpx", "pydantic", "rich", "msgspec", "asyncio", "picows", "structlog", "httptools", "sqlalchemy")
PROBE = f"""
import sys
sys.argv = ["atlas", "--help"]
from agentic_atlas.cli.app import main
try:
    main()
except SystemExit:
    print(",".join(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
"""

COMMANDS = [
    [], ["up"], ["demo"], ["init"], ["run"], ["call"], ["agents"], ["agents", "list"], ["agents", "show"],
    ["tokens"], ["tokens", "create"], ["tokens", "list"], ["tokens", "revoke"], ["tasks"], ["tasks", "list"],
    ["tasks", "show"], ["tasks", "cancel"], ["tasks", "watch"], ["tasks", "retry"], ["login"], ["logout"],
    ["whoami"], ["version"],
]  # fmt: skip


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60)
    assert "whoami" in done.stdout
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in (["up"], ["demo"])], ids=" ".join)
def test_every_command_has_help(command: list[str]) -> None:
    shown = printed(atlas(*command, "--help"))
    assert "Usage: atlas" in shown
    assert command in ([], ["agents"], ["tokens"], ["tasks"]) or "--json" in shown


def test_the_list_of_commands_is_complete() -> None:
    shown = printed(atlas("--help"))
    assert {command[0] for command in COMMANDS if command} <= set(shown.split())


@pytest.mark.parametrize("args", [["version"], ["--version"]])
def test_the_version_is_told(args: list[str]) -> None:
    assert printed(atlas(*args)) == f"agentic-atlas {__version__}\n"


def test_the_version_is_told_to_programs() -> None:
    assert json.loads(printed(atlas("version", "--json")))["version"] == __version__


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["zigzag"], "No such command 'zigzag' (see `atlas --help`)"),
        (["tasks", "lst"], "No such command 'lst'. Did you mean 'list'? (see `atlas tasks --help`)"),
        (["call", "hello"], "Missing argument 'SKILL' (see `atlas call --help`)"),
        (["tasks", "list", "--limit", "x"], "Invalid value for '--limit': 'x' is not a valid whole number (see"),
        (["agents", "--jso"], "No such option '--jso'. (Did you mean one of: '--iso', '--json'?) (see"),
        (["--verson"], "No such option '--verson'. Did you mean '--version'? (see `atlas --help`)"),
        (["tokens", "revoke", "k", "--loud"], "No such option '--loud' (see `atlas tokens revoke --help`)"),
        (["version", "--json=x"], "Option '--json' does not take a value (see `atlas version --help`)"),
        (["logout", "a", "b"], "Got unexpected extra argument (b) (see `atlas logout --help`)"),
        (["platforms", "forget"], "name a platform, or say --dead (see `atlas platforms forget --help`)"),
    ],
)
def test_what_is_typed_wrongly_is_one_sentence_and_exit_code_2(args: list[str], sentence: str) -> None:
    assert complained(atlas(*args), 2).startswith(sentence)
    told = json.loads(complained(atlas(*args, "--json"), 2))["error"]
    assert told["code"] == "usage"
    assert told["message"].startswith(sentence)


def test_an_option_of_many_commands_that_is_put_before_one_is_told_to_follow_it() -> None:
    told = json.loads(complained(atlas("--json", "agents"), 2))["error"]["message"]
    assert told == "--json follows the command, as in `atlas agents list --json` (see `atlas --help`)"
    assert complained(atlas("--utc", "tasks"), 2).startswith("--utc follows the command")


def test_no_command_shows_the_help() -> None:
    assert "Commands:" in complained(atlas(), 2)


def test_without_a_key_every_command_says_how_to_get_one() -> None:
    assert "no network is known here: start one with `atlas up`" in complained(atlas("whoami"), 2)


def test_a_bug_is_a_sentence_too_and_shows_where_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise KeyError("lost")

    monkeypatch.setattr("agentic_atlas.cli.account.connection.connect", broken)
    assert "KeyError: 'lost'" in complained(atlas("whoami"))
    with pytest.raises(KeyError):
        atlas("--traceback", "whoami")


def deferred(monkeypatch: pytest.MonkeyPatch, **module: object) -> None:
    place = types.ModuleType("agentic_atlas.cli.up")
    place.__dict__.update(module)
    monkeypatch.setitem(sys.modules, "agentic_atlas.cli.up", place)


def test_a_deferred_command_reads_its_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    def up(http_port: Annotated[int, Option()] = 8000, host: Annotated[str, Option()] = "127.0.0.1") -> None:
        """Start it."""
        say(f"{host}:{http_port}")

    deferred(monkeypatch, up=up)
    assert printed(atlas("up", "--http-port", "80", "--host", "::1")) == "::1:80\n"
    assert "Start it." in printed(atlas("up", "--help"))
    told = complained(atlas("up", "--http-prot", "80"), 2)
    assert told == "No such option '--http-prot'. Did you mean '--http-port'? (see `atlas up --help`)"


def test_a_deferred_command_fails_as_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def up() -> None:
        raise NotFound("No data folder.")

    deferred(monkeypatch, up=up)
    assert complained(atlas("up")) == "No data folder."


def test_without_the_server_installed_its_commands_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def up() -> None:
        __import__("not_installed_server_package")

    deferred(monkeypatch, up=up)
    told = complained(atlas("up"), 2)
    assert told.startswith('this command needs the server: pip install "agentic-atlas[server]"')
    assert "not_installed_server_package" in told
