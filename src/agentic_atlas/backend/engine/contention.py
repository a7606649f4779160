"""Which processes came with a token that another one was using, lately: for whoever asks why an agent is not there."""

from typing import Final

from agentic_atlas.backend.ports import Clock
from agentic_atlas.protocol.inside.messages import Contested

MOST_AGENTS: Final = 1_000
"""Agents of which it is remembered; of more, the oldest are forgotten."""
MOST_OF_AGENT: Final = 5
"""Processes that are remembered of an agent: those that came last."""


class Contention:
    """The last time that each of them came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[str, dict[str, tuple[float, Contested]]] = {}

    def note(self, said: Contested) -> None:
        """A second instance came."""
        agent_id = said.identity.agent_id
        came = self._of.pop(agent_id, {})
        came.pop(said.newcomer.id, None)
        came[said.newcomer.id] = (self._clock(), said)
        if len(came) > MOST_OF_AGENT:
            del came[next(iter(came))]
        self._of[agent_id] = came
        if len(self._of) > MOST_AGENTS:
            del self._of[next(iter(self._of))]

    def of(self, agent_id: str) -> list[tuple[float, Contested]]:
        """Return who came for an agent and when, the last one first."""
        return list(self._of.get(agent_id, {}).values())[::-1]
