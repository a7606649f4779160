"""The door between the link's thread and the agent's loop: what comes in on the one is done on the other."""

import asyncio
import contextlib
from collections.abc import Callable, Collection

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.messages import Welcome
from agentic_atlas.sdk.ports import Incoming
from agentic_atlas.sdk.runner.runner import Runner


class LoopInbox:
    """`ports.Inbox` for a runner; safe from any thread, also when the runner's loop is closed already."""

    def __init__(self, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        self._runner = runner
        self._loop = loop

    def deliver(self, message: Incoming) -> None:
        """Take a message of the router's."""
        self._hop(self._runner.take, message)

    def drop(self, task: str, attempt: int) -> None:
        """Stop an attempt that is not ours any more."""
        self._hop(self._runner.drop, task, attempt)

    def connected(self, welcome: Welcome) -> None:
        """Take the limits and the clock of a connection; the clock at once, for the loop may be late."""
        self._runner.clock.set(welcome.now)
        self._hop(self._runner.welcomed, welcome)

    def ended(self, error: AtlasError | None) -> None:
        """Let the runner end: nothing can be said any more."""
        self._hop(self._runner.finish, error)

    def attempts(self) -> Collection[tuple[str, int]]:
        """Return what runs."""
        return self._runner.attempts

    def ping(self, token: object) -> None:
        """Have the ping answered from the loop, as soon as it gets to it."""
        self._hop(self._runner.pong, token)

    def acknowledged(self, task: str, attempt: int, pending: int) -> None:
        """All events of the attempt but `pending` are stored: there is room for more."""
        self._hop(self._runner.acknowledged, task, attempt, pending)

    def _hop(self, action: Callable[..., None], *arguments: object) -> None:
        # RuntimeError: the loop is closed, the agent is over, and there is nobody any more to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action, *arguments)
