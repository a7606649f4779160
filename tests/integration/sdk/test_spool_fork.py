"""A child that a skill forks may outlive its agent; the agent's file is to be had all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agentic_atlas.sdk.spool.journal import Journal
from tests.integration.sdk.dialogues import PATIENCE

FORKS = """
import os, signal, sys
from pathlib import Path
from agentic_atlas.sdk.spool.journal import Journal

journal = Journal.create(Path(sys.argv[1]))
journal.append(b"left")
if os.fork() == 0:
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0)
signal.pause()
"""


def test_a_forked_child_does_not_keep_its_dead_parents_file_locked(tmp_path: Path) -> None:
    path = tmp_path / "p1.spool"
    command = [sys.executable, "-c", FORKS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "forked\n"
        assert Journal.take(path) is None
        parent.kill()
        parent.wait(PATIENCE)
        journal = Journal.take(path)
        assert journal is not None
        assert [data for _, data in journal.records()] == [b"left"]
        journal.close()
