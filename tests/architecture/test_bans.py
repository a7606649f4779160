"""Rules which imports cannot express: each banned line, alone in a file of the package, is reported by ruff."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAD = '"""Sample."""\n\n'

BANNED = {
    "import time\n\nNOW = time.time()": "TID251",
    "from time import time\n\nNOW = time()": "TID251",
    "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)": "TID251",
    "from uuid import uuid4\n\nID = uuid4()": "TID251",
    "import os\n\nHOME = os.environ['HOME']": "TID251",
    "import os\n\nHOME = os.getenv('HOME')": "TID251",
    "import asyncio\n\nTASK = asyncio.create_task(x())": "TID251",
    "import asyncio\n\nTASKS = asyncio.gather(x())": "TID251",
    "from . import errors\n\nE = errors": "TID252",
    "try:\n    X = 1\nexcept Exception:\n    X = 2": "BLE001",
    "raise Exception('no')": "TRY002",
    "def f(x):\n    return x": "ANN001",
    "def _f(x: bool) -> bool:\n    return x\n\n\n_f(True)": "FBT001",
    "def _f(a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, i: int) -> None: ...": "PLR0913",
    "import logging\n\nlogging.warning(f'{1}')": "G004",
    "from datetime import datetime\n\nNOW = datetime.fromtimestamp(0)": "DTZ006",
    "print('hello')": "T201",
    "# x = f(1)": "ERA001",
    "def f() -> None:\n    return None": "D103",
    "async def _f() -> None:\n    open('x')": "ASYNC230",
    "def _f(n: int) -> int:\n"
    + "".join(f"    if n == {n}:\n        n += 1\n" for n in range(9))
    + "    return n": "C901",
}


def findings(text: str, filename: str) -> set[str]:
    """Return the codes ruff reports for text as if it were that file of the repository."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--output-format=json",
        "--stdin-filename",
        filename,
    ]
    done = subprocess.run([*command, "-"], input=text, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode in (0, 1), done.stderr
    return {finding["code"] for finding in json.loads(done.stdout)}


@pytest.mark.parametrize(("line", "code"), BANNED.items(), ids=[*BANNED.values()])
def test_a_banned_line_is_reported(line: str, code: str) -> None:
    assert code in findings(f"{HEAD}{line}\n", "src/agentic_atlas/sdk/sample.py")


@pytest.mark.parametrize(("reader", "may"), [("sdk/environment.py", True), ("settings.py", False)])
def test_one_module_reads_the_environment(reader: str, may: bool) -> None:
    text = f"{HEAD}import os\n\nHOME = os.environ['HOME']\n"
    assert ("TID251" not in findings(text, f"src/agentic_atlas/{reader}")) is may


def test_an_ordinary_module_passes() -> None:
    text = f'{HEAD}\ndef double(x: int) -> int:\n    """Return twice x."""\n    return 2 * x\n'
    assert findings(text, "src/agentic_atlas/sdk/sample.py") == set()


def test_what_went_wrong_is_told_in_commands_and_not_in_routes() -> None:
    route = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) /[a-z]")
    package = ROOT / "src/agentic_atlas"
    told = [
        text.value
        for file in package.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(call, ast.Call)
        for text in ast.walk(call)
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    ]
    assert any("`atlas users` lists them" in text for text in told)
    assert [text for text in told if route.search(text)] == []
