"""The backend's side of the router's port, in memory: real rules for tasks, no store.

It answers what the router says as `protocol.inside` has it: reports are stored in order and answered after a commit,
attempts are fenced by instance, a lost attempt is tried again. A test may hold the commits back (`storing`), or have
them fail (`failing`).
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.errors import AtlasError, Busy, Unavailable
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import (
    Absent,
    Admit,
    Arrived,
    Audit,
    Called,
    Closing,
    Congested,
    Credit,
    Deliver,
    Departed,
    Failure,
    FromRouter,
    Heard,
    InstanceRef,
    Lost,
    Receipt,
    Replied,
    Reported,
    Revoke,
    Stop,
    Tell,
    TurnAway,
    Unleased,
    Waiting,
    Withdrawn,
)
from agentic_atlas.protocol.messages import (
    NULL,
    Accept,
    Answer,
    Caller,
    Cancel,
    Event,
    Hello,
    Outcome,
    Reaction,
    Refuse,
    Reply,
    ReplyKind,
    Report,
    Result,
    RunningAttempt,
    Task,
    Verdict,
)
from agentic_atlas.protocol.tasks import Loss, TaskState, Trigger, after
from agentic_atlas.router.router import Router

ENDS = {
    Outcome.COMPLETED: Trigger.COMPLETE,
    Outcome.FAILED: Trigger.FAIL,
    Outcome.CANCELED: Trigger.CANCEL,
    Outcome.REJECTED: Trigger.REJECT,
}


@dataclass
class Record:
    """One task."""

    id: str
    agent_id: str
    skill: str
    input: msgspec.Raw
    ended: Future[Result]
    state: TaskState = TaskState.SUBMITTED
    attempt: int = 0
    instance_id: str | None = None
    accepted: bool = False
    cancel_reason: str | None = None
    events: list[Event] = field(default_factory=list)
    last_n: int = 0
    answers: list[Reaction] = field(default_factory=list)

    def is_held(self, instance_id: str, attempt: int) -> bool:
        """Tell whether this instance holds this attempt."""
        return (self.state, self.instance_id, self.attempt) == (TaskState.WORKING, instance_id, attempt)

    def go(self, trigger: Trigger) -> None:
        """Change the state as the table says."""
        state = after(self.state, trigger)
        assert state is not None, f"{trigger} while {self.state}"
        self.state = state

    def message(self) -> Task:
        """Return what delivers the current attempt."""
        caller = Caller("user", "usr_ada", "ada")
        return Task(self.id, self.attempt, self.skill, self.input, caller, "", 0.0, answers=list(self.answers))


class MemoryBackend:
    """Implements `router.ports.Backend`. `router` is set once, before the first call."""

    router: Router

    def __init__(self, clock: Callable[[], float]) -> None:
        self.tasks: dict[str, Record] = {}
        self.credit = Credits(clock)
        self.revoked: set[str] = set()
        self.online: dict[str, int] = {}
        self.departures: list[InstanceRef] = []
        self.losses: list[tuple[str, int]] = []
        self.causes: list[Loss] = []
        self.absences: list[str] = []
        self.calls: list[Called] = []
        self.congestion: list[bool] = []
        self.unleased: tuple[RunningAttempt, ...] = ()
        self.admitting = asyncio.Event()
        self.admitting.set()
        self.losing = asyncio.Event()
        self.losing.set()
        self.storing = asyncio.Event()
        self.storing.set()
        self.failing: AtlasError | None = None
        self._queues: defaultdict[str, deque[str]] = defaultdict(deque)
        self._generations: defaultdict[str, int] = defaultdict(int)
        self._tokens: dict[str, str] = {}
        self._children: dict[tuple[str, int, str], Record] = {}
        self._writes: list[Receipt] = []
        self._running: set[asyncio.Task[None]] = set()
        self._arrivals: dict[int, asyncio.Task[None]] = {}

    # -- for a test

    def submit(self, agent_id: str, skill: str = "echo", payload: bytes = b"{}") -> Record:
        """Add a task and give it to an instance, now or later."""
        task_id = f"task_{len(self.tasks) + 1}"
        ended: Future[Result] = asyncio.get_running_loop().create_future()
        task = self.tasks[task_id] = Record(task_id, agent_id, skill, msgspec.Raw(payload), ended)
        self._queues[agent_id].append(task_id)
        self.dispatch(agent_id)
        return task

    def dispatch(self, agent_id: str) -> None:
        """Give waiting tasks to free slots."""
        queue = self._queues[agent_id]
        while queue and (slot := self.credit.reserve(agent_id)) is not None:
            task = self.tasks[queue.popleft()]
            if task.state is not TaskState.SUBMITTED:
                self.credit.release(slot)
                continue
            self.take(task, slot)
            self.deliver(slot, task)

    def take(self, task: Record, slot: InstanceRef) -> None:
        """Claim a waiting task for a slot."""
        task.go(Trigger.CLAIM)
        task.attempt += 1
        task.instance_id, task.accepted, task.last_n = slot.instance_id, False, 0

    def deliver(self, slot: InstanceRef, task: Record) -> None:
        """Deliver a task to the slot that was reserved for it, or give it back for an instance that has left."""
        instance = self.credit.give(slot)
        if instance is not None:
            self.router.say(Deliver(instance, task.message()))
        elif task.is_held(slot.instance_id, task.attempt):
            self._again(task, Trigger.REFUSE)

    def cancel(self, task: Record, reason: str) -> None:
        """Ask for a task's end."""
        task.cancel_reason = reason
        self.router.say(Stop(task.id, task.attempt, reason))

    def answer(self, task: Record, reaction: Reaction) -> None:
        """Answer a question of a task."""
        task.answers.append(reaction)
        self.router.say(Tell(task.id, task.attempt, reaction))

    def revoke(self, token_id: str) -> None:
        """Revoke a token."""
        self.revoked.add(token_id)
        self.router.say(Revoke((token_id,), "token_revoked"))

    def holds(self, task_id: str, attempt: int) -> bool:
        """Ask the router whether the attempt has a lease."""
        self.router.say(Audit((RunningAttempt(task_id, attempt),)))
        return not self.unleased

    def commit(self) -> None:
        """Answer all reports that wait."""
        receipts, self._writes = self._writes, []
        for receipt in receipts:
            self.router.say(receipt)

    # -- `router.ports.Backend`

    def say(self, message: FromRouter) -> None:
        """Take what the router says."""
        getattr(self, f"_{type(message).__name__.lower()}")(message)

    async def admit(self, said: Arrived) -> Admit | TurnAway:
        await self.admitting.wait()
        if self.failing is not None:
            return TurnAway(said.number, failure(self.failing))
        identity, hello = said.identity, said.hello
        if identity.token_id in self.revoked:
            revoked = Failure(CloseCode.TOKEN_REVOKED, "token_revoked", "this token was revoked")
            return TurnAway(said.number, revoked)
        instance_id = hello.instance.id
        self._generations[instance_id] += 1
        instance = InstanceRef(identity.agent_id, instance_id, self._generations[instance_id])
        self.credit.instances.registered(instance)
        self.online[instance_id] = instance.generation
        self._tokens[instance_id] = identity.token_id
        lost = self._succeed(instance_id, hello)
        left = (result for ended in hello.predecessors for result in ended.results)
        held = {task.id: task for task in self.tasks.values() if task.is_held(instance_id, task.attempt)}
        verdicts = tuple(self._verdict(instance_id, one) for one in (*hello.running, *hello.results, *left))
        known = {verdict.task for verdict in verdicts if verdict.keep}
        return Admit(
            to=said.number,
            instance=instance,
            agent=identity.agent_id,
            owner="ada",
            attempts=verdicts,
            held=tuple(task.message() for task in held.values() if task.id not in known),
            cancels=tuple(
                Cancel(task.id, task.attempt, task.cancel_reason)
                for task in held.values()
                if task.id in known and task.cancel_reason is not None
            ),
            lost=lost,
            answers=tuple(
                Answer(task.id, task.attempt, reaction)
                for task in held.values()
                if task.id in known
                for reaction in task.answers
            ),
        )

    # -- one for each message

    def _arrived(self, said: Arrived) -> None:
        self._arrivals[said.number] = self._spawn(self._let_in(said))

    def _withdrawn(self, said: Withdrawn) -> None:
        self._arrivals[said.number].cancel()

    def _credit(self, said: Credit) -> None:
        if self.credit.granted(said):
            self.dispatch(said.instance.agent_id)

    def _congested(self, said: Congested) -> None:
        self.congestion.append(said.congested)

    def _heard(self, said: Heard) -> None:
        self.credit.heard(said)

    def _reported(self, said: Reported) -> None:
        if self.failing is not None:
            self.router.say(Receipt(said.number, failure=failure(self.failing)))
        elif self._out_of_turn(said.instance, said.report):
            fault = Failure(CloseCode.PROTOCOL_VIOLATION, "event_out_of_turn", "out of turn")
            self.router.say(Receipt(said.number, failure=fault))
        else:
            recorded, n = self._store(said.instance, said.report)
            self._writes.append(Receipt(said.number, recorded, n))
            asyncio.get_running_loop().call_soon(self._commit_unless_held_back)

    def _lost(self, said: Lost) -> None:
        self._spawn(self._lose(said))

    def _waiting(self, said: Waiting) -> None:
        for instance_id in said.instances:
            self.credit.instances.waits(instance_id, said.seconds)

    def _departed(self, said: Departed) -> None:
        self.credit.departed(said)
        if said.expected:
            return
        self.departures.append(said.instance)
        if self.online.get(said.instance.instance_id) == said.instance.generation:
            del self.online[said.instance.instance_id]

    def _absent(self, said: Absent) -> None:
        self.absences.append(said.agent_id)

    def _called(self, said: Called) -> None:
        self.calls.append(said)
        call = said.call
        key = (call.task, call.attempt, call.id)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self.submit(call.agent, call.skill, bytes(call.input))
        self._spawn(self._reply(said, child))

    def _unleased(self, said: Unleased) -> None:
        self.unleased = said.attempts

    def _closing(self, said: Closing) -> None:
        self.credit.close()

    # -- inside

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _let_in(self, said: Arrived) -> None:
        self.router.say(await self.admit(said))

    async def _lose(self, said: Lost) -> None:
        await self.losing.wait()
        if self.failing is not None:
            self.router.say(Receipt(said.number, failure=failure(self.failing)))
            return
        self.losses.append((said.task, said.attempt))
        self.causes.append(said.why)
        record = self.tasks.get(said.task)
        if record is not None and record.state is TaskState.WORKING and record.attempt == said.attempt:
            self._again(record, Trigger.LOSE)
        self.router.say(Receipt(said.number, recorded=True))

    async def _reply(self, said: Called, child: Record) -> None:
        result = await asyncio.shield(child.ended)
        data = result.output if result.outcome is Outcome.COMPLETED else NULL
        reply = Reply(said.call.id, ReplyKind.RESULT, child.id, data=data, state=child.state.value, error=result.error)
        self.router.say(Replied(said.instance, reply))

    def _commit_unless_held_back(self) -> None:
        if self.storing.is_set():
            self.commit()

    def _succeed(self, heir: str, hello: Hello) -> tuple[RunningAttempt, ...]:
        """Hand on what ended processes with the same token held, or lose it, as the real backend does."""
        ended = {one.instance for one in hello.predecessors if self._tokens.get(one.instance) == self._tokens[heir]}
        results = {(one.task, one.attempt) for predecessor in hello.predecessors for one in predecessor.results}
        left = [task for task in self.tasks.values() if task.state is TaskState.WORKING and task.instance_id in ended]
        lost = []
        for task in left:
            if (task.id, task.attempt) in results:
                task.instance_id = heir
            elif task.instance_id != heir:
                lost.append(RunningAttempt(task.id, task.attempt))
                self._again(task, Trigger.LOSE)
        return tuple(lost)

    def _verdict(self, instance_id: str, announced: RunningAttempt) -> Verdict:
        task = self.tasks.get(announced.task)
        if task is None or not task.is_held(instance_id, announced.attempt):
            return Verdict(announced.task, announced.attempt, keep=False)
        return Verdict(announced.task, announced.attempt, keep=True, n=task.last_n)

    def _out_of_turn(self, instance: InstanceRef, report: Report) -> bool:
        task = self.tasks.get(report.task)
        held = task is not None and task.is_held(instance.instance_id, report.attempt)
        return held and task is not None and isinstance(report, Event) and report.n > task.last_n + 1

    def _store(self, instance: InstanceRef, report: Report) -> tuple[bool, int]:
        """Return whether a report counts, and the number of the attempt's last event."""
        task = self.tasks.get(report.task)
        if task is None or not task.is_held(instance.instance_id, report.attempt):
            return False, 0
        match report:
            case Accept():
                task.accepted = True
            case Event() if report.n == task.last_n + 1:
                task.events.append(report)
                task.last_n = report.n
            case Event():
                return False, task.last_n
            case Refuse():
                self._again(task, Trigger.REFUSE)
            case Result():
                task.go(ENDS[report.outcome])
                task.ended.set_result(report)
        return True, task.last_n

    def _again(self, task: Record, trigger: Trigger) -> None:
        task.go(trigger)
        task.instance_id = None
        self._queues[task.agent_id].appendleft(task.id)
        self.dispatch(task.agent_id)


def failure(error: AtlasError) -> Failure:
    """Return an error as the router is told of it."""
    retry_after = error.retry_after if isinstance(error, Busy | Unavailable) else None
    return Failure(CloseCode.UNAVAILABLE, error.code, error.message, retry_after)
