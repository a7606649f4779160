from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agentic_atlas.cli.shell import OFFER, SCRIPTS
from tests.integration.cli.commands import atlas, complained, printed
from tests.integration.cli.platform_server import GREET, Platform


@pytest.mark.parametrize("shell", SCRIPTS)
def test_what_makes_a_shell_complete_asks_the_program(shell: str) -> None:
    assert f"atlas {OFFER} " in printed(atlas("completion", shell))


def test_a_shell_that_is_not_known_is_told_with_those_that_are() -> None:
    assert complained(atlas("completion", "bsh"), 2).startswith(
        "SHELL is one of bash, zsh, fish; `bsh` is not (did you"
    )


@pytest.mark.parametrize(
    ("words", "offered"),
    [(["agents", "sh"], ["show"]), (["call", "he"], ["hello"]), (["call", "hello", "greet", "na"], ["name="])],
)
def test_bash_offers_commands_agents_and_what_a_skill_takes(
    platform: Platform, at_home: Path, words: list[str], offered: list[str]
) -> None:
    platform.add_agent("hello", GREET)
    program = at_home / "atlas"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m agentic_atlas "$@"\n')
    program.chmod(0o755)
    typed = " ".join(map(shlex.quote, ["atlas", *words]))
    script = f"""{SCRIPTS["bash"]}
compopt() {{ :; }}
COMP_WORDS=({typed}); COMP_CWORD={len(words)}
PATH={at_home}:$PATH
_atlas
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == offered
