"""What the writer can be asked to do. The order in which these are handed in is the order in which they happen."""

from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Connection

from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.ports import Added, Changed, Decide
from agentic_atlas.protocol.inside.messages import InstanceRef

T = TypeVar("T")


class Operation(msgspec.Struct, Generic[T], frozen=True):
    """One write that is carried out whole or not at all, and whose future then holds a `T`."""


AnyOperation: TypeAlias = Operation[Any]
"""An operation whose result is of no concern here."""


class Add(Operation[Added], frozen=True):
    """Store a new task, unless its caller's idempotency key is taken."""

    change: Change


class ChangeTask(Operation[Changed], frozen=True):
    """Store what `decide` makes of a task."""

    task_id: str
    decide: Decide


class ClaimSlots(Operation[list[Changed]], frozen=True):
    """Give waiting tasks of an agent to free slots."""

    agent_id: str
    slots: tuple[InstanceRef, ...]
    now: float
    skills: frozenset[str] | None = None
    """Of which skills; None: of all."""


class Statement(Operation[T], frozen=True):
    """Anything else that is written.

    `run` may be called more than once: when another write of the same commit fails, all but that one are done again.
    """

    run: Callable[[Connection], T]
