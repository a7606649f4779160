"""Instances that come, report and leave: what a router says of them, as changes of what is stored."""

from asyncio import CancelledError, Future
from collections.abc import Sequence
from functools import partial
from hashlib import sha256

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import assignment, may_report, on_report
from agentic_atlas.backend.domain.questions import read_question
from agentic_atlas.backend.domain.records import AgentRecord, Instance, SkillRecord, Task, TaskFailure
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.succession import succeed
from agentic_atlas.backend.ports import Changed, Schemas
from agentic_atlas.backend.rights import AgentToken, Principal, Right, require
from agentic_atlas.errors import AtlasError, Busy, Conflict, Forbidden, InvalidInput, Unavailable
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside.messages import (
    Admit,
    Arrived,
    Departed,
    Failure,
    InstanceRef,
    Receipt,
    Reported,
)
from agentic_atlas.protocol.messages import Answer, Cancel, Hello, RunningAttempt, SkillSpec, Verdict
from agentic_atlas.protocol.tasks import LEASED, Loss
from agentic_atlas.protocol.versions import PROTOCOL_VERSION

_LINE = 1024
"""Longest reason of a cancel (`messages.Line`)."""


class NotAdmitted(AtlasError):
    """An instance is not let in.

    Attributes:
        close_code: what its connection is closed with.
    """

    default_code = "not_admitted"

    def __init__(self, close_code: CloseCode, code: str, message: str) -> None:
        super().__init__(message, code=code)
        self.close_code = close_code


async def admit(engine: Engine, said: Arrived) -> Admit:
    """Register an instance and settle what it holds.

    Raises:
        NotAdmitted: its token was revoked, its agent is gone or disabled, or what it declares is not acceptable.
    """
    token_id, hello = said.identity.token_id, said.hello
    agent, who = await _permitted(engine, token_id, said.identity.agent_id)
    validated_at = engine.clock()
    if hello.agent not in (None, agent.name):
        raise NotAdmitted(
            CloseCode.WRONG_AGENT, "wrong_agent", f"it is for {agent.name}, the code declares {hello.agent}"
        )
    skills = await _declared(engine, agent, hello)
    now = engine.clock()
    info = hello.instance
    instance = await _registered(
        engine,
        Instance(
            id=info.id,
            agent_id=agent.id,
            token_id=token_id,
            generation=0,
            connected_at=now,
            opened_at=said.identity.presented_at,
            validated_at=validated_at,
            host=info.host,
            pid=info.pid,
            sdk=info.sdk,
            runtime=info.runtime,
            code_hash=info.code_hash,
            concurrency=hello.concurrency,
            labels=hello.labels,
        ),
        hello.description,
        skills,
    )
    ref = InstanceRef(agent.id, instance.id, instance.generation)
    engine.credit.instances.registered(ref)
    engine.access.came(instance, who)
    return await _settle(engine, said, agent, ref)


async def _registered(engine: Engine, instance: Instance, description: str, skills: Sequence[SkillRecord]) -> Instance:
    agent_id, offers = instance.agent_id, engine.dispatcher.offers
    offers.came(agent_id, instance.id, skills)
    try:
        registered = await engine.store.agents.register(instance, description, offers.offered(agent_id))
    except Conflict as error:
        raise NotAdmitted(CloseCode.INVALID_REGISTRATION, error.code, error.message) from None
    else:
        offers.came(agent_id, instance.id, skills, registered.generation)
        engine.registry.offers(agent_id, offers.offered(agent_id))
        return registered
    finally:
        # Not registered after all.
        offers.left(agent_id, instance.id, None)


async def departed(engine: Engine, said: Departed) -> None:
    """Store that a connection ended.

    The agent offers what its other instances have, or, without another one, what it did.
    """
    agent_id, instance_id, generation = said.instance.agent_id, said.instance.instance_id, said.instance.generation
    engine.access.left(instance_id, generation)
    gone = engine.dispatcher.offers.left(agent_id, instance_id, generation)
    now = engine.clock()
    await engine.store.agents.depart(instance_id, generation, now, now - said.silent)
    offered = engine.dispatcher.offers.offered(agent_id)
    if gone and offered:
        await engine.store.agents.declare(agent_id, offered)
        engine.registry.offers(agent_id, offered)


def report(engine: Engine, said: Reported) -> None:
    """Store what an instance says of an attempt, in the order of these calls, and tell its router of it.

    Reports of an attempt that is not this instance's current one change nothing, and are answered all the same; so are
    those of a connection that is not its latest.
    """
    instance, report = said.instance, said.report
    latest = engine.credit.instances.latest(instance.instance_id)
    held = engine.dispatcher.census.get(report.task)
    current = held is not None and (held.instance_id, held.attempt) == (instance.instance_id, report.attempt)
    if isinstance(report, messages.Result | messages.Refuse):
        engine.credit.ended(instance, RunningAttempt(report.task, report.attempt))
    asked = None
    if current and isinstance(report, messages.Event) and report.kind is messages.EventKind.QUESTION:
        asked = _asked(engine.schemas, report.data)
    change = partial(on_report, by=instance, latest=latest, said=report, now=engine.clock(), asked=asked)
    engine.dispatcher.change(report.task, change).add_done_callback(partial(_stored, engine, said, latest))


def lost(engine: Engine, task_id: str, attempt: int, why: Loss) -> "Future[Changed]":
    """The instance that holds the attempt did not come back within the grace period, or has forgotten it."""
    now = engine.clock()
    return engine.dispatcher.apply(task_id, lambda task: lifecycle.lose(task, attempt, now, why))


def failure(error: BaseException) -> Failure:
    """Return why something was not done, as a router is told of it."""
    if isinstance(error, NotAdmitted | ProtocolError):
        return Failure(int(error.close_code), error.code, error.message)
    code, message = (error.code, error.message) if isinstance(error, AtlasError) else ("unavailable", "")
    return Failure(
        CloseCode.UNAVAILABLE, code, message, error.retry_after if isinstance(error, Busy | Unavailable) else None
    )


async def _permitted(engine: Engine, token_id: str, agent_id: str) -> tuple[AgentRecord, Principal]:
    """Return whose connection it is, as agent and as who asks."""
    bearer = await engine.store.tokens.bearer(token_id)
    if bearer is None or bearer.agent.id != agent_id:
        raise NotAdmitted(CloseCode.TOKEN_INVALID, "token_unknown", "this network did not issue this token")
    if bearer.token.revoked_at is not None:
        raise NotAdmitted(CloseCode.TOKEN_REVOKED, "token_revoked", "this token was revoked")
    if bearer.agent.disabled_at is not None or bearer.owner.disabled_at is not None:
        raise NotAdmitted(CloseCode.AGENT_DISABLED, "agent_disabled", "this agent is disabled")
    token, agent = bearer.token, bearer.agent
    who = Principal(bearer.owner, AgentToken(token.id, agent.id, agent.full_name), token.scopes)
    try:
        require(who, Right.CONNECT)
    except Forbidden as error:
        raise NotAdmitted(CloseCode.TOKEN_INVALID, error.code, error.message) from None
    return agent, who


async def _declared(engine: Engine, agent: AgentRecord, hello: Hello) -> list[SkillRecord]:
    if hello.protocol != PROTOCOL_VERSION:
        raise NotAdmitted(
            CloseCode.PROTOCOL_VERSION, "protocol_version", f"this router speaks protocol {PROTOCOL_VERSION}"
        )
    digest = sha256(msgspec.json.encode(hello.skills)).digest()
    if not engine.registry.accepted(agent.id, digest):
        await _check_declared(engine, agent, hello.skills)
        engine.registry.accept(agent.id, digest)
    return [
        SkillRecord(
            agent_id=agent.id,
            name=skill.name,
            description=skill.description,
            input_schema=bytes(skill.input_schema),
            output_schema=bytes(skill.output_schema),
            policy=skill.policy,
            streams=skill.streams,
            updated_at=engine.clock(),
        )
        for skill in hello.skills
    ]


async def _check_declared(engine: Engine, agent: AgentRecord, skills: Sequence[SkillSpec]) -> None:
    names = [skill.name for skill in skills]
    try:
        if len(names) > engine.limits.skills:
            raise InvalidInput(f"more than {engine.limits.skills} skills", code="too_many_skills")
        if len(set(names)) < len(names):
            raise InvalidInput("two skills have the same name", code="duplicate_skill")
        await engine.schemas.check_declared(
            [named for skill in skills for named in _schemas(skill)], whose=agent.owner_id
        )
    except InvalidInput as error:
        raise NotAdmitted(CloseCode.INVALID_REGISTRATION, error.code, error.message) from None


def _asked(schemas: Schemas, data: Raw) -> messages.Question | TaskFailure:
    """Return what a `question` event asks, or the error with which its task is to end: it can't be asked."""
    try:
        question = read_question(bytes(data))
        schemas.check_question(bytes(question.schema), f"question {question.number}")
    except InvalidInput as error:
        return TaskFailure("invalid_question", error.message)
    return question


def _schemas(skill: SkillSpec) -> list[tuple[str, bytes]]:
    return [
        (f"skill {skill.name}, input", bytes(skill.input_schema)),
        (f"skill {skill.name}, output", bytes(skill.output_schema)),
    ]


async def _settle(engine: Engine, said: Arrived, agent: AgentRecord, instance: InstanceRef) -> Admit:
    """Compare what the instance says it holds with what the store says it holds."""
    hello = said.hello
    lost_at_once = list(await succeed(engine, instance, said.identity.token_id, hello.predecessors))
    held = {task.id: task for task in await _held(engine, instance)}
    left = (result for predecessor in hello.predecessors for result in predecessor.results)
    verdicts = [_verdict(held, announced) for announced in (*hello.running, *hello.results, *left)]
    known = {verdict.task for verdict in verdicts if verdict.keep}
    unknown = [task for task_id, task in held.items() if task_id not in known]
    for task in unknown:
        if task.accepted_at is not None:
            # It had the attempt and has forgotten it: that attempt is lost, whatever it did.
            await lost(engine, task.id, task.attempt, Loss.FORGOTTEN)
            lost_at_once.append(RunningAttempt(task.id, task.attempt))
    kept = [task for task in held.values() if task.id in known]
    return Admit(
        to=said.number,
        instance=instance,
        agent=agent.name,
        owner=agent.owner,
        attempts=tuple(verdicts),
        held=tuple(assignment(task) for task in unknown if task.accepted_at is None),
        cancels=tuple(
            Cancel(task.id, task.attempt, task.cancel_reason[:_LINE]) for task in kept if task.cancel_reason is not None
        ),
        answers=tuple(Answer(task.id, task.attempt, reaction) for task in kept for reaction in task.dialogue.reactions),
        lost=tuple(lost_at_once),
    )


async def _held(engine: Engine, instance: InstanceRef) -> list[Task]:
    """Return what the store says that the instance holds; what is just being claimed for it is delivered anyway."""
    held = engine.dispatcher.census.held_by(instance.agent_id)
    if not any(task.instance_id == instance.instance_id for task in held):
        return []
    return await engine.store.tasks.held_by(instance.instance_id)


def _verdict(held: dict[str, Task], announced: RunningAttempt) -> Verdict:
    task = held.get(announced.task)
    if task is None or task.attempt != announced.attempt:
        return Verdict(announced.task, announced.attempt, keep=False)
    return Verdict(announced.task, announced.attempt, keep=True, n=task.last_n)


def _stored(engine: Engine, said: Reported, latest: int, future: "Future[Changed]") -> None:
    engine.router.say(_receipt(engine, said, latest, future))


def _receipt(engine: Engine, said: Reported, latest: int, future: "Future[Changed]") -> Receipt:
    error = CancelledError() if future.cancelled() else future.exception()
    if error is not None:
        return Receipt(said.number, failure=failure(error))
    changed = future.result()
    task, report = changed.task, said.report
    if not isinstance(report, messages.Event):
        return Receipt(said.number, changed.changed)
    if task is not None and not changed.changed and _out_of_turn(task, said.instance, latest, report):
        fault = ProtocolError("the events of an attempt are numbered without gaps", code="event_out_of_turn")
        return Receipt(said.number, failure=failure(fault))
    if task is not None and task.terminal and changed.changed:
        # It asked what can't be asked, and waits for an answer to it.
        engine.dispatcher.part(task)
    current = task is not None and task.attempt == report.attempt and task.state in LEASED
    # An attempt that does not count any more needs its events acknowledged too, or it would keep them.
    return Receipt(said.number, changed.changed, task.last_n if task is not None and current else report.n)


def _out_of_turn(task: Task, by: InstanceRef, latest: int, said: messages.Event) -> bool:
    """Tell whether the attempt is this connection's, and its last event is not the one before this."""
    current = task.state in LEASED and task.attempt == said.attempt and may_report(task, by, latest)
    return current and said.n > task.last_n
