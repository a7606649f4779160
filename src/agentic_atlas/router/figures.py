"""What a router tells of itself when it is scraped: who is connected, and what went over the connections."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from agentic_atlas.observe import series
from agentic_atlas.observe.series import SeriesSample
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.door import AgentDoor

_STATES: Final = ("silent", "registering", "ready", "draining")


def samples(door: AgentDoor) -> Iterator[SeriesSample]:
    """Yield what is so at this moment of a router, and of those whom its door has turned away."""
    router, traffic = door.router, door.router.context.traffic
    states = Counter(map(_state, router.hub.everyone()))
    for state in _STATES:
        yield SeriesSample(series.CONNECTIONS, states[state], (state,))
    expiring = router.leases.running_out
    yield SeriesSample(series.LEASES, len(router.leases) - expiring, ("held",))
    yield SeriesSample(series.LEASES, expiring, ("expiring",))
    for direction, messages, size in (
        ("in", traffic.came, traffic.came_bytes),
        ("out", traffic.sent, traffic.sent_bytes),
    ):
        yield SeriesSample(series.FRAME_BYTES, size, (direction,))
        for kind, number in messages.items():
            yield SeriesSample(series.FRAMES, number, (direction, str(kind.__struct_config__.tag)))
    for reason, number in traffic.ended.items():
        yield SeriesSample(series.CONNECTIONS_ENDED, number, (reason,))
    for code, number in door.refused.items():
        yield SeriesSample(series.HANDSHAKES_REFUSED, number, (code,))


def _state(connection: Connection) -> str:
    if connection.agent is None:
        return "registering" if connection.known else "silent"
    return "draining" if connection.agent.readiness.draining else "ready"
