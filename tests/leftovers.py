"""What a test must not leave behind: a thread or a process of its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

SECONDS_TO_END = 2.0
# Helpers of multiprocessing which serve the whole process and end with it.
SHARED_CHILDREN = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a thread or a child process of its own behind."""
    threads, children = set(threading.enumerate()), _children()
    yield
    deadline = time.monotonic() + SECONDS_TO_END
    for thread in _new_threads(threads):
        thread.join(max(0.0, deadline - time.monotonic()))
    psutil.wait_procs(_children() - children, timeout=max(0.0, deadline - time.monotonic()))
    left = [repr(thread) for thread in _new_threads(threads)] + [repr(child) for child in _children() - children]
    assert not left, f"left running: {', '.join(left)}"


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if not thread.daemon and thread not in before]


def _children() -> set[psutil.Process]:
    """Return the child processes that still run, without the cost of listing all processes when there are none."""
    if hasattr(os, "waitid"):
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return set()
    return {child for child in psutil.Process().children() if _counts(child)}


def _counts(child: psutil.Process) -> bool:
    try:
        if child.status() == psutil.STATUS_ZOMBIE:
            return False
        command = " ".join(child.cmdline())
    except psutil.NoSuchProcess:
        return False
    return not any(name in command for name in SHARED_CHILDREN)
