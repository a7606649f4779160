"""The backend's side of the router's port, in memory: real rules for tasks, no store.

It keeps the promises of `router.ports.Backend`: reports are stored in the order of the calls and answered after a
commit, attempts are fenced by instance, a lost attempt is tried again. A test may hold the commits back (`storing`),
or have them fail (`failing`).
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import defaultdict, deque
from dataclasses import dataclass, field

import msgspec

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import (
    NULL,
    Accept,
    Answer,
    Call,
    Caller,
    Event,
    Hello,
    Outcome,
    Reaction,
    Refuse,
    Reply,
    ReplyKind,
    Result,
    RunningAttempt,
    Task,
    Verdict,
)
from agentic_atlas.protocol.tasks import Loss, TaskState, Trigger, after
from agentic_atlas.router.ports import Admission, Arrival, Instance, Receipt, Refused, Replies, Report
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

    def __init__(self) -> None:
        self.tasks: dict[str, Record] = {}
        self.revoked: set[str] = set()
        self.online: dict[str, int] = {}
        self.departures: list[Instance] = []
        self.losses: list[tuple[str, int]] = []
        self.causes: list[Loss] = []
        self.absences: list[str] = []
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
        self._writes: deque[tuple[Future[Receipt], Receipt]] = deque()

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
        while queue and (slot := self.router.reserve(agent_id)) is not None:
            task = self.tasks[queue.popleft()]
            if task.state is not TaskState.SUBMITTED:
                self.router.release(slot)
                continue
            self.take(task, slot)
            self.router.deliver(slot, task.message())

    def take(self, task: Record, slot: Instance) -> None:
        """Claim a waiting task for a slot."""
        task.go(Trigger.CLAIM)
        task.attempt += 1
        task.instance_id, task.accepted, task.last_n = slot.instance_id, False, 0

    def cancel(self, task: Record, reason: str) -> None:
        """Ask for a task's end."""
        task.cancel_reason = reason
        self.router.cancel(task.id, task.attempt, reason)

    def answer(self, task: Record, reaction: Reaction) -> None:
        """Answer a question of a task."""
        task.answers.append(reaction)
        self.router.answer(task.id, task.attempt, reaction)

    def revoke(self, token_id: str) -> None:
        """Revoke a token."""
        self.revoked.add(token_id)
        self.router.disconnect_tokens([token_id], "token_revoked")

    def commit(self) -> None:
        """Answer all reports that wait."""
        while self._writes:
            future, receipt = self._writes.popleft()
            if not future.done():
                future.set_result(receipt)

    # -- `router.ports.Backend`

    async def admit(self, arrival: Arrival) -> Admission:
        await self.admitting.wait()
        if self.failing is not None:
            raise self.failing
        identity, hello = arrival.identity, arrival.hello
        if identity.token_id in self.revoked:
            raise Refused(CloseCode.TOKEN_REVOKED, "token_revoked", "this token was revoked")
        instance_id = hello.instance.id
        self._generations[instance_id] += 1
        self.online[instance_id] = self._generations[instance_id]
        self._tokens[instance_id] = identity.token_id
        lost = self._succeed(instance_id, hello)
        left = (result for ended in hello.predecessors for result in ended.results)
        held = {task.id: task for task in self.tasks.values() if task.is_held(instance_id, task.attempt)}
        verdicts = tuple(self._verdict(instance_id, one) for one in (*hello.running, *hello.results, *left))
        known = {verdict.task for verdict in verdicts if verdict.keep}
        return Admission(
            agent=identity.agent_id,
            owner="ada",
            generation=self._generations[instance_id],
            attempts=verdicts,
            held=tuple(task.message() for task in held.values() if task.id not in known),
            cancels=tuple(
                (RunningAttempt(task.id, task.attempt), task.cancel_reason)
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

    async def departed(self, instance: Instance, silent: float) -> None:
        self.departures.append(instance)
        if self.online.get(instance.instance_id) == instance.generation:
            del self.online[instance.instance_id]

    def report(self, instance: Instance, report: Report) -> Future[Receipt]:
        future: Future[Receipt] = asyncio.get_running_loop().create_future()
        if self.failing is not None:
            future.set_exception(self.failing)
            return future
        if self._out_of_turn(instance, report):
            future.set_exception(ProtocolError("out of turn", code="event_out_of_turn"))
            return future
        self._writes.append((future, self._store(instance, report)))
        future.get_loop().call_soon(self._commit_unless_held_back)
        return future

    async def lost(self, task: str, attempt: int, why: Loss) -> None:
        await self.losing.wait()
        if self.failing is not None:
            raise self.failing
        self.losses.append((task, attempt))
        self.causes.append(why)
        record = self.tasks.get(task)
        if record is not None and record.state is TaskState.WORKING and record.attempt == attempt:
            self._again(record, Trigger.LOSE)

    def absent(self, agent_id: str) -> None:
        self.absences.append(agent_id)

    def freed(self, agent_id: str) -> None:
        self.dispatch(agent_id)

    async def call(self, instance: Instance, call: Call, replies: Replies) -> None:
        key = (call.task, call.attempt, call.id)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self.submit(call.agent, call.skill, bytes(call.input))
        result = await asyncio.shield(child.ended)
        data = result.output if result.outcome is Outcome.COMPLETED else NULL
        replies(Reply(call.id, ReplyKind.RESULT, child.id, data=data, state=child.state.value, error=result.error))

    # -- inside

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

    def _out_of_turn(self, instance: Instance, report: Report) -> bool:
        task = self.tasks.get(report.task)
        held = task is not None and task.is_held(instance.instance_id, report.attempt)
        return held and task is not None and isinstance(report, Event) and report.n > task.last_n + 1

    def _store(self, instance: Instance, report: Report) -> Receipt:
        task = self.tasks.get(report.task)
        if task is None or not task.is_held(instance.instance_id, report.attempt):
            return Receipt(recorded=False)
        match report:
            case Accept():
                task.accepted = True
            case Event() if report.n == task.last_n + 1:
                task.events.append(report)
                task.last_n = report.n
            case Event():
                return Receipt(recorded=False, n=task.last_n)
            case Refuse():
                self._again(task, Trigger.REFUSE)
            case Result():
                task.go(ENDS[report.outcome])
                task.ended.set_result(report)
        return Receipt(recorded=True, n=task.last_n)

    def _again(self, task: Record, trigger: Trigger) -> None:
        task.go(trigger)
        task.instance_id = None
        self._queues[task.agent_id].appendleft(task.id)
        self.dispatch(task.agent_id)
