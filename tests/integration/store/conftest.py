"""Stores in files, and processes that use them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import pytest

from agentic_atlas.backend.store.database import SqlStore, open_store
from tests.conformance.store.samples import NOW, Numbered

ROOT = Path(__file__).parents[3]
Open = Callable[[], AbstractAsyncContextManager[SqlStore]]
"""Opens the store in the test's file for a block; any number of times."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "atlas.db"


@pytest.fixture
def opened(path: Path) -> Open:
    return lambda: open_store(path, clock=lambda: NOW, ids=Numbered())


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python module of the tests as a process of its own, which is killed at the end if it still runs."""
    arguments = [sys.executable, "-m", *command]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()
            started.communicate()
