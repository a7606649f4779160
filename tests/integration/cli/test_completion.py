from __future__ import annotations

import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

from agentic_atlas.cli.shell import ASKED, SHELLS
from tests.integration.cli.commands import Result, atlas, complained, printed
from tests.integration.cli.platform_server import GREET, Platform


@pytest.mark.parametrize("shell", SHELLS)
def test_what_makes_a_shell_complete_asks_the_program(shell: str) -> None:
    assert f"{ASKED}={shell}_complete" in printed(atlas("completion", shell))


def test_a_shell_that_is_not_known_is_told_with_those_that_are() -> None:
    assert "'bsh' is not one of 'bash', 'zsh', 'fish'" in complained(atlas("completion", "bsh"), 2)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["agents", "sho"], ["show"]),
        (["call", "he"], ["hello"]),
        (["run", "age"], ["-o", "default"]),
        (["call", "hello", "greet", "na"], ["-o", "nospace", "name="]),
    ],
)
def test_bash_offers_commands_agents_and_what_a_skill_takes(
    platform: Platform, at_home: Path, words: list[str], offered: list[str]
) -> None:
    platform.add_agent("hello", GREET)
    program = at_home / "atlas"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m agentic_atlas "$@"\n')
    program.chmod(0o755)
    typed = " ".join(map(shlex.quote, ["atlas", *words]))
    script = f"""{printed(atlas("completion", "bash"))}
compopt() {{ echo "$*"; }}
COMP_WORDS=({typed}); COMP_CWORD={len(words)}
PATH={at_home}:$PATH
_atlas_completion atlas
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == offered


def test_a_shell_is_told_nothing_of_a_command_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(name="a_package_of_the_server")

    module = types.ModuleType("agentic_atlas.cli.up")
    monkeypatch.setattr(module, "__getattr__", missing, raising=False)
    monkeypatch.setitem(sys.modules, "agentic_atlas.cli.up", module)
    assert complained(atlas("up"), 2).startswith("this command needs the server")
    for variable, value in {ASKED: "bash_complete", "COMP_WORDS": "atlas up --h", "COMP_CWORD": "2"}.items():
        monkeypatch.setenv(variable, value)
    assert atlas() == Result(0, "", "")
