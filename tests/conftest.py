"""What holds for every test: rings run in order, nothing is left running, properties are repeatable in CI."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests import findings
from tests.leftovers import nothing_left_running
from tests.rings import RingTimes, SideBySide, turn

__all__ = ["nothing_left_running"]

settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=30)
settings.register_profile("dev", deadline=None, max_examples=30)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests of faults long and often")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "install: builds the wheel and installs it; runs in the end-to-end ring")
    config.addinivalue_line("markers", "long: waits for minutes; runs first in its ring")
    config.addinivalue_line("markers", "alone: compares times; in a soak it runs when nothing else does")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(findings)
        config.pluginmanager.register(RingTimes())
    # A job in the background of a shell ignores Ctrl-C, one below `nohup` SIGHUP, and so would every process of a test.
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SideBySide:
    """Let xdist distribute the tests as we say."""
    return SideBySide(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the cheap rings first; within a ring what is long, and then the (random) order stays as it is."""
    items.sort(key=lambda item: turn(item.nodeid, item.keywords))


@pytest.fixture
def found(request: pytest.FixtureRequest) -> Callable[[str, str, str], None]:
    """Return what adds a row to the table: (guarantee, done, seen)."""
    return partial(findings.add, request.node)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, each on a loop of its own."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep agents, also those in processes of their own, from writing into the state folder of whoever runs this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
