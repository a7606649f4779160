"""Agents that call agents: a child task in the same trace, with the rights of all who have a part in the call.

Those are who asked for the first task, and the owner of each agent on the way from there: none of them reaches through
the agents of others what they could not reach themselves.
"""

import msgspec

from agentic_atlas.backend.domain.children import call_key, final_reply
from agentic_atlas.backend.domain.records import Task, TaskEventKind, User
from agentic_atlas.backend.engine import submission
from agentic_atlas.backend.engine.answering import Replies
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal, Right, require_call, role_allows
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import AtlasError, Forbidden, InvalidInput, NotFound
from agentic_atlas.protocol.caller.audit import AuditObject
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from agentic_atlas.protocol.inside.messages import Called
from agentic_atlas.protocol.messages import NULL, Call, Fault, Reply, ReplyKind
from agentic_atlas.protocol.tasks import LEASED

_KEEP_ALIVE = 60.0


@use_case
async def call(who: Principal, engine: Engine, said: Called, replies: Replies) -> None:
    """Carry out an agent's `call` and answer it until the child task ends.

    The same call sent again after a cut finds the same child task. A call that can't be made, and an error of ours, is
    answered with a final reply.
    """
    asked = said.call
    try:
        child = await _submit(who, engine, said.instance.instance_id, asked)
        if asked.stream and not await _forward(engine, child, asked, replies):
            return
        ended = await _end_of(engine, child)
        replies(final_reply(asked.id, ended))
    except AtlasError as error:
        if isinstance(error, Forbidden):
            skill = AuditObject(kind="skill", name=f"{asked.agent}/{asked.skill}")
            engine.trail.refuse(who, "calls.call", skill, error.code)
        replies(refused(asked, error))


def refused(asked: Call, error: AtlasError) -> Reply:
    """Return the final reply to a call that can't be made."""
    return Reply(asked.id, ReplyKind.RESULT, error=Fault(error.code, error.message, _detail(error)))


async def _submit(who: Principal, engine: Engine, instance_id: str, asked: Call) -> Task:
    parent = await _running(engine, asked, instance_id)
    if parent is None:
        raise InvalidInput("only a running task can call another agent", code="parent_not_running")
    ask = SubmitRequest(
        asked.agent,
        asked.skill,
        asked.input,
        idempotency_key=call_key(parent.id, parent.attempt, asked.id),
        timeout=asked.timeout,
        queue_ttl=0.0,
    )
    try:
        require_call(who, asked.agent, asked.skill)
        await _may_all(engine, who.user, parent, asked.agent)
    except (NotFound, Forbidden) as refusal:
        child = (await submission.earlier(engine, who, ask, refusal)).task
    else:
        child = (await submission.submit(engine, who, ask, parent=parent)).task
    if await _running(engine, asked, instance_id) is None:
        # It was canceled while the child was being made, and that cancel did not see the child.
        await engine.dispatcher.cancel(child.id, "the task that called it does not run any more")
    return child


async def _running(engine: Engine, asked: Call, instance_id: str) -> Task | None:
    """Return the task that calls, without its payloads, if this attempt of it runs, and nobody wants it stopped."""
    summary = await engine.store.tasks.summary(asked.task)
    parent = None if summary is None else summary.task
    if parent is None or (parent.attempt, parent.instance_id) != (asked.attempt, instance_id):
        return None
    return parent if parent.state in LEASED and parent.cancel_reason is None else None


async def _may_all(engine: Engine, owner: User, parent: Task, name: str) -> None:
    """Let an agent be called that its caller's owner may use, and all by whom that came to be called.

    Raises:
        Forbidden: one of these may ask for nothing any more. NotFound: there is no such agent, or not for all of them.
    """
    others = [_able(await engine.store.users.get(user_id)) for user_id in await _callers(engine, parent)]
    await engine.access.agent(owner, name, also=others)


def _able(user: User | None) -> User:
    """Return a user who may ask for tasks. Whether there is what is called is not told of anybody else."""
    if user is None:
        raise Forbidden("a user is gone who had a part in this call: have another one ask for the task")
    if user.disabled_at is not None:
        raise Forbidden(
            f"{user.name}, who has a part in this call, is disabled: an administrator lets them in again "
            f"(`atlas users enable {user.name}`), or another user asks for the task"
        )
    if not role_allows(user.role, Right.WRITE_TASKS):
        raise Forbidden(
            f"{user.name}, who has a part in this call, is a viewer and asks for nothing: an administrator gives roles "
            f"(`atlas users role {user.name} member`)"
        )
    return user


async def _callers(engine: Engine, parent: Task) -> set[str]:
    """Return whose agents called one another down to this task, and who asked for the first of them; user ids."""
    found, above = {parent.owner_id, parent.caller.user_id}, parent.parent_id
    while above is not None:
        summary = await engine.store.tasks.summary(above)
        if summary is None:
            raise InvalidInput("only a running task can call another agent", code="parent_not_running")
        found.add(summary.task.caller.user_id)
        above = summary.task.parent_id
    return found


async def _forward(engine: Engine, child: Task, asked: Call, replies: Replies) -> bool:
    async for page in engine.feed.follow(child.id, asked.after, _KEEP_ALIVE):
        for event in page:
            if event.kind in (TaskEventKind.STATE, TaskEventKind.CONNECTION):
                continue
            reply = Reply(asked.id, ReplyKind.EVENT, child.id, event.seq, event.kind.value, msgspec.Raw(event.data))
            if not replies(reply):
                return False
            await replies.drained()
    return True


async def _end_of(engine: Engine, child: Task) -> Task:
    while True:
        task = await engine.feed.until_ended(child.id, _KEEP_ALIVE)
        if task is None:
            raise NotFound(f"the task {child.id} is gone", code="task_not_found")
        if task.terminal:
            return task


def _detail(error: AtlasError) -> msgspec.Raw:
    return NULL if error.detail is None else msgspec.Raw(msgspec.json.encode(error.detail))
