"""What changes, told to whoever has pages open, as far as they may see it: which of what they show to look at again."""

from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from typing import TypeAlias

from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord
from agentic_atlas.backend.engine.changes import TaskSeen, Told
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal, Right, may
from agentic_atlas.backend.usecases.application import still, use_case
from agentic_atlas.errors import AtlasError, Unauthenticated
from agentic_atlas.protocol.caller.changes import ChangedAgent, ChangedTask, ChangeSignal

Watched: TypeAlias = tuple[AbstractContextManager[None], AsyncGenerator[ChangeSignal | None, None]]
"""A place to be held meanwhile, which raises Busy (`too_many_watchers`), and what changes."""


@use_case
async def missed(who: Principal, engine: Engine, after: int | None) -> ChangeSignal:
    """Return what changed after this number; without one, only the number that there is by now."""
    signal, _ = await _signal(who, engine, engine.changes.seq if after is None else after)
    return signal


@use_case
async def watch(who: Principal, engine: Engine, after: int | None, keep_alive: float) -> Watched:
    """Return what tells of what changes after this number, from now on without one.

    The first that is told says what was missed, or that everything may be different; None stands for `keep_alive`
    seconds without anything. It ends when the server stops, and when what somebody sees is no more what it was:
    whoever watches begins anew. Raises Unauthenticated once they may not be told anything any more.
    """
    return engine.changes.place(who.user.id), _watched(who, engine, after, keep_alive)


async def _watched(
    who: Principal, engine: Engine, after: int | None, keep_alive: float
) -> AsyncGenerator[ChangeSignal | None, None]:
    with engine.changes.watch(who) as bell:
        seq = engine.changes.seq if after is None else after
        first, rung = True, True
        try:
            while not bell.closed:
                # Who had a right when this began may have lost it since; those who lost it meanwhile were refused.
                # A page that is only left open does not keep anybody logged in.
                who = await still(engine, who, used=False)
                signal, seq = await _signal(who, engine, seq)
                bell.check()
                if first or signal.says:
                    yield signal
                elif not rung:
                    yield None
                first, rung = False, await bell.changed(keep_alive)
        except Unauthenticated:
            raise
        except AtlasError:
            yield ChangeSignal(seq=engine.changes.seq, everything=True)


async def _signal(who: Principal, engine: Engine, after: int) -> tuple[ChangeSignal, int]:
    """Return what somebody may know of what was told after this number, and up to which number that is.

    The signal has that number only where it says something: else it would tell when others changed what they don't see.
    """
    told = engine.changes.after(after)
    if told is None:
        seq = engine.changes.seq
        return ChangeSignal(seq=seq, everything=True), seq
    seen = [task for task in told.tasks.values() if await _sees(who, engine, task)]
    upto = max(told.seq, after)
    signal = ChangeSignal(
        seq=upto,
        everything=told.everything,
        tasks=tuple(
            ChangedTask(id=one.id, agent=one.agent, skill=one.skill, state=one.state.value, seq=one.seq) for one in seen
        ),
        agents=await _agents(who, engine, told),
        tokens=await _tokens(who, engine, told),
        questions=any(one.asked for one in seen),
        account=who.user.id in told.accounts,
        people=bool(told.accounts) and may(who, Right.MANAGE_USERS),
        audit=told.audited and may(who, Right.READ_AUDIT),
    )
    return signal if signal.says else ChangeSignal(seq=after), upto


async def _sees(who: Principal, engine: Engine, task: TaskSeen) -> bool:
    if who.visible.task(task.caller_id, task.owner_id, None):
        return True
    return who.visible.task(task.caller_id, task.owner_id, await engine.changes.record(task.agent_id))


async def _agents(who: Principal, engine: Engine, told: Told) -> tuple[ChangedAgent, ...]:
    if not told.agents or not may(who, Right.READ_AGENTS):
        return ()
    found: list[ChangedAgent] = []
    for agent_id, was in told.agents.items():
        now = await engine.changes.record(agent_id)
        shown = next((one for one in (now, was) if one is not None and who.visible.level(one) is not None), None)
        if shown is not None:
            found.append(_agent(engine, shown, there=shown is now))
    return tuple(found)


def _agent(engine: Engine, agent: AgentRecord, *, there: bool) -> ChangedAgent:
    online = engine.credit.online(agent.id) if there else 0
    status = "disabled" if agent.disabled_at is not None else "online" if online else "offline"
    return ChangedAgent(id=agent.id, name=agent.full_name, status=status if there else "gone", instances=online)


async def _tokens(who: Principal, engine: Engine, told: Told) -> tuple[str, ...]:
    if not told.tokens or not may(who, Right.READ_TOKENS):
        return ()
    found = [await engine.changes.record(agent_id) for agent_id in sorted(told.tokens)]
    return tuple(one.full_name for one in found if one is not None and who.visible.may(one, AccessLevel.MANAGE))
