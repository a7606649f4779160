"""Which processes were not let in lately, or came with a token in use: for whoever asks why an agent is not there."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

import msgspec

from agentic_atlas.backend.ports import Clock
from agentic_atlas.protocol.inside.messages import Contested

T = TypeVar("T")

MOST_AGENTS: Final = 1_000
"""Agents of which it is remembered; of more, the oldest are forgotten."""
MOST_OF_AGENT: Final = 5
"""Processes that are remembered of an agent: those that came last."""


class TurnedDown(msgspec.Struct, frozen=True):
    """A process that was not let in for what it has shown, or declares."""

    agent_id: str
    """Of the agent that its token is for."""
    token_id: str
    code: str
    message: str = ""
    """What was wrong, where the code alone does not tell."""
    address: str = ""
    host: str = ""
    """Empty for one that did not come as far as saying so."""


class Contention:
    """The last time that each of them came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._contested: _Lately[Contested] = _Lately()
        self._kept_out: _Lately[TurnedDown] = _Lately()

    def note(self, said: Contested) -> None:
        """A second instance came."""
        self._contested.note(said.identity.agent_id, said.newcomer.id, self._clock(), said)

    def keep_out(self, said: TurnedDown) -> None:
        """One was not let in."""
        self._kept_out.note(said.agent_id, said, self._clock(), said)

    def of(self, agent_id: str) -> list[tuple[float, Contested]]:
        """Return who came for an agent with a token in use and when, the last one first."""
        return self._contested.of(agent_id)

    def kept_out(self, agent_id: str) -> list[tuple[float, TurnedDown]]:
        """Return who was not let in for an agent and when, the last one first."""
        return self._kept_out.of(agent_id)


class _Lately(Generic[T]):
    def __init__(self) -> None:
        self._of: dict[str, dict[Hashable, tuple[float, T]]] = {}

    def note(self, agent_id: str, which: Hashable, at: float, said: T) -> None:
        came = self._of.pop(agent_id, {})
        came.pop(which, None)
        came[which] = (at, said)
        if len(came) > MOST_OF_AGENT:
            del came[next(iter(came))]
        self._of[agent_id] = came
        if len(self._of) > MOST_AGENTS:
            del self._of[next(iter(self._of))]

    def of(self, agent_id: str) -> list[tuple[float, T]]:
        return list(self._of.get(agent_id, {}).values())[::-1]
