"""The attempts of a task, told by its events: when each began, was cut and ended, and why."""

from collections.abc import Iterable

import msgspec

from agentic_atlas.backend.domain.lifecycle import ConnectionData, StateData
from agentic_atlas.backend.domain.records import TaskEvent, TaskEventKind
from agentic_atlas.protocol.tasks import LEASED, Loss


class CutRecord(msgspec.Struct, frozen=True):
    """A time in which the instance that has an attempt was not connected."""

    began_at: float
    why: Loss | None = None
    """None: nobody had noticed until it was there again."""
    ended_at: float | None = None
    """When it was there again, or the attempt ended; None while it is away."""
    resumed: bool = False
    """It came back."""


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
    cuts: tuple[CutRecord, ...] = ()


def attempts(events: Iterable[TaskEvent]) -> list[AttemptRecord]:
    """Return the attempts that a task's events tell of, in their order."""
    found: dict[int, AttemptRecord] = {}
    for event in events:
        known = found.get(event.attempt)
        if event.kind is TaskEventKind.STATE:
            known = _moved(known, msgspec.json.decode(event.data, type=StateData), event.at)
        elif event.kind is TaskEventKind.CONNECTION and known is not None and known.end is None:
            said = msgspec.json.decode(event.data, type=ConnectionData)
            known = msgspec.structs.replace(known, cuts=_connected(known.cuts, said, event.at))
        if known is not None:
            found[known.number] = known
    return list(found.values())


def _moved(known: AttemptRecord | None, data: StateData, at: float) -> AttemptRecord | None:
    if data.state in LEASED and known is None:
        return AttemptRecord(data.attempt, data.instance or "", at)
    if known is None or known.end is not None:
        return known
    if data.accepted:
        # Another process may have it from now on: the one that has its result.
        taken_over = data.instance != known.instance_id
        cuts = _over(known.cuts, at, resumed=True) if taken_over else known.cuts
        return msgspec.structs.replace(known, accepted_at=at, instance_id=data.instance or "", cuts=cuts)
    if data.state not in LEASED:
        return msgspec.structs.replace(known, ended_at=at, end=data, cuts=_over(known.cuts, at, resumed=False))
    return known


def _connected(cuts: tuple[CutRecord, ...], said: ConnectionData, at: float) -> tuple[CutRecord, ...]:
    away = bool(cuts) and cuts[-1].ended_at is None
    if said.connection == "resumed":
        return _over(cuts, at, resumed=True) if away else (*cuts, CutRecord(at - said.seconds, None, at, resumed=True))
    # It may be told twice: the server was started while an instance was away.
    return cuts if away else (*cuts, CutRecord(at - said.seconds, said.why))


def _over(cuts: tuple[CutRecord, ...], at: float, *, resumed: bool) -> tuple[CutRecord, ...]:
    if not cuts or cuts[-1].ended_at is not None:
        return cuts
    return (*cuts[:-1], msgspec.structs.replace(cuts[-1], ended_at=at, resumed=resumed))
