"""The attempts of a task, told by the events of its state: when each began and ended, and why."""

from collections.abc import Iterable

import msgspec

from agentic_atlas.backend.domain.lifecycle import StateData
from agentic_atlas.backend.domain.records import TaskEvent, TaskEventKind
from agentic_atlas.protocol.tasks import LEASED


class AttemptRecord(msgspec.Struct, frozen=True):
    """One delivery of a task to an instance."""

    number: int
    instance_id: str
    began_at: float
    """When the instance was given it."""
    accepted_at: float | None = None
    """When the instance had begun it."""
    ended_at: float | None = None
    end: StateData | None = None
    """What the task became by its end, and why; None while it goes on."""


def attempts(events: Iterable[TaskEvent]) -> list[AttemptRecord]:
    """Return the attempts that a task's events tell of, in their order."""
    found: dict[int, AttemptRecord] = {}
    for event in events:
        if event.kind is not TaskEventKind.STATE:
            continue
        data = msgspec.json.decode(event.data, type=StateData)
        known = found.get(data.attempt)
        if data.state in LEASED and known is None:
            known = AttemptRecord(data.attempt, data.instance or "", event.at)
        elif known is None or known.end is not None:
            continue
        elif data.accepted:
            known = msgspec.structs.replace(known, accepted_at=event.at, instance_id=data.instance or "")
        elif data.state not in LEASED:
            known = msgspec.structs.replace(known, ended_at=event.at, end=data)
        found[data.attempt] = known
    return list(found.values())
