"""What every connection of a router shares: its neighbours and its settings."""

from asyncio import Task
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from agentic_atlas.protocol.inside.messages import Receipt
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.router.answers import Unanswered
from agentic_atlas.router.ports import Backend, RouterLog
from agentic_atlas.router.settings import RouterSettings


@dataclass(frozen=True)
class Office:
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
