"""Log lines of agents, from their connection to the backend and back."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec import Raw

from agentic_atlas.errors import AtlasError, Unavailable
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.messages import LINE_BYTES, LogLine, Logs, LogsAck, LogTerms
from tests.unit.router.network import SETTINGS, Network, network, settle


def line(message: str, **facts: object) -> LogLine:
    return LogLine(1.0, "info", message, "logging", **facts)  # type: ignore[arg-type]  # any of its fields


def logs(first: int, *messages: str, dropped: int = 0) -> Logs:
    return Logs(first, tuple(line(message) for message in messages), dropped)


def kept(net: Network) -> list[tuple[int, str]]:
    return [(number, one.message) for number, one in net.backend.lines.numbered()]


async def test_lines_are_kept_in_order_and_acknowledged_when_they_are() -> None:
    async with network() as net:
        agent = await net.agent()
        assert (await agent.welcome()).logs == LogTerms()
        net.backend.lines.keeping.clear()
        agent.say(logs(1, "one", "two"))
        await settle()
        assert agent.all(LogsAck) == []
        net.backend.lines.keeping.set()
        await settle()
        assert agent.all(LogsAck) == [LogsAck(2)]
        agent.say(logs(5, "five", dropped=2))
        await settle()
        assert agent.last(LogsAck) == LogsAck(5)
        assert kept(net) == [(1, "one"), (2, "two"), (5, "five")]
        assert net.backend.lines.dropped == {"inst": 2}


async def test_lines_that_come_again_after_a_cut_are_kept_once() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.lines.keeping.clear()
        agent.say(logs(1, "one", "two"))
        agent.connection.closed()
        again = await net.again(agent)
        again.say(logs(1, "one", "two", "three"))
        net.backend.lines.keeping.set()
        await settle()
        assert again.all(LogsAck) == [LogsAck(3)]
        assert agent.all(LogsAck) == []
        assert kept(net) == [(1, "one"), (2, "two"), (3, "three")]


@pytest.mark.parametrize("error", [Unavailable("no room is left"), AtlasError("gone")])
async def test_lines_that_cannot_be_kept_are_asked_for_again(error: AtlasError) -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.lines.failing = error
        agent.say(logs(7, "seven"))
        await settle()
        assert agent.last(LogsAck).up_to < 7
        net.backend.lines.failing = None
        agent.say(logs(7, "seven"))
        await settle()
        assert agent.last(LogsAck) == LogsAck(7)


async def test_a_second_message_before_the_first_is_acknowledged_ends_the_connection() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.lines.keeping.clear()
        agent.say(logs(1, "one"))
        agent.say(logs(2, "two"))
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (CloseCode.PROTOCOL_VIOLATION, "logs_out_of_turn")
        net.backend.lines.keeping.set()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (Logs(1, (line("m", fields=Raw(b"[1]")),)), "invalid_logs"),
        (Logs(1, (line("m", fields=Raw(b'{"far":1e999}')),)), "invalid_logs"),
        (Logs(1, (line("m" * (LINE_BYTES // 2), exception="e" * (LINE_BYTES // 2 + 1)),)), "logs_too_big"),
        (Logs(1, (line("m" * 700),) * 100), "logs_too_big"),
    ],
    ids=["fields that are no object", "a number that fits nowhere", "a long line", "a long message"],
)
async def test_what_is_no_log_ends_the_connection(wrong: Logs, code: str) -> None:
    async with network() as net:
        agent = await net.agent()
        agent.say(wrong)
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (CloseCode.PROTOCOL_VIOLATION, code)
        assert kept(net) == []


async def test_where_no_lines_are_taken_none_are_offered_and_whoever_sends_some_is_closed() -> None:
    async with network(dataclasses.replace(SETTINGS, log_lines_per_second=0)) as net:
        agent = await net.agent()
        assert (await agent.welcome()).logs is None
        agent.say(logs(1, "one"))
        assert agent.closed is not None
        assert agent.closed[1].code == "logs_not_offered"


async def test_an_agent_that_says_more_than_is_offered_waits_and_what_it_said_is_kept_when_its_turn_is() -> None:
    async with network(dataclasses.replace(SETTINGS, log_lines_per_second=100)) as net:
        agent = await net.agent()
        agent.say(logs(1, *map(str, range(100))))
        await settle()
        assert agent.last(LogsAck) == LogsAck(100)
        agent.say(logs(101, "too soon"))
        await settle()
        assert agent.last(LogsAck) == LogsAck(100)
        await agent.hears_of_it()
        await settle()
        assert agent.last(LogsAck) == LogsAck(101)


async def test_what_waits_for_its_turn_when_its_agent_is_gone_is_kept() -> None:
    async with network(dataclasses.replace(SETTINGS, log_lines_per_second=1)) as net:
        agent = await net.agent()
        agent.say(logs(1, *map(str, range(20))))
        await settle()
        assert kept(net) == []
        agent.connection.closed()
        await settle()
        assert len(kept(net)) == 20


async def test_with_too_much_for_the_backend_an_agent_is_told_to_say_it_again() -> None:
    async with network(dataclasses.replace(SETTINGS, log_buffer=300)) as net:
        first, second = await net.agent(), await net.agent("agt_2", "tok_2", "inst_2")
        net.backend.lines.keeping.clear()
        first.say(logs(1, "m" * 100))
        second.say(logs(1, "n" * 100))
        await settle()
        assert first.all(LogsAck) == []
        assert second.all(LogsAck) == [LogsAck(0)]
        net.backend.lines.keeping.set()
        await settle()
        assert first.all(LogsAck) == [LogsAck(1)]
        second.say(logs(1, "n" * 100))
        await settle()
        assert second.last(LogsAck) == LogsAck(1)
        assert net.router.context.log_bytes == 0
