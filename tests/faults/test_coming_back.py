"""Guarantee 4 needs agents that are back in time: how long they stay away after the server is there again."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from msgspec import Raw

from agentic_atlas.protocol.messages import Hello, InstanceInfo, SkillSpec, Welcome
from agentic_atlas.sdk.link.link import LinkThread
from agentic_atlas.sdk.tokens.source import TokenSource
from tests.e2e.processes import PATIENCE, Platform
from tests.integration.sdk.dialogues import Lines, Recorder

AGENTS = 20
BACK_WITHIN = 10.0 if "PYTEST_XDIST_WORKER" in os.environ else 5.0
"""Seconds after the server is ready; the promise of reliability.md, G12."""


@dataclass
class Fleet:
    """Links of a process of its own each, as far as the server can tell."""

    platform: Platform
    links: list[LinkThread] = field(default_factory=list)
    inboxes: list[Recorder] = field(default_factory=list)

    def join(self, number: int, token: str) -> LinkThread:
        inbox = _Timed()
        hello = Hello(1, InstanceInfo(f"process_{number}"), [SkillSpec("work", Raw(b"{}"))])
        link = LinkThread(self.platform.router_url, TokenSource(token, log=Lines()), hello, inbox, log=Lines())
        inbox.link = link
        link.start()
        self.links.append(link)
        self.inboxes.append(inbox)
        return link

    def welcomed(self) -> list[float]:
        """Wait until each was welcomed (once more), and return when that was."""
        times = []
        for inbox in self.inboxes:
            inbox.expect(Welcome)
            times.append(inbox.seen.get(timeout=PATIENCE))
        return times


class _Timed(Recorder):
    def connected(self, welcome: Welcome) -> None:
        self.seen.put(welcome)
        self.seen.put(time.monotonic())


@contextmanager
def fleet(platform: Platform) -> Iterator[Fleet]:
    """Connect agents; their back-off has the product's own times and real randomness."""
    with httpx.Client(base_url=platform.url, headers={"Authorization": f"Bearer {platform.api_key}"}) as api:
        assert api.post("/api/v1/agents", json={"name": "worker"}).status_code == 201
        tokens = [api.post("/api/v1/agents/worker/tokens", json={}).json()["token"] for _ in range(AGENTS)]
    with ExitStack() as stack:
        agents = Fleet(platform)
        for number, token in enumerate(tokens):
            link = agents.join(number, token)
            stack.callback(link.join, PATIENCE)
            stack.callback(link.stop_soon, 0.0)
        agents.welcomed()
        yield agents


def stays_away(seconds: float) -> None:
    """Let time pass: what is tested is what a server that is away for so long costs."""
    time.sleep(seconds)


@pytest.mark.parametrize(("end", "away"), [("stop", 0.0), ("stop", 8.0), ("kill", 8.0)])
def test_all_agents_are_back_soon_after_the_server_is(
    platform: Platform, end: str, away: float, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    late: list[float] = []
    rounds = 5 if soak else 1
    with fleet(platform) as agents:
        for _ in range(rounds):
            {"stop": platform.stop, "kill": platform.kill}[end]()
            stays_away(away)
            platform.start()
            ready = time.monotonic()
            late += sorted(max(0.0, at - ready) for at in agents.welcomed())
    assert max(late) < BACK_WITHIN, late
    told = f"median {statistics.median(late):.1f} s, last {max(late):.1f} s"
    found("4 agents come back in time", f"{rounds} × {end}, away {away:g} s, {AGENTS} agents", told)
