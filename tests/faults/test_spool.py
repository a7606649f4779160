"""The disk that results are kept on is full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentic_atlas import Client
from tests.e2e.processes import Platform, connected

AGENT = """
from agentic_atlas import Agent

agent = Agent("large")

@agent.skill
async def large(size: int) -> str:
    return "x" * size

if __name__ == "__main__":
    agent.run()
"""
DISK = 256 * 1024
LARGE = 400_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small disk here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_an_agent_whose_disk_is_full_goes_on_and_says_so_once_each_way(
    platform: Platform, client: Client, small_disk: Path, found: Callable[[str, str, str], None]
) -> None:
    with platform.agent("large", AGENT, ATLAS_SPOOL=str(small_disk)) as agent:
        agent.wait_for(connected)
        for _ in range(5):
            assert len(client.call("large", "large", size=LARGE)) == LARGE
        assert client.call("large", "large", size=10) == "x" * 10
        assert agent.stop() == 0
        assert agent.output.count("results are kept in memory only") == 1
        assert agent.output.count("results are kept on disk again") == 1
        assert "No space left on device" in agent.output
        assert "Traceback" not in agent.output
    found("2 a result is kept until acknowledged", "5 results larger than the agent's disk", "all 5 arrived")
