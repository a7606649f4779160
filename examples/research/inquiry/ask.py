"""Asking other agents: a few at a time, each for a bounded time, and never more than a failure when it goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from agentic_atlas.errors import AtlasError, TaskError

T = TypeVar("T")

AT_ONCE = 6
"""Calls that are open at the same time."""
PATIENCE = 60.0
"""Seconds one call may take."""
_LONGEST = 300
_GONE = frozenset({"agent_offline", "agent_not_found", "agent_disabled"})

Call = Callable[[str, str, Mapping[str, object]], Awaitable[object]]
"""Calls a skill of an agent with an input and returns its output, as JSON values; raises AtlasError."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without an answer, and why."""

    agent: str
    skill: str
    reason: str
    gone: bool = False
    """The agent itself cannot be reached: its other skills would not answer either."""


class Asker:
    """Calls other agents for one report, and counts the calls."""

    def __init__(self, call: Call, *, patience: float = PATIENCE, at_once: int = AT_ONCE) -> None:
        self._call = call
        self._patience = patience
        self._turn = asyncio.Semaphore(at_once)
        self.asked: dict[tuple[str, str], int] = {}
        """How often each skill of each agent was called."""

    async def ask(self, agent: str, skill: str, input: Mapping[str, object], shape: TypeAdapter[T]) -> T | Failure:
        """The answer of a skill in the shape that is expected, or why there is none."""
        async with self._turn:
            self.asked[agent, skill] = self.asked.get((agent, skill), 0) + 1
            try:
                async with asyncio.timeout(self._patience):
                    answer = await self._call(agent, skill, input)
            except TimeoutError:
                return Failure(agent, skill, f"did not answer within {self._patience:g} seconds")
            except AtlasError as error:
                return Failure(agent, skill, _reason(error, f"{agent}.{skill}: "), gone=error.code in _GONE)
        try:
            return shape.validate_python(answer)
        except ValidationError:
            return Failure(agent, skill, "answered in a form that is not known here: the versions do not fit")


def _reason(error: AtlasError, label: str) -> str:
    """The error in one line; of a task, how it ended when that is no failure of the skill."""
    ended = f"{error.state}: " if isinstance(error, TaskError) and error.state in ("rejected", "canceled") else ""
    return f"{ended}{' '.join(error.message.removeprefix(label).split())}"[:_LONGEST]
