"""What must never last: the signs of a task that hangs. Pure.

Each of these happens for a moment, between two steps. It is a fault when look after look finds the same.
"""

from enum import StrEnum

import msgspec


class Invariant(StrEnum):
    """What is wrong when it lasts."""

    RUNNING_WITHOUT_LEASE = "running_without_lease"
    """A task runs and nobody would notice the loss of its instance."""
    WAITING_BESIDE_FREE_SLOTS = "waiting_beside_free_slots"
    """A task waits, its agent has a free slot, and nobody brings them together."""
    SLOT_KEPT_FOR_NOTHING = "slot_kept_for_nothing"
    """A slot is kept for a task, and none is on its way to it."""
    ATTEMPT_NOT_RUNNING = "attempt_not_running"
    """An agent is connected, and does not name an attempt that takes one of its slots."""
    RESULT_OVERDUE = "result_overdue"
    """An agent is connected and has kept a result for longer than storing one may take."""


class Finding(msgspec.Struct, frozen=True):
    """An invariant that is violated, and by what: a task's id, an agent's or an instance's."""

    invariant: Invariant
    subject: str
