"""The agent on a real network, asked as its users ask it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas import Client
from agentic_atlas.errors import InvalidInput, TaskError
from tests.e2e.processes import Platform, Process, connected, python

HERE = Path(__file__).resolve().parent.parent
TOKEN = "e30.e30.e30"  # noqa: S105 - has the parts of a token, and nobody asks whether it is one


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    running = Platform(tmp_path / "network")
    running.start()
    yield running
    running.kill()


def started(platform: Platform, **settings: str) -> Process:
    token = {"AGENT_JWT_TOKEN": platform.token("system_report")}
    return Process(*python("agent.py"), folder=HERE, environ=platform.environ | token | settings)


def test_the_machine_is_reported_to_a_caller(platform: Platform) -> None:
    agent = started(platform)
    try:
        agent.wait_for(connected)
        with Client(platform.url, api_key=platform.api_key) as client:
            told = client.call("system_report", "overview")
            assert told["cores"] == os.cpu_count()
            assert told["memory"]["total_bytes"] > 0
            assert any(disk["path"] == "/" for disk in told["disks"])
            assert "memory" in client.call("system_report", "health")["checked"]
            listed = client.call("system_report", "processes", sort_by="memory", limit=5)
            sizes = [one["memory_bytes"] for one in listed["processes"]]
            assert len(sizes) == 5 and sizes == sorted(sizes, reverse=True)
            assert all(one["command_line"] is None for one in listed["processes"])
            with pytest.raises(TaskError, match="REPORT_COMMAND_LINES=yes") as caught:
                client.call("system_report", "processes", command_lines=True)
            assert (caught.value.state, caught.value.code) == ("rejected", "not_allowed")
            with pytest.raises(InvalidInput):
                client.call("system_report", "watch", seconds=301)
            assert len(client.call("system_report", "watch", seconds=2, every=1)) == 2
        assert agent.stop() == 0
    finally:
        agent.kill()


def test_command_lines_are_told_without_secrets_where_the_owner_allows_it(platform: Platform) -> None:
    agent = started(platform, REPORT_COMMAND_LINES="yes")
    idle = "import sys; sys.stdin.read()"
    target = Process(
        *python("-c", f"{idle}; 'x' * 0", "--password=sesame", "plain"), folder=HERE, environ=platform.environ
    )
    try:
        agent.wait_for(connected)
        with Client(platform.url, api_key=platform.api_key) as client:
            listed = client.call("system_report", "processes", limit=100, command_lines=True)
        assert any("agent.py" in (one["command_line"] or "") for one in listed["processes"])
        assert "sesame" not in str(listed)
    finally:
        target.kill()
        agent.kill()


def test_a_wrong_setting_is_one_sentence_and_exit_code_2() -> None:
    environ = {"AGENT_JWT_TOKEN": TOKEN, "PATH": "", "REPORT_COMMAND_LINES": "maybe"}
    agent = Process(*python("agent.py"), folder=HERE, environ=environ)
    try:
        assert agent.wait() == 2
    finally:
        agent.kill()
    assert agent.output == "REPORT_COMMAND_LINES is 'maybe': set it to yes or no\n"
