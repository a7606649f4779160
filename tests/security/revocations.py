"""A crowd of agents on real sockets that work, and half of whose tokens are revoked one by one meanwhile.

For the test of it, and for the benchmark that measures it beside a baseline (`benchmarks.revocation`).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from websockets.exceptions import InvalidStatus
from websockets.protocol import State

from agentic_atlas import AsyncClient
from agentic_atlas.protocol.caller.agents import NewToken
from agentic_atlas.protocol.closing import decode_reason
from agentic_atlas.protocol.messages import Hello, InstanceInfo, SkillSpec
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from tests.integration.router.doors import Agent, dial

ECHO = SkillSpec("echo", {})
WITHIN = 10.0
AGENTS, REVOKED, SHOWN_AGAIN = 200, 100, 1_000
LONGEST = 1.0
"""Seconds in which each has to be out (guarantee 5); it takes some milliseconds."""


@dataclass(frozen=True)
class Member:
    """An agent of the crowd that is connected."""

    token: NewToken
    agent: Agent
    working: asyncio.Task[None]

    @property
    def connected(self) -> bool:
        return self.agent.socket.state is State.OPEN and not self.working.done()


@dataclass
class Crowd:
    """Agents that echo, each with a token of its own; `called` counts what those of a load have answered."""

    atlas: AsyncClient
    port: int
    group: asyncio.TaskGroup
    members: list[Member] = field(default_factory=list)
    called: int = 0
    took: list[float] = field(default_factory=list)
    """Seconds from each revocation's request to the end of the connection."""
    ended: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Close codes and reasons of these ends."""

    async def joins(self, token: NewToken, instance_id: str) -> Member:
        """Connect an instance, which works until the end."""
        agent = Agent(await dial(self.port, token.token), instance_id)
        await agent.hello(4, [ECHO])
        member = Member(token, agent, self.group.create_task(agent.work()))
        self.members.append(member)
        return member

    async def revoke(self, members: Sequence[Member]) -> None:
        """Revoke their tokens, one after the other."""
        for member in members:
            began = time.perf_counter()
            end = asyncio.ensure_future(_ended(member))
            await self.atlas.tokens.revoke(member.token.id)
            async with asyncio.timeout(WITHIN):
                self.took.append(await end - began)
            socket = member.agent.socket
            self.ended[socket.close_code or 0, decode_reason((socket.close_reason or "").encode()).code] += 1

    @asynccontextmanager
    async def at_work(self, members: Sequence[Member]) -> AsyncIterator[None]:
        """Call these agents in turns during the block; raises when one does not answer."""
        load = asyncio.ensure_future(self._busy(members))
        yield
        load.cancel()
        await asyncio.wait([load])
        assert load.cancelled(), load.exception()

    async def _busy(self, members: Sequence[Member]) -> None:
        while True:
            for member in members:
                await self.echoed(member)
                self.called += 1

    async def echoed(self, member: Member) -> None:
        """Have an agent answer; raises when it does not."""
        async with asyncio.timeout(WITHIN):
            assert await self.atlas.call(member.token.agent, "echo", {"n": self.called}) == {"n": self.called}

    async def shown_again(self, members: Sequence[Member], times: int) -> Counter[tuple[int, str]]:
        """Have their tokens shown at the handshake so many times in all; return what that was answered with."""
        answered: Counter[tuple[int, str]] = Counter()
        for number in range(times):
            try:
                async with dial(self.port, members[number % len(members)].token.token):
                    answered[101, ""] += 1
            except InvalidStatus as refused:
                answered[refused.response.status_code, refused.response.headers["Atlas-Error"]] += 1
        return answered


async def half_of_them_out(all_of: Crowd) -> Sequence[Member]:
    """Revoke the tokens of half of them while the others work; return those who had them.

    Raises:
        AssertionError: one was not out in time or is let in again, or one of the others has noticed.
    """
    out, others = all_of.members[:REVOKED], all_of.members[REVOKED:]
    async with all_of.at_work(others):
        await all_of.revoke(out)
    assert all_of.ended == {(4103, "token_revoked"): REVOKED}
    assert max(all_of.took) < LONGEST
    assert all(member.connected for member in others)
    for member in others:
        await all_of.echoed(member)
    assert await all_of.shown_again(out, SHOWN_AGAIN) == {(401, "token_revoked"): SHOWN_AGAIN}
    return out


async def _ended(member: Member) -> float:
    await member.agent.socket.wait_closed()
    return time.perf_counter()


@asynccontextmanager
async def crowd(api_url: str, router_url: str, api_key: str, number: int) -> AsyncIterator[Crowd]:
    """Make and connect so many agents."""
    port = urlsplit(router_url).port or 0
    async with AsyncClient(api_url, api_key=api_key) as atlas, asyncio.TaskGroup() as group:
        gathered = Crowd(atlas, port, group)
        for one in range(number):
            name = f"crowd-{one}"
            await atlas.agents.create(name)
            await gathered.joins(await atlas.tokens.create(name), f"inst_{one}")
        yield gathered
        for member in gathered.members:
            await member.agent.socket.close()


async def good_for_nothing(port: int, members: Sequence[Member]) -> None:
    """Say `hello` with their tokens to a server that was started since, and so has to ask its store.

    Raises:
        AssertionError: one was let in.
    """
    answers = Counter([await shown_to(port, member.token.token) for member in members])
    assert answers == {(4103, "token_revoked"): len(members)}


async def shown_to(port: int, token: str) -> tuple[int, str]:
    """Say `hello` with a token; return close code and reason, or those of the handshake's answer."""
    try:
        async with dial(port, token) as socket:
            agent = Agent(socket, "inst_late")
            await agent.say(Hello(PROTOCOL_VERSION, InstanceInfo(agent.instance_id), []))
            code, reason = await agent.end()
            return code, decode_reason(reason.encode()).code
    except InvalidStatus as refused:
        return refused.response.status_code, refused.response.headers["Atlas-Error"]
