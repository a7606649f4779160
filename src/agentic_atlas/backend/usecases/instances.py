"""Instances of agents: let in with what they declare, and what they and their predecessors hold is settled.

The newcomer says which processes of its token, or of one that it came out of, have ended for certain, and which results
they left. Whose attempts those are is for the store to say: a process of any other token is none of its business.
"""

import math
from collections.abc import Sequence
from functools import partial
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change, assignment
from agentic_atlas.backend.domain.names import split_agent
from agentic_atlas.backend.domain.records import Instance, SkillRecord, Task
from agentic_atlas.backend.engine.access import NotAdmitted, declaration, failure
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Write
from agentic_atlas.backend.rights import AgentToken, Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import Conflict, InvalidInput
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import Admit, Arrived, Dismiss, InstanceRef
from agentic_atlas.protocol.messages import Answer, Hello, Predecessor, RunningAttempt, SkillSpec, Verdict
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.protocol.versions import PROTOCOL_VERSION


@use_case
async def admit(who: Principal, engine: Engine, said: Arrived) -> Admit:
    """Register an instance of the agent whose token the principal has, and settle what it holds.

    Raises:
        NotAdmitted: the token is for another agent, or what the instance declares is not acceptable.
    """
    token, hello = who.credential, said.hello
    shown = said.identity
    if not isinstance(token, AgentToken) or (token.id, token.agent_id) != (shown.token_id, shown.agent_id):
        raise NotAdmitted(CloseCode.TOKEN_INVALID, "token_unknown", "this token is for another agent")
    if token.key_id not in ("", shown.key_id):
        # Whoever had an old key could have signed it: it would not end with that key.
        raise NotAdmitted(CloseCode.TOKEN_INVALID, "token_unknown", "this network signed it with another key")
    validated_at = engine.clock()
    _, name = split_agent(token.agent)
    # Code may say the name that its agent had when the token was made: an agent that is renamed goes on.
    if hello.agent not in (None, name, *token.former_names):
        raise NotAdmitted(CloseCode.WRONG_AGENT, "wrong_agent", f"it is for {name}, the code declares {hello.agent}")
    skills = await _declared(who, engine, token.agent_id, hello)
    info = hello.instance
    instance = await _registered(
        engine,
        Instance(
            id=info.id,
            agent_id=token.agent_id,
            token_id=token.id,
            generation=engine.credit.instances.latest(info.id),
            connected_at=engine.clock(),
            opened_at=shown.presented_at,
            validated_at=validated_at,
            host=info.host,
            pid=info.pid,
            sdk=info.sdk,
            runtime=info.runtime,
            code_hash=info.code_hash,
            concurrency=hello.concurrency,
            labels=hello.labels,
            lineage=token.lineage,
            address=shown.address,
        ),
        hello.description,
        skills,
    )
    engine.access.came(instance, who)
    try:
        engine.changes.agent(token.agent_id)
        admission = await _settle(engine, said, instance, agent=name, owner=who.user.name)
        retires_at = None if token.retires_at == math.inf else token.retires_at
        return replace(admission, renewable=token.renewable, retires_at=retires_at)
    except BaseException:
        # Nobody will say that it has left who was never told that it is there.
        engine.access.left(instance.id, instance.generation)
        engine.dispatcher.offers.left(instance.agent_id, instance.id, instance.generation)
        raise


async def _registered(engine: Engine, instance: Instance, description: str, skills: Sequence[SkillRecord]) -> Instance:
    """Return it with its generation: at once when it has come back as it was, else when that is stored."""
    agent_id, offers = instance.agent_id, engine.dispatcher.offers
    offers.came(agent_id, instance.id, skills)
    try:
        digest = declaration(description, offers.offered(agent_id))
        known = engine.credit.instances.stands(instance.id, instance.token_id)
        if known and engine.registry.unchanged(agent_id, digest):
            registered = _come_back(engine, instance)
        else:
            registered = await _register(engine, instance, description, digest)
    except Conflict as error:
        # Not for good: a process comes back with the token by which its instance is known, or once it may have another.
        raise NotAdmitted(CloseCode.TOKEN_IN_USE, error.code, error.message) from None
    else:
        offers.came(agent_id, instance.id, skills, registered.generation)
        return registered
    finally:
        offers.stays_out(agent_id, instance.id)


async def _register(engine: Engine, instance: Instance, description: str, digest: bytes) -> Instance:
    agent_id, offered = instance.agent_id, engine.dispatcher.offers.offered(instance.agent_id)
    change = engine.registry.declares(agent_id)
    engine.credit.instances.unsettled(instance.id)
    registered = await engine.store.agents.register(instance, description, offered)
    engine.registry.declared(agent_id, change, digest)
    engine.registry.offers(agent_id, offered)
    engine.credit.instances.registered(_ref(registered))
    engine.credit.instances.stored(_ref(registered), registered.token_id)
    return registered


def _come_back(engine: Engine, instance: Instance) -> Instance:
    """Let an instance go on while its connection is being stored (`docs/design/decisions/0028`)."""
    back = replace(instance, generation=instance.generation + 1)
    engine.credit.instances.registered(_ref(back))
    engine.store.agents.come_back(back).then(partial(_came_back, engine, back))
    return back


def _came_back(engine: Engine, instance: Instance, write: Write[None]) -> None:
    if write.error is None:
        engine.credit.instances.stored(_ref(instance), instance.token_id)
    else:
        engine.router.say(Dismiss(_ref(instance), failure(write.error)))


def _ref(instance: Instance) -> InstanceRef:
    return InstanceRef(instance.agent_id, instance.id, instance.generation)


async def _declared(who: Principal, engine: Engine, agent_id: str, hello: Hello) -> list[SkillRecord]:
    if hello.protocol != PROTOCOL_VERSION:
        raise NotAdmitted(
            CloseCode.PROTOCOL_VERSION, "protocol_version", f"this router speaks protocol {PROTOCOL_VERSION}"
        )
    digest = sha256(msgspec.json.encode(hello.skills)).digest()
    if not engine.registry.accepted(agent_id, digest):
        await _check_declared(engine, hello.skills, who.user.id)
        engine.registry.accept(agent_id, digest)
    return [
        SkillRecord(
            agent_id=agent_id,
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


async def _check_declared(engine: Engine, skills: Sequence[SkillSpec], whose: str) -> None:
    names = [skill.name for skill in skills]
    try:
        if len(names) > engine.limits.skills:
            raise InvalidInput(f"more than {engine.limits.skills} skills", code="too_many_skills")
        if len(set(names)) < len(names):
            raise InvalidInput("two skills have the same name", code="duplicate_skill")
        await engine.schemas.check_declared([named for skill in skills for named in _schemas(skill)], whose=whose)
    except InvalidInput as error:
        raise NotAdmitted(CloseCode.INVALID_REGISTRATION, error.code, error.message) from None


def _schemas(skill: SkillSpec) -> list[tuple[str, bytes]]:
    return [
        (f"skill {skill.name}, input", bytes(skill.input_schema)),
        (f"skill {skill.name}, output", bytes(skill.output_schema)),
    ]


async def _settle(engine: Engine, said: Arrived, arrived: Instance, *, agent: str, owner: str) -> Admit:
    """Compare what the instance says it holds with what the store says it holds."""
    hello, instance = said.hello, _ref(arrived)
    lost_at_once = list(await _succeed(engine, instance, arrived.root, hello.predecessors))
    held = {task.id: task for task in await _held(engine, instance)}
    left = (result for predecessor in hello.predecessors for result in predecessor.results)
    verdicts = [_verdict(held, announced) for announced in (*hello.running, *hello.results, *left)]
    known = {verdict.task for verdict in verdicts if verdict.keep}
    unknown = [task for task_id, task in held.items() if task_id not in known]
    for task in unknown:
        if task.accepted_at is not None:
            # It had the attempt and has forgotten it: that attempt is lost, whatever it did.
            forgotten = partial(lifecycle.lose, attempt=task.attempt, now=engine.clock(), why=Loss.FORGOTTEN)
            await engine.dispatcher.change(task.id, forgotten)
            lost_at_once.append(RunningAttempt(task.id, task.attempt))
    kept = [task for task in held.values() if task.id in known]
    missed = [task for task in unknown if task.accepted_at is None]
    engine.cuts.resumed(instance, (*kept, *missed))
    return Admit(
        to=said.number,
        instance=instance,
        agent=agent,
        owner=owner,
        attempts=tuple(verdicts),
        held=tuple(assignment(task) for task in missed),
        cancels=tuple(lifecycle.stop_order(task) for task in kept if task.cancel_reason is not None),
        answers=tuple(Answer(task.id, task.attempt, reaction) for task in kept for reaction in task.dialogue.reactions),
        keeps_logs=engine.logs is not None,
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


async def _succeed(
    engine: Engine, heir: InstanceRef, lineage: str, predecessors: Sequence[Predecessor]
) -> tuple[RunningAttempt, ...]:
    """Hand the attempts whose results are here to the heir, and lose the others at once; return the lost ones.

    Doing it again changes nothing more, so a `hello` that got no `welcome` may be repeated.
    """
    results = {(one.task, one.attempt) for predecessor in predecessors for one in predecessor.results}
    named = {predecessor.instance for predecessor in predecessors} - {heir.instance_id}
    ended = await engine.store.agents.departed(heir.agent_id, lineage, sorted(named)) if named else []
    left = await engine.store.tasks.held_by(*ended) if ended else []
    now = engine.clock()
    changes = {
        task.id: engine.dispatcher.change(
            task.id,
            partial(_inherit, was=task, heir=heir.instance_id, now=now)
            if (task.id, task.attempt) in results
            else partial(_lose, was=task, now=now),
        )
        for task in left
    }
    changed = {task_id: (await change).changed for task_id, change in changes.items()}
    return tuple(
        RunningAttempt(task.id, task.attempt)
        for task in left
        if changed[task.id] and (task.id, task.attempt) not in results
    )


def _inherit(task: Task, *, was: Task, heir: str, now: float) -> Change | None:
    return lifecycle.inherit(task, was.attempt, was.instance_id or "", heir, now)


def _lose(task: Task, *, was: Task, now: float) -> Change | None:
    return lifecycle.lose(task, was.attempt, now, Loss.ENDED) if task.instance_id == was.instance_id else None
