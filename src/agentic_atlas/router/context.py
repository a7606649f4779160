"""What every connection of a router shares: its neighbours, its settings, and what waits for an answer."""

from asyncio import Task
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from agentic_atlas.protocol.inside.messages import Receipt
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.router.ports import Backend, RouterLog
from agentic_atlas.router.settings import RouterSettings


class Numbered(Protocol):
    """An answer."""

    @property
    def to(self) -> int:
        """Number of what it answers."""


A = TypeVar("A", bound=Numbered)


class Unanswered(Generic[A]):
    """Whom to tell of each answer, once."""

    def __init__(self) -> None:
        self._last = 0
        self._told: dict[int, Callable[[A], None]] = {}

    def expect(self, told: Callable[[A], None]) -> int:
        """Return the number under which something is said; `told` is called with its answer."""
        self._last += 1
        self._told[self._last] = told
        return self._last

    def forget(self, number: int) -> None:
        """Nobody waits for this answer any more."""
        self._told.pop(number, None)

    def settle(self, answer: A) -> bool:
        """Hand an answer on; False when nobody waits for it."""
        told = self._told.pop(answer.to, None)
        if told is None:
            return False
        told(answer)
        return True


@dataclass(frozen=True)
class RouterContext:
    """Handed to each connection by the router.

    Attributes:
        clock: seconds that only ever pass.
        wall: seconds since the epoch.
        spawn: starts a coroutine that the router owns; None when the router does not run.
        receipts: what the backend has still to acknowledge.
    """

    backend: Backend
    limits: Limits
    settings: RouterSettings
    clock: Callable[[], float]
    wall: Callable[[], float]
    log: RouterLog
    spawn: Callable[[Coroutine[object, object, None]], Task[None] | None]
    receipts: Unanswered[Receipt] = field(default_factory=Unanswered)
