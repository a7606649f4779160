"""What holds for every test: rings run in order, nothing is left running, properties are repeatable in CI."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
RINGS = (
    "tests/unit",
    "tests/properties",
    "tests/architecture",
    "tests/conformance",
    "tests/integration",
    "tests/e2e",
    "tests/faults",
    "tests/docs",
    "examples",
)
SECONDS_TO_END = 2.0
# Helpers of multiprocessing which serve the whole process and end with it.
SHARED_CHILDREN = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")

settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=30)
settings.register_profile("dev", deadline=None, max_examples=30)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests of faults long and often")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "install: builds the wheel and installs it; runs in the end-to-end ring")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A job in the background of a shell ignores Ctrl-C, and so would every process that a test starts.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the cheap rings first; within a ring the (random) order stays as it is."""
    items.sort(key=_ring)


def _ring(item: pytest.Item) -> int:
    if item.get_closest_marker("install"):
        return RINGS.index("tests/e2e")
    path = item.path.relative_to(ROOT).as_posix()
    return next((n for n, ring in enumerate(RINGS) if path.startswith(f"{ring}/")), len(RINGS))


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep agents, also those in processes of their own, from writing into the state folder of whoever runs this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


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
