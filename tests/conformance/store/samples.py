"""Records for tests of a store, with everything that a test does not care about filled in."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import (
    AgentRecord,
    ApiKey,
    CallerRef,
    Instance,
    Role,
    SkillRecord,
    Task,
    Token,
    User,
)
from agentic_atlas.backend.ports import Store
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.messages import Delivery, Policy
from agentic_atlas.protocol.tasks import TaskState

NOW = 1_700_000_000.0

ADA = User("user_ada", "ada", Role.ADMIN, NOW)
BOB = User("user_bob", "bob", Role.MEMBER, NOW + 1)
LIBRARY = AgentRecord("agent_library", ADA.id, ADA.name, "library", NOW, "Finds passages")
TOKEN = Token("tok_1", LIBRARY.id, "laptop", NOW, NOW + 3600)
CALLER = CallerRef("user", BOB.id, BOB.id, "bob")
SLOT = InstanceRef(LIBRARY.id, "inst_1", 1)


class Numbered:
    """A source of ids that sort by the time of their making."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):08}"


def task(number: int = 1, **changes: Any) -> Task:
    """Return a submitted task of bob for ada's library; ids sort by number."""
    plain = Task(
        id=f"task_{number:08}",
        agent_id=LIBRARY.id,
        agent=LIBRARY.full_name,
        skill="search",
        state=TaskState.SUBMITTED,
        input=b'{"words": "coral"}',
        caller=CALLER,
        owner_id=BOB.id,
        created_at=NOW + number,
        updated_at=NOW + number,
        trace=f"00-{number:032x}-{1:016x}-01",
        delivery=Delivery.AT_LEAST_ONCE,
        max_attempts=3,
        retries=0,
        backoff=1.0,
        timeout=None,
        deadline=None,
        queue_expires_at=None,
        position=float(number),
    )
    return msgspec.structs.replace(plain, **changes)


def submitted(number: int = 1, **changes: Any) -> Change:
    """Return the change that adds such a task."""
    return lifecycle.submit(task(number, **changes))


def claimed(task: Task, instance_id: str = SLOT.instance_id) -> Change | None:
    return lifecycle.claim(task, instance_id, NOW + 100)


def completed(task: Task) -> Change | None:
    return lifecycle.complete(task, task.attempt, b'"found"', NOW + 200)


def refused(task: Task) -> Change | None:
    return lifecycle.refuse(task, task.attempt, NOW + 150)


def instance(number: int = 1, **changes: Any) -> Instance:
    """Return a process of the library that has just connected."""
    plain = Instance(
        id=f"inst_{number}",
        agent_id=LIBRARY.id,
        token_id=TOKEN.id,
        generation=0,
        connected_at=NOW + number,
        host="laptop",
        pid=4_000_000_000,
        sdk="agentic-atlas/0.1.0",
        runtime="CPython 3.11.7 linux",
        code_hash="c0de",
        concurrency=4,
        labels={"room": "attic"},
    )
    return msgspec.structs.replace(plain, **changes)


def skill(name: str = "search", **changes: Any) -> SkillRecord:
    """Return a skill of the library."""
    plain = SkillRecord(
        agent_id=LIBRARY.id,
        name=name,
        description="Finds words",
        input_schema=b'{"type": "object"}',
        output_schema=b"null",
        policy=Policy(delivery=Delivery.AT_MOST_ONCE, retries=2, timeout=30.0),
        streams=True,
        updated_at=NOW,
    )
    return msgspec.structs.replace(plain, **changes)


def api_key(number: int = 1, **changes: Any) -> ApiKey:
    """Return a key of bob."""
    plain = ApiKey(f"key_{number}", BOB.id, "laptop", bytes([number] * 32), NOW + number)
    return msgspec.structs.replace(plain, **changes)


async def populate(store: Store) -> None:
    """Store ada, bob, ada's library and its token."""
    await store.users.add(ADA)
    await store.users.add(BOB)
    await store.agents.add(LIBRARY)
    await store.tokens.add(TOKEN)
