from __future__ import annotations

import ast
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agentic_atlas.cli.init import FILES
from agentic_atlas.sdk.environment import client_settings
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import Platform
from tests.integration.client.client_server import error


def test_a_new_agent_has_its_token_and_needs_nothing_more(platform: Platform, at_home: Path) -> None:
    shown = printed(atlas("init", "hello"))
    folder = at_home / "hello"
    assert {path.name for path in folder.iterdir()} == {*FILES, ".env"}
    assert (folder / ".env").read_text().splitlines() == [
        "AGENT_JWT_TOKEN=eyJ.a-b_c.d",
        "ROUTER_WS_URL=ws://127.0.0.1:8080/ws",
        f"BACKEND_API_BASE_URL={platform.server.url}",
    ]
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert "hello" in platform.agents
    assert "eyJ" not in shown
    assert [line.strip() for line in shown.splitlines()[-3:]] == [
        "cd hello",
        "python agent.py",
        "atlas call hello greet name=Ada    (in another terminal)",
    ]


def test_the_files_name_the_agent_and_keep_the_token_out_of_git(platform: Platform, at_home: Path) -> None:
    printed(atlas("init", "my-agent", "--folder", "deep/down"))
    folder = at_home / "deep" / "down"
    tree = ast.parse((folder / "agent.py").read_text())
    assert "my-agent" in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert ".env" in (folder / ".gitignore").read_text().splitlines()
    assert "AGENT_JWT_TOKEN=\n" in (folder / ".env.example").read_text()
    assert "my-agent" in (folder / "README.md").read_text()
    for name in FILES:
        assert "$name" not in (folder / name).read_text()
        assert "eyJ" not in (folder / name).read_text()


def test_the_test_of_a_new_agent_passes(at_home: Path) -> None:
    printed(atlas("init", "my-agent"))
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command,
        cwd=at_home / "my-agent",
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_an_agent_that_is_there_already_gets_another_token(platform: Platform) -> None:
    platform.add_agent("hello")
    assert "on the platform already" in printed(atlas("init", "hello"))


def test_who_may_make_no_agent_is_told_that_the_token_has_to_wait(platform: Platform) -> None:
    platform.refuses = error(403, "forbidden", "viewers make no agents: an administrator gives roles")
    shown = printed(atlas("init", "hello"))
    assert "It has no token yet: viewers make no agents" in shown
    assert "  atlas tokens create hello --create-agent --env .env    (once you may)\n" in shown


def test_without_a_platform_everything_is_there_but_the_token(at_home: Path) -> None:
    shown = printed(atlas("init", "hello"))
    assert "It has no token yet:" in shown
    assert "atlas tokens create hello --create-agent --env .env" in shown
    assert (
        (at_home / "hello" / ".env").read_text().startswith("AGENT_JWT_TOKEN=\nROUTER_WS_URL=ws://localhost:8080/ws\n")
    )
    told = json.loads(printed(atlas("init", "other", "--json")))
    assert (told["agent"], told["folder"], told["token"]) == ("other", "other", False)


def test_a_platform_that_refuses_leaves_a_folder_and_the_reason(platform: Platform) -> None:
    platform.refuses = error(403, "forbidden", "you may not make agents")
    assert "It has no token yet: you may not make agents" in printed(atlas("init", "hello"))


def test_a_folder_with_something_in_it_is_left_alone(platform: Platform, at_home: Path) -> None:
    (at_home / "hello").mkdir()
    (at_home / "hello" / "thesis.txt").write_text("precious")
    assert "not empty" in complained(atlas("init", "hello"), 2)
    assert [path.name for path in (at_home / "hello").iterdir()] == ["thesis.txt"]
    (at_home / "file").write_text("")
    assert "not empty" in complained(atlas("init", "other", "--folder", "file"), 2)
    (at_home / "hello" / "agent.py").write_text("")
    assert "has an agent: go on with `cd hello` and `python agent.py`" in complained(atlas("init", "hello"), 2)
    assert platform.server.asked == []


@pytest.mark.parametrize("name", ["Hello", "a b", "-a-", "a/b", "../x", "é", "x" * 65, '"', "a\nb"])
def test_a_name_no_agent_can_have_is_refused(at_home: Path, name: str) -> None:
    assert "cannot be an agent's name" in complained(atlas("init", "--", name), 2)
    assert list(at_home.iterdir()) == []


def test_an_agent_that_is_made_in_this_very_folder_leads_nowhere_else(platform: Platform, at_home: Path) -> None:
    shown = printed(atlas("init", "hello", "--folder", "."))
    assert shown.startswith(f"Made {at_home} for the new agent")
    assert "cd " not in shown
    assert "cd 'a b'" in printed(atlas("init", "other", "--folder", "a b"))


def test_the_address_of_the_settings_is_the_one_in_the_env_file(platform: Platform, at_home: Path) -> None:
    printed(atlas("init", "hello"))
    assert f"BACKEND_API_BASE_URL={client_settings().url}" in (at_home / "hello" / ".env").read_text()
