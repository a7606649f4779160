"""`atlas demo` over a folder of one's own, with message tracing, and whatever of it could show what is secret."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from dotenv import dotenv_values

from agentic_atlas.cli.demo.stage import AGENTS
from agentic_atlas.sdk import credentials
from tests.e2e.processes import Process, python
from tests.security.lives import PAYLOAD, Life, Person, seen_of, signing_key

PATIENCE = 120.0
DOCUMENT = f"# Harvest\n\nThe quinces of {PAYLOAD} are picked in the second week of October.\n"
QUESTION = f"When are the quinces of {PAYLOAD} picked?"


@contextmanager
def demonstrated(folder: Path) -> Iterator[Life]:
    """Have the demo tell all it has to tell, and be asked one question more; it has ended when the block begins."""
    (folder / "documents").mkdir()
    (folder / "temporary").mkdir()
    (folder / "documents" / f"harvest_{PAYLOAD}.md").write_text(DOCUMENT)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ATLAS_", "AGENT_"))}
    environ |= {
        "HOME": str(folder),
        "TMPDIR": str(folder / "temporary"),
        "ATLAS_LOG_LEVEL": "trace",
        "PYTHONUNBUFFERED": "1",
    }
    words = "demo", str(folder / "documents")
    run = Process(*python("-m", "agentic_atlas", *words), folder=folder, environ=environ, asks=True)
    try:
        run.wait_for("Ask a question of your own", PATIENCE)
        run.types(QUESTION)
        run.wait_for(lambda line: QUESTION in line and "ms)" in line)
        (place,) = (folder / "temporary").glob("atlas-demo-*")
        life = _looked_at(run, place, folder / "kept")
        _typed(life, place, environ)
        run.types("")
        assert run.wait() == 0, run.output
    finally:
        run.kill()
    assert not place.exists()
    logs = {path.stem: path.read_text() for path in life.folder.glob("*.log")}
    assert set(logs) == {"platform", *AGENTS}
    life.server = logs.pop("platform")
    life.agent = "".join(logs.values())
    # What it tells is what was asked, and what is known: no secret, but payloads by its purpose.
    life.answers.append(run.output)
    yield life


def _looked_at(run: Process, place: Path, kept: Path) -> Life:
    """Return all that is to be seen while it is up; its files are kept as links, and so is what it writes to them."""
    life = Life(kept)
    (url, key), *others = credentials.read(place / "config" / "agentic-atlas" / "credentials.json").platforms.items()
    assert not others
    life.secrets["key of the administrator"] = key.api_key
    life.secrets["signing key"] = signing_key(place / "data")
    life.secrets |= {
        f"token of {name}": str(dotenv_values(place / name / ".env")["AGENT_JWT_TOKEN"]) for name in AGENTS
    }
    life.kept = {"config/agentic-atlas/credentials.json": {"key of the administrator"}}
    life.kept |= {f"{name}/.env": {f"token of {name}"} for name in AGENTS}
    for process in [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]:
        life.shown[f"{process.name()} {process.pid}"] = seen_of(process.pid)
    with Person(life, url, Authorization=f"Bearer {key.api_key}") as admin:
        for name in ("whoami", "agents", "audit", "users", "statistics"):
            admin.asks("GET", f"/api/v1/{name}", status=200)
        for task in admin.asks("GET", "/api/v1/tasks", status=200)["items"]:
            admin.asks("GET", f"/api/v1/tasks/{task['id']}", status=200)
    for path in sorted(place.rglob("*")):
        # The database's are put into it when it ends.
        if path.is_file() and not path.name.endswith(("-wal", "-shm")):
            (kept / path.relative_to(place)).parent.mkdir(parents=True, exist_ok=True)
            (kept / path.relative_to(place)).hardlink_to(path)
    return life


def _typed(life: Life, place: Path, environ: dict[str, str]) -> None:
    """Look at it as people do who have the demo in one terminal and another one beside it."""
    environ = environ | {"XDG_CONFIG_HOME": str(place / "config")}
    for words in ("agents", "agents show research", "tokens list research", "keys list", "tasks list", "audit list"):
        command = python("-m", "agentic_atlas", *words.split())
        life.typed += subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
