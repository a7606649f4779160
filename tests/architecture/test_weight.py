"""An agent's machine loads the base dependencies alone: what the server needs is loaded when a command needs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.architecture.distributions import closure, top_level_modules

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
    done = subprocess.run([sys.executable, "-c", program + PRINT_MODULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1].removeprefix("MODULES ")
    return {name.partition(".")[0] for name in json.loads(line)}


@pytest.fixture(scope="module")
def server_only() -> set[str]:
    base, server = closure(), closure("server")
    return {*top_level_modules(server.keys() - base.keys()), "sqlite3"}


def test_the_server_has_dependencies_which_the_base_install_lacks(server_only: set[str]) -> None:
    assert {"alembic", "fastapi", "jsonschema_rs", "jwt", "sqlalchemy", "uvicorn"} <= server_only
    assert not {"httpx", "msgspec", "picows", "pydantic"} & server_only


@pytest.mark.parametrize(
    "program",
    [
        "import agentic_atlas, agentic_atlas.sdk",
        "import agentic_atlas.cli",
        *(HELP.format(words=words) for words in ([], ["backup"], ["restore"])),
    ],
    ids=["the SDK", "the commands", "atlas --help", "atlas backup --help", "atlas restore --help"],
)
def test_nothing_of_the_server_is_loaded_by(program: str, server_only: set[str]) -> None:
    assert loaded_by(program) & server_only == set()
