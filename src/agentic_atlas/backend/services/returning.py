"""Agents that were connected when the server went down, and are on their way back.

A restart of the server is not the agents' doing: who calls one in the first seconds after it, and would not wait for an
agent that is offline, waits for it to come back, at most as long as its attempts are kept for it.
"""

from collections.abc import Iterable


class Returning:
    """Which agents are expected, and who waits for them."""

    def __init__(self) -> None:
        self._agents: set[str] = set()
        self._waiting: list[tuple[str, str]] = []
        self._over = False

    def expect(self, agents: Iterable[str]) -> None:
        """These agents were connected when the last process ended."""
        self._agents = set(agents)

    def came(self, agent_id: str) -> None:
        """It is back; when it leaves again, that is its own doing."""
        self._agents.discard(agent_id)

    def expected(self, agent_id: str) -> bool:
        """Tell whether the agent is on its way back."""
        return agent_id in self._agents

    def wait(self, task_id: str, agent_id: str) -> bool:
        """This task waits for its agent only because that one is expected; False when nobody is any more."""
        if not self._over:
            self._waiting.append((task_id, agent_id))
        return not self._over

    def over(self) -> list[tuple[str, str]]:
        """Expect nobody any more; return the tasks that waited, each with its agent."""
        waiting, self._waiting = self._waiting, []
        self._agents.clear()
        self._over = True
        return waiting
