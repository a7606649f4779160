"""What the README tells a new user, done as it tells it."""

import json
import stat
from pathlib import Path

from tests.e2e.processes import Platform, Process, connected, python


def test_init_run_and_call_work_as_the_readme_says(platform: Platform, tmp_path: Path) -> None:
    platform.atlas("init", "hello", folder=tmp_path)
    folder = tmp_path / "hello"
    assert {path.name for path in folder.iterdir()} >= {".env", ".env.example", ".gitignore", "README.md", "agent.py"}
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert ".env" in (folder / ".gitignore").read_text().split()
    agent = Process(*python("agent.py"), folder=folder, environ=platform.environ)
    try:
        agent.wait_for(connected)
        assert platform.atlas("call", "hello", "greet", "name=Ada").strip() == "Hello, Ada!"
        listed = json.loads(platform.atlas("agents", "--json"))
        assert [(found["name"], found["status"]) for found in listed["items"]] == [("hello", "online")]
    finally:
        assert agent.stop() == 0


def test_the_agents_token_and_the_api_key_are_nowhere_in_the_clear(platform: Platform, tmp_path: Path) -> None:
    platform.atlas("init", "hello", folder=tmp_path)
    token = (tmp_path / "hello" / ".env").read_text().partition("AGENT_JWT_TOKEN=")[2].split()[0]
    agent = Process(*python("agent.py"), folder=tmp_path / "hello", environ=platform.environ)
    try:
        agent.wait_for(connected)
        platform.atlas("call", "hello", "greet", "name=Ada")
        command_line = Path(f"/proc/{agent.pid}/cmdline").read_text()
    finally:
        agent.stop()
    platform.stop()
    assert platform.process is not None
    stored = b"".join(path.read_bytes() for path in (platform.folder / "data").rglob("*.sqlite3*"))
    key = platform.api_key
    for secret in (token, key):
        assert secret.encode() not in stored
        assert secret not in platform.process.output + agent.output + command_line
