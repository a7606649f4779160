"""Agents that were connected when the server went down, and are on their way back.

A restart of the server is not the agents' doing: who calls one in the first seconds after it, and would not wait for an
agent that is offline, waits for it to come back, at most as long as its attempts are kept for it.
"""

from collections.abc import Iterable


class Returning:
    """Which agents are expected."""

    def __init__(self) -> None:
        self._agents: set[str] = set()

    def expect(self, agents: Iterable[str]) -> None:
        """These agents were connected when the last process ended."""
        self._agents = set(agents)

    def came(self, agent_id: str) -> None:
        """It is back; when it leaves again, that is its own doing."""
        self._agents.discard(agent_id)

    def expected(self, agent_id: str) -> bool:
        """Tell whether the agent is on its way back."""
        return agent_id in self._agents

    def over(self) -> None:
        """Expect nobody any more."""
        self._agents.clear()
