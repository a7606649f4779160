"""What the router asks of the engine: to let an instance in, and to store what it says of its attempts."""

import asyncio
from asyncio import Future
from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.assignment import assignment
from agentic_atlas.backend.domain.questions import read_question
from agentic_atlas.backend.domain.records import Agent, Instance, Skill, Task, TaskError
from agentic_atlas.backend.domain.reporting import decide
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.succession import succeed
from agentic_atlas.backend.ports import Changed, Fleet, Schemas
from agentic_atlas.errors import AtlasError, Conflict, InvalidInput
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Answer, Hello, Report, RunningAttempt, SkillSpec, Verdict
from agentic_atlas.protocol.tasks import LEASED, Loss
from agentic_atlas.protocol.versions import PROTOCOL_VERSION


class NotAdmitted(AtlasError):
    """An instance is not let in.

    Attributes:
        close_code: what its connection is closed with.
    """

    default_code = "not_admitted"

    def __init__(self, close_code: CloseCode, code: str, message: str) -> None:
        super().__init__(message, code=code)
        self.close_code = close_code


class Admitted(msgspec.Struct, frozen=True):
    """An instance is let in; see `router.ports.Admission`, which says the same in the router's words."""

    agent: Agent
    generation: int
    attempts: tuple[Verdict, ...]
    held: tuple[messages.Task, ...]
    cancels: tuple[tuple[RunningAttempt, str], ...]
    answers: tuple[Answer, ...]
    lost: tuple[RunningAttempt, ...] = ()


class Stored(msgspec.Struct, frozen=True):
    """What became of a report."""

    recorded: bool
    n: int = 0
    """Number of the attempt's last stored event."""


async def admit(engine: Engine, token_id: str, agent_id: str, hello: Hello, opened_at: float) -> Admitted:
    """Register an instance and settle what it holds; `opened_at` is when it presented its token.

    Raises:
        NotAdmitted: its token was revoked, its agent is gone or disabled, or what it declares is not acceptable.
    """
    agent = await _permitted(engine, token_id, agent_id)
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
            opened_at=opened_at,
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
    engine.registry.forget(agent.id)
    engine.absence.came(agent.id)
    return await _settle(engine, agent, instance, hello)


async def _registered(engine: Engine, instance: Instance, description: str, skills: Sequence[Skill]) -> Instance:
    agent_id, offers = instance.agent_id, engine.dispatcher.offers
    offers.came(agent_id, instance.id, skills)
    try:
        registered = await engine.store.agents.register(instance, description, offers.offered(agent_id))
    except Conflict as error:
        raise NotAdmitted(CloseCode.INVALID_REGISTRATION, error.code, error.message) from None
    else:
        offers.came(agent_id, instance.id, skills, registered.generation)
        return registered
    finally:
        # Not registered after all.
        offers.left(agent_id, instance.id, None)


async def departed(engine: Engine, agent_id: str, instance_id: str, generation: int, silent: float = 0.0) -> None:
    """A connection ended, that was heard last so many seconds ago.

    The agent offers what its other instances have, or, without another one, what it did.
    """
    gone = engine.dispatcher.offers.left(agent_id, instance_id, generation)
    now = engine.clock()
    await engine.store.agents.depart(instance_id, generation, now, now - silent)
    offered = engine.dispatcher.offers.offered(agent_id)
    if gone and offered:
        await engine.store.agents.declare(agent_id, offered)
        engine.registry.forget(agent_id)


def report(engine: Engine, instance_id: str, said: Report) -> "Future[Stored]":
    """Store what an instance says of an attempt; reports are stored in the order of these calls.

    Reports of an attempt that is not this instance's current one change nothing, and are answered all the same.
    """
    held = engine.dispatcher.census.get(said.task)
    current = held is not None and (held.instance_id, held.attempt) == (instance_id, said.attempt)
    asked = None
    if current and isinstance(said, messages.Event) and said.kind is messages.EventKind.QUESTION:
        asked = _asked(engine.schemas, said.data)
    change = partial(decide, instance_id=instance_id, said=said, now=engine.clock(), asked=asked)
    stored: Future[Stored] = asyncio.get_running_loop().create_future()
    follow = partial(_stored, stored, instance_id, said, engine.fleet)
    engine.dispatcher.apply(said.task, change).add_done_callback(follow)
    return stored


async def lost(engine: Engine, task_id: str, attempt: int, why: Loss) -> None:
    """The instance that holds the attempt did not come back within the grace period, or has forgotten it."""
    now = engine.clock()
    await engine.dispatcher.apply(task_id, lambda task: lifecycle.lose(task, attempt, now, why))


async def _permitted(engine: Engine, token_id: str, agent_id: str) -> Agent:
    token = await engine.store.tokens.get(token_id)
    if token is None or token.agent_id != agent_id:
        raise NotAdmitted(CloseCode.TOKEN_INVALID, "token_unknown", "this network did not issue this token")
    if token.revoked_at is not None:
        raise NotAdmitted(CloseCode.TOKEN_REVOKED, "token_revoked", "this token was revoked")
    agent = await engine.store.agents.get(agent_id)
    if agent is None:
        raise NotAdmitted(CloseCode.AGENT_DISABLED, "agent_deleted", "this agent was deleted")
    owner = await engine.store.users.get(agent.owner_id)
    if agent.disabled_at is not None or owner is None or owner.disabled_at is not None:
        raise NotAdmitted(CloseCode.AGENT_DISABLED, "agent_disabled", "this agent is disabled")
    return agent


async def _declared(engine: Engine, agent: Agent, hello: Hello) -> list[Skill]:
    if hello.protocol != PROTOCOL_VERSION:
        raise NotAdmitted(
            CloseCode.PROTOCOL_VERSION, "protocol_version", f"this router speaks protocol {PROTOCOL_VERSION}"
        )
    names = [skill.name for skill in hello.skills]
    try:
        if len(names) > engine.limits.skills:
            raise InvalidInput(f"more than {engine.limits.skills} skills", code="too_many_skills")
        if len(set(names)) < len(names):
            raise InvalidInput("two skills have the same name", code="duplicate_skill")
        await engine.schemas.check_declared(
            [named for skill in hello.skills for named in _schemas(skill)], whose=agent.owner_id
        )
    except InvalidInput as error:
        raise NotAdmitted(CloseCode.INVALID_REGISTRATION, error.code, error.message) from None
    return [
        Skill(
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


def _asked(schemas: Schemas, data: Raw) -> messages.Question | TaskError:
    """Return what a `question` event asks, or the error with which its task is to end: it can't be asked."""
    try:
        question = read_question(bytes(data))
        schemas.check_question(bytes(question.schema), f"question {question.number}")
    except InvalidInput as error:
        return TaskError("invalid_question", error.message)
    return question


def _schemas(skill: SkillSpec) -> list[tuple[str, bytes]]:
    return [
        (f"skill {skill.name}, input", bytes(skill.input_schema)),
        (f"skill {skill.name}, output", bytes(skill.output_schema)),
    ]


async def _settle(engine: Engine, agent: Agent, instance: Instance, hello: Hello) -> Admitted:
    """Compare what the instance says it holds with what the store says it holds."""
    lost_at_once = list(await succeed(engine, instance, hello.predecessors))
    held = {task.id: task for task in await engine.store.tasks.held_by(instance.id)}
    left = (result for predecessor in hello.predecessors for result in predecessor.results)
    verdicts = [_verdict(held, announced) for announced in (*hello.running, *hello.results, *left)]
    known = {verdict.task for verdict in verdicts if verdict.keep}
    unknown = [task for task_id, task in held.items() if task_id not in known]
    for task in unknown:
        if task.accepted_at is not None:
            # It had the attempt and has forgotten it: that attempt is lost, whatever it did.
            await lost(engine, task.id, task.attempt, Loss.FORGOTTEN)
            lost_at_once.append(RunningAttempt(task.id, task.attempt))
    return Admitted(
        agent=agent,
        generation=instance.generation,
        attempts=tuple(verdicts),
        held=tuple(assignment(task) for task in unknown if task.accepted_at is None),
        cancels=tuple(
            (RunningAttempt(task.id, task.attempt), task.cancel_reason)
            for task in held.values()
            if task.id in known and task.cancel_reason is not None
        ),
        answers=tuple(
            Answer(task.id, task.attempt, reaction)
            for task in held.values()
            if task.id in known
            for reaction in task.dialogue.reactions
        ),
        lost=tuple(lost_at_once),
    )


def _verdict(held: dict[str, Task], announced: RunningAttempt) -> Verdict:
    task = held.get(announced.task)
    if task is None or task.attempt != announced.attempt:
        return Verdict(announced.task, announced.attempt, keep=False)
    return Verdict(announced.task, announced.attempt, keep=True, n=task.last_n)


def _stored(stored: "Future[Stored]", instance_id: str, said: Report, fleet: Fleet, future: "Future[Changed]") -> None:
    if stored.cancelled():
        return
    error = None if future.cancelled() else future.exception()
    if future.cancelled() or error is not None:
        stored.set_exception(error or asyncio.CancelledError())
        return
    changed = future.result()
    task = changed.task
    if isinstance(said, messages.Event):
        if _out_of_turn(task, instance_id, said, changed):
            stored.set_exception(
                ProtocolError("the events of an attempt are numbered without gaps", code="event_out_of_turn")
            )
            return
        if task is not None and task.terminal and changed.changed:
            # It asked what can't be asked, and waits for an answer to it.
            fleet.cancel(task)
            fleet.forget(task)
        current = task is not None and task.attempt == said.attempt and task.state in LEASED
        # An attempt that does not count any more needs its events acknowledged too, or it would keep them.
        stored.set_result(Stored(changed.changed, task.last_n if task is not None and current else said.n))
    else:
        stored.set_result(Stored(changed.changed))


def _out_of_turn(task: Task | None, instance_id: str, said: messages.Event, changed: Changed) -> bool:
    """Tell whether the attempt is this instance's, and its last event is not the one before this."""
    if task is None or changed.changed or task.state not in LEASED:
        return False
    return (task.instance_id, task.attempt) == (instance_id, said.attempt) and said.n > task.last_n
