"""What a router tells when it is scraped: who is connected, what went over the connections, and who was turned away."""

from __future__ import annotations

from agentic_atlas.errors import Unauthenticated
from agentic_atlas.observe import series
from agentic_atlas.observe.series import Series
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import Drain
from agentic_atlas.router.door import AgentDoor
from agentic_atlas.router.figures import samples
from tests.unit.router.network import Agent, Network, network, settle, until


def told(net: Network) -> dict[tuple[Series, tuple[str, ...]], object]:
    door = AgentDoor(net.router, lambda _: Identity("tok", "agt", 0.0))
    door.refuse(Unauthenticated("too old", code="token_expired"), "192.0.2.1")
    return {(one.series, one.labels): one.value for one in samples(door)}


async def test_connections_are_told_by_how_far_they_have_come() -> None:
    async with network() as net:
        Agent("agt_1", "tok_1", "ins_1").connect(net.router)
        await net.agent("agt_2", "tok_2", "ins_2")
        leaving = await net.agent("agt_3", "tok_3", "ins_3")
        leaving.say(Drain(0.0))
        Agent("agt_4", "tok_4", "ins_4").connect(net.router).hello()
        found = told(net)  # before anybody has answered its hello
        await settle()
        states = {of: number for (one, of), number in found.items() if one is series.CONNECTIONS}
        assert states == dict.fromkeys([("silent",), ("registering",), ("ready",), ("draining",)], 1)
        leaving.connection.closed(left=True)
        assert told(net)[series.CONNECTIONS_ENDED, ("gone",)] == 1


async def test_messages_are_counted_by_type_and_direction_with_their_bytes() -> None:
    async with network() as net:
        agent = await net.agent()
        before = told(net)
        assert before[series.FRAMES, ("in", "hello")] == before[series.FRAMES, ("out", "welcome")] == 1
        agent.beat()
        agent.connection.received(b'{"type":"task"}')
        after = told(net)
        assert after[series.FRAMES, ("in", "beat")] == after[series.FRAMES, ("out", "beat")] == 1
        assert after[series.FRAME_BYTES, ("in",)] > before[series.FRAME_BYTES, ("in",)]  # type: ignore[operator]
        assert after[series.FRAME_BYTES, ("out",)] > before[series.FRAME_BYTES, ("out",)]  # type: ignore[operator]
        assert ("in", "task") not in {of for one, of in after if one is series.FRAMES}
        assert after[series.CONNECTIONS_ENDED, ("invalid_message",)] == 1


async def test_who_is_turned_away_is_counted_by_the_code_of_the_answer() -> None:
    async with network() as net:
        assert told(net)[series.HANDSHAKES_REFUSED, ("token_expired",)] == 1


async def test_leases_are_told_by_whether_anybody_holds_them() -> None:
    async with network() as net:
        agent = await net.agent()
        net.backend.submit("agt")
        await until(lambda: agent.tasks)
        found = told(net)
        assert (found[series.LEASES, ("held",)], found[series.LEASES, ("expiring",)]) == (1, 0)
        agent.connection.closed()
        found = told(net)
        assert (found[series.LEASES, ("held",)], found[series.LEASES, ("expiring",)]) == (0, 1)
