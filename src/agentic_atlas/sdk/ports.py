"""Where the two halves of an agent's process meet: the link's thread and the loop that runs the handlers.

The link (`link`, with its `ledger`) lives on a thread and loop of its own, so a handler that blocks does not lose the
connection. The runner (`runner`) lives on the user's loop. Each talks to the other through one of these, and both
protocols are safe to call from any thread.
"""

from collections.abc import Collection
from typing import Protocol, TypeAlias

import msgspec

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.messages import (
    Accept,
    Answer,
    Call,
    Cancel,
    Drain,
    Event,
    Fault,
    Refuse,
    Reply,
    Result,
    Task,
    Welcome,
)

Outgoing: TypeAlias = Accept | Refuse | Event | Result | Call | Drain
"""What the runner says. The ledger keeps it as long as it may have to be said again."""


class UnsaidQuestion(msgspec.Struct, frozen=True):
    """A question that could not be said to the router, told to its attempt in place of an answer."""

    task: str
    attempt: int
    question: int
    fault: Fault


Incoming: TypeAlias = Task | Cancel | Reply | Answer | UnsaidQuestion
"""What the runner is told. Acknowledgements end in the ledger; a repeated task never gets here."""


class ToLink(Protocol):
    """The link, as the runner sees it."""

    def post(self, message: Outgoing) -> None:
        """Say this, now or after the next reconnect. Never blocks, never fails."""

    def forget_call(self, call_id: str) -> None:
        """Nobody waits for this call's replies any more."""

    def pong(self, token: object) -> None:
        """The handlers' loop got to a `ping` of the `Inbox`."""


class Inbox(Protocol):
    """The runner, as the link sees it."""

    def deliver(self, message: Incoming) -> None:
        """A message of the router's."""

    def drop(self, task: str, attempt: int) -> None:
        """The attempt is not ours any more: stop its handler, its result is of no account."""

    def acknowledged(self, task: str, attempt: int, pending: int) -> None:
        """All events of the attempt but `pending` are stored."""

    def connected(self, welcome: Welcome) -> None:
        """The agent is registered, for the first time or again."""

    def ended(self, error: AtlasError | None) -> None:
        """The link has ended for good: None when it was asked to, else an error whose message says what to do."""

    def attempts(self) -> Collection[tuple[str, int]]:
        """Return (task, attempt) of what runs, whatever the loop is doing."""

    def ping(self, token: object) -> None:
        """Have `LoopLag.pong(token)` called from the handlers' loop, as soon as that loop gets to it."""
