"""The thread of a connection: what may be said to it before, and how it ends."""

from __future__ import annotations

import threading

import pytest
from msgspec import Raw

from agentic_atlas.protocol.messages import Outcome, Result
from agentic_atlas.sdk.link.link import LinkThread, is_exposed
from agentic_atlas.sdk.link.settings import Runtime
from agentic_atlas.sdk.spool.port import Spool
from agentic_atlas.sdk.tokens.source import TokenSource
from tests.unit.sdk.link.router_end import BASE, Runner, task
from tests.unit.sdk.memory_log import MemoryLog

SECONDS = 10.0


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("ws://router.example:8080/ws", True),
        ("ws://10.0.0.7/ws", True),
        ("wss://router.example/ws", False),
        ("ws://localhost:8080/ws", False),
        ("ws://127.0.0.1/ws", False),
        ("ws://[::1]:8080/ws", False),
    ],
)
def test_a_token_is_exposed_without_tls_and_on_the_way_to_another_machine(url: str, exposed: bool) -> None:
    assert is_exposed(url) is exposed


NO_TOKEN = TokenSource("two words", log=MemoryLog())


def test_a_link_without_a_token_ends_with_the_reason_and_says_what_is_lost() -> None:
    runner, log = Runner(), MemoryLog()
    link = LinkThread("ws://localhost/ws", NO_TOKEN, BASE, runner, log=log)
    link._ledger.offer(task())
    link.post(Result("t1", 1, Outcome.COMPLETED, Raw(b"1")))
    link.start()
    assert link.join(SECONDS)
    ((told, error),) = [one for one in runner.told if isinstance(one, tuple)]
    assert told == "ended"
    assert "characters that no token has" in error.message
    assert log.at("warning") == ["results not acknowledged: 1; lost with this process"]
    link.post(Result("t1", 1, Outcome.COMPLETED, Raw(b"1")))
    link.stop()


def test_a_link_that_never_began_ends_at_once() -> None:
    link = LinkThread("ws://localhost/ws", NO_TOKEN, BASE, Runner(), log=MemoryLog())
    link.stop()
    assert link.join(0.0)


def test_all_of_a_spool_is_used_on_the_thread_of_the_link() -> None:
    threads: list[str] = []

    class Watched(Spool):
        def close(self, *, running: bool) -> int:
            threads.append(threading.current_thread().name)
            return super().close(running=running)

    runtime, log = Runtime(spool=Watched()), MemoryLog()
    link = LinkThread("ws://router.example/ws", NO_TOKEN, BASE, Runner(), log=log, runtime=runtime)
    link.start()
    assert link.join(SECONDS)
    assert threads == ["atlas-link"]
    (line,) = log.at("warning")
    assert line.startswith("the token travels unencrypted to ws://router.example/ws: use wss://")
