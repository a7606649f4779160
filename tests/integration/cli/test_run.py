from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.integration.cli.commands import atlas, complained, printed

RUNS = """
import sys
from sibling import WORD

class Thing:
    def run(self):
        print(WORD, __name__, sys.argv[1:], sys.path[0] == FOLDER)

if __name__ == "__main__":
    import os
    FOLDER = os.path.dirname(os.path.abspath(__file__))
    Thing().run()
"""


@pytest.fixture(autouse=True)
def process_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what running a file changes in the process."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "sibling", raising=False)


def test_a_file_runs_as_python_would_run_it(at_home: Path) -> None:
    (at_home / "deep").mkdir()
    (at_home / "deep" / "agent.py").write_text(RUNS)
    (at_home / "deep" / "sibling.py").write_text("WORD = 'hi'\n")
    assert printed(atlas("run", "deep/agent.py", "x", "--", "--port", "1")) == "hi __main__ ['x', '--port', '1'] True\n"


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("--reload", "hot reload comes in a later release; until then: watchfiles 'python agent.py'"),
        ("--relaod", "what is for agent.py itself follows --: atlas run agent.py -- --relaod"),
        ("-v", "what is for agent.py itself follows --: atlas run agent.py -- -v"),
    ],
)
def test_an_option_after_the_file_that_nobody_knows_is_refused(at_home: Path, option: str, hint: str) -> None:
    (at_home / "agent.py").write_text("raise SystemExit('it must not run')\n")
    assert f"no such option: {option} ({hint})" in complained(atlas("run", "agent.py", option), 2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\n", "agent.py has no agent in it: `atlas init NAME` makes one to begin with"),
        ("def f(:\n", "agent.py, line 1: invalid syntax"),
        (
            "from agentic_atlas import Agent\nmine = Agent('hello')\n",
            'agent.py declares an agent but never runs it: end it with `if __name__ == "__main__": mine.run()`',
        ),
    ],
)
def test_a_file_that_runs_no_agent_is_told_what_it_lacks(at_home: Path, text: str, sentence: str) -> None:
    (at_home / "agent.py").write_text(text)
    assert complained(atlas("run", "agent.py"), 2) == sentence


def test_a_file_that_runs_several_agents_runs_them(at_home: Path) -> None:
    (at_home / "agent.py").write_text("def run(*agents):\n    print(len(agents))\n\nrun(1, 2)\n")
    assert printed(atlas("run", "agent.py")) == "2\n"


def test_a_file_that_is_not_there_is_told(at_home: Path) -> None:
    assert complained(atlas("run", "agent.py"), 2) == "there is no file agent.py here"
    assert "is a folder" in complained(atlas("run", "."), 2)
    assert json.loads(complained(atlas("run", "--json", "agent.py"), 2))["error"]["code"] == "configuration"


def test_an_error_in_the_file_is_shown_as_python_shows_it_and_nothing_of_ours(at_home: Path) -> None:
    (at_home / "agent.py").write_text("def f():\n    return 1 / 0\n\nf().run()\n")
    result = atlas("run", "agent.py")
    assert result.exit_code == 1
    assert "line 4" in result.stderr
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "runpy" not in result.stderr
    assert "agentic_atlas" not in result.stderr


def test_the_exit_code_of_the_file_is_that_of_the_command(at_home: Path) -> None:
    (at_home / "agent.py").write_text("import sys\nsys.exit(7)\n")
    assert atlas("run", "agent.py").exit_code == 7


def test_an_agent_without_a_token_says_where_to_get_one(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENT_JWT_TOKEN", raising=False)
    skill = "@agent.skill\ndef greet(name: str) -> str:\n    return name\n"
    (at_home / "agent.py").write_text(f"from agentic_atlas import Agent\nagent = Agent('hello')\n{skill}agent.run()\n")
    assert "atlas tokens create" in complained(atlas("run", "agent.py"), 2)
