"""Agents that call agents in memory: a child task in the same trace, answered until its end."""

from typing import Protocol

from msgspec import Raw

from agentic_atlas.backend.domain.children import call_key, final_reply
from agentic_atlas.backend.domain.records import CallerRef, EventKind
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.messages import Call, Reply, ReplyKind
from agentic_atlas.protocol.tasks import LEASED
from agentic_atlas.router.ports import Instance, Replies
from agentic_atlas.testing.book import Entry
from agentic_atlas.testing.directory import OWNER
from agentic_atlas.testing.requests import TESTER, Ask, Desk, submit


class Switchboard(Desk, Protocol):
    """What a call needs of the backend."""

    over: BaseException | None


async def answer(desk: Switchboard, instance: Instance, call: Call, replies: Replies) -> None:
    """Make the child task that a call asks for, and answer it through `replies` until the task has ended.

    Raises:
        AtlasError: the call cannot be made; the router answers it with that.
    """
    child = _child(desk, instance, call)
    seen = call.after
    while True:
        for event in child.events[seen:]:
            seen = event.seq
            if call.stream and event.kind is not EventKind.STATE:
                reply = Reply(call.id, ReplyKind.EVENT, child.task.id, seen, event.kind.value, Raw(event.data))
                if not replies(reply):
                    return
                await replies.drained()
        if seen < len(child.events):
            continue
        if child.task.terminal:
            replies(final_reply(call.id, child.task))
            return
        await child.changed()


def _child(desk: Switchboard, instance: Instance, call: Call) -> Entry:
    parent = desk.book.entry(call.task)
    holder = (parent.task.attempt, parent.task.instance_id) if parent else None
    if parent is None or parent.task.state not in LEASED or holder != (call.attempt, instance.instance_id):
        raise InvalidInput("only a running task can call another agent", code="parent_not_running")
    ask = Ask(
        call.agent,
        call.skill,
        bytes(call.input),
        CallerRef("agent", instance.agent_id, TESTER.user_id, f"{OWNER}/{instance.agent_id}"),
        idempotency_key=call_key(call.task, call.attempt, call.id),
        timeout=call.timeout,
    )
    return submit(desk, ask, parent.task)
