"""One attempt of a task: it runs its skill once, within its time, and posts exactly one result, or none.

```
run ──► running ──► ended: the handler's own result
           │ stop(ending): cancelled, out of time, or (drop) not ours any more
           ▼
        stopping ──► ended: the ending it was stopped for, whatever the handler returns
           │ the handler goes on for longer than the grace
           ▼
        overdue: the result is posted already, the slot stays taken until the handler returns
```

Only `drop` and `leave` end it without a result. A cancellation that is neither theirs nor that of `stop` is the
handler's own doing, or that of a library which cancels the task it runs in: an error like any other.
"""

import asyncio
import inspect
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from msgspec import Raw

from agentic_atlas.errors import InvalidInput
from agentic_atlas.observe.logs import Log
from agentic_atlas.protocol.messages import Answer, Limits, Outcome, Result, Task
from agentic_atlas.sdk import forks
from agentic_atlas.sdk.forms.typed import encode_output
from agentic_atlas.sdk.lines.capture import of_process
from agentic_atlas.sdk.lines.origin import CURRENT, SKILL_THREAD
from agentic_atlas.sdk.ports import ToLink, UnsaidQuestion
from agentic_atlas.sdk.runner.execution import Yield
from agentic_atlas.sdk.runner.failures import AttemptOutcome, canceled, ending_of, failed, from_handler, invalid_input
from agentic_atlas.sdk.runner.process import ProcessCall
from agentic_atlas.sdk.skills.context import AttemptServices, Context, SyncContext
from agentic_atlas.sdk.skills.parameters import Function
from agentic_atlas.sdk.skills.skill import Kind, Skill
from agentic_atlas.sdk.skills.time_limit import Over, ServerClock, TimeLimit
from agentic_atlas.sdk.threads import in_thread

T = TypeVar("T")

STOP_GRACE: Final = 5.0
"""Seconds a handler may take to stop before the result is sent without it."""

_ENDINGS: Final[Mapping[Over, AttemptOutcome]] = {
    "deadline_exceeded": failed("deadline_exceeded", "the deadline of the task has passed"),
    "timeout": failed("timeout", "the skill took longer than its timeout"),
}
_UNTOLD: Final = failed("handler_error", "the skill ended without a result")


class Attempt:
    """A running attempt. Everything here happens on the agent's loop.

    Attributes:
        key: task and number of the attempt.
        names: what says of which attempt a line in the agent's own log is.
        limits: those in force when it began.
    """

    def __init__(
        self,
        skill: Skill,
        task: Task,
        services: "Callable[[Attempt, TimeLimit], AttemptServices]",
        link: ToLink,
        log: Log,
        *,
        clock: ServerClock,
        limits: Limits,
        grace: float = STOP_GRACE,
    ) -> None:
        """Begin; `services` are made when the skill asks for more than its input, which most never do."""
        self.skill = skill
        self.task = task
        self.limits = limits
        self.key = (task.task, task.attempt)
        self.names: dict[str, object] = {"skill": task.skill, "task": task.task, "attempt": task.attempt}
        if task.trace:
            self.names["trace"] = task.trace[3:35]  # the id in a `traceparent` (W3C Trace Context)
        self._make = services
        self._services: AttemptServices | None = None
        self._limit: TimeLimit | None = None
        if not (task.deadline is task.timeout is skill.policy.timeout is None):
            self._limit = TimeLimit(clock, task, skill.policy.timeout)
        self._link = link
        self._log = log
        self._clock = clock
        self._grace = grace
        self._loop = asyncio.get_running_loop()
        self._process_id = os.getpid()
        self._began_at = clock.monotonic()
        self._alarm: asyncio.TimerHandle | None = None
        self._last_call: asyncio.TimerHandle | None = None
        self._body: asyncio.Task[None] | None = None
        # Whether the handler is where a cancellation of the body reaches it.
        self._reachable = skill.kind in (Kind.ASYNC, Kind.STREAM)
        self._process: ProcessCall | None = None
        # Once it is to stop, this is how it ends; before, None.
        self._stopped_as: AttemptOutcome | None = None
        # True when the result is posted, or none is to be.
        self._reported = False
        # True when the agent does not wait for it any more.
        self._left = False
        # What the handler raised, to be shown where it runs.
        self._error: BaseException | None = None

    def acknowledged(self, pending: int) -> None:
        """All but `pending` of its events are stored."""
        if self._services is not None:
            self._services.reports.acknowledged(pending)

    def answered(self, message: Answer | UnsaidQuestion) -> None:
        """A question of it has a reaction, or could not be asked."""
        if self._services is None:
            return
        if isinstance(message, Answer):
            self._services.questions.react(message.reaction)
        else:
            self._services.questions.refuse(message.question, message.fault)

    async def run(self) -> None:
        """Run the skill and post its result. Whatever the skill does is an ending, and nothing of it is raised."""
        self._body = asyncio.current_task()
        ending = _UNTOLD
        try:
            if self._limit is not None:
                self._limit.changed = self._arm
                self._arm()
            if not self._is_to_stop:
                ending = await self._invoke()
        except BaseException as error:  # noqa: BLE001 - no error of a handler ends the agent, sys.exit() included
            ending = ending_of(error)
            self._error = error
        self.close(ending)

    def close(self, ending: AttemptOutcome = _UNTOLD) -> None:
        """Its handler is over: see that its end was told, also when that came before its first step."""
        if os.getpid() != self._process_id:
            forks.end()
        if self._limit is not None:
            self._limit.changed = _nobody
        for timer in (self._alarm, self._last_call):
            if timer is not None:
                timer.cancel()
        self._let_go()
        if self._process is not None:
            self._process.kill()
        self._report(self._stopped_as or ending)

    def stop(self, ending: AttemptOutcome) -> None:
        """Have the handler stop; the attempt then ends as `ending`, after the grace at the latest."""
        if self._is_to_stop:
            return
        self._stopped_as = ending
        self._let_go()
        self._last_call = self._loop.call_later(self._grace, self._overdue)
        if self._process is not None:
            self._process.terminate()
        elif self._body is not None and self._reachable:
            self._body.cancel()

    def drop(self) -> None:
        """The attempt is not ours any more: have the handler stop, and post nothing of it."""
        self.stop(canceled("the attempt is not this instance's any more"))
        if not self._reported:
            self._log.info("task_dropped", **self.names)
        self._reported = True

    def leave(self) -> None:
        """The agent ends: do not wait for the handler, post nothing."""
        self._left = self._reported = True
        self._let_go()
        if self._body is not None:
            self._body.cancel()

    @property
    def _is_to_stop(self) -> bool:
        return self._stopped_as is not None or self._reported

    async def _invoke(self) -> AttemptOutcome:
        try:
            arguments = self.skill.signature.read_input(bytes(self.task.input), self.skill.name)
        except InvalidInput as error:
            return invalid_input(error)
        if self.skill.signature.context is not None:
            kind = Context if self.skill.kind.on_loop else SyncContext
            arguments[self.skill.signature.context] = kind(self._served())
        return AttemptOutcome(Outcome.COMPLETED, await self._output(self.skill.function, arguments))

    async def _output(self, function: Function, arguments: dict[str, object]) -> Raw:
        encoded = partial(encode_output, form=self.skill.signature.output, limits=self.limits)
        match self.skill.kind:
            case Kind.ASYNC:
                return encoded(await function(**arguments))
            case Kind.STREAM:
                return await self._yield().arriving(function(**arguments))
            case Kind.WRAPPED:
                given = self._yield()
                return await given.arriving(self._reached(await self._in_thread(lambda: function(**arguments))))
            case Kind.THREAD:
                return await self._in_thread(lambda: encoded(function(**arguments)))
            case Kind.GENERATOR:
                given = self._yield()
                return await self._in_thread(lambda: given.in_turn(function(**arguments), self._loop))
            case Kind.PROCESS:
                call = self._process = ProcessCall(function, arguments, of_process(CURRENT.get()))
                return await self._in_thread(lambda: encoded(call.run()))

    def _yield(self) -> Yield:
        served = self._served()
        form, streams = self.skill.signature.output, self.skill.streams
        return Yield(form, self.limits, served.reports, served.cancelled.is_set, streams=streams)

    def _served(self) -> AttemptServices:
        """Return what it works with beyond its input, from now on. On the loop."""
        if self._services is None:
            limit = self._limit or TimeLimit(self._clock, self.task, None)
            self._services = self._make(self, limit)
        return self._services

    async def _in_thread(self, function: Callable[[], T]) -> T:
        """Run it in a thread, which nobody can cancel: only an agent that ends does not wait for it."""
        name = f"{SKILL_THREAD}{self.skill.name}"
        return await in_thread(lambda: forks.end_copy(function), name=name, give_up=lambda: self._left)

    def _reached(self, value: object) -> object:
        """Return what a thread has returned, to go on with on the loop."""
        self._reachable = True
        if not self._is_to_stop:
            return value
        if inspect.iscoroutine(value):
            value.close()
        raise asyncio.CancelledError

    def _arm(self) -> None:
        """Set the timer for when the attempt is to be stopped, as things are now."""
        assert self._limit is not None
        if self._alarm is not None:
            self._alarm.cancel()
        over = self._limit.next()
        self._alarm = None if over is None else self._loop.call_later(over[0], self.stop, _ENDINGS[over[1]])

    def _overdue(self) -> None:
        if self._process is not None:
            self._process.kill()
            return
        self._log.warning("skill_goes_on", grace=self._grace, **self.names)
        self._report(self._stopped_as or _UNTOLD)

    def _let_go(self) -> None:
        """Have whoever waits within the handler wait no longer."""
        if self._services is not None:
            self._services.cancelled.set()
            self._services.calls.end(self.key)
            self._services.questions.end()
            self._services.reports.release()

    def _report(self, ending: AttemptOutcome) -> None:
        if self._reported:
            return
        self._reported = True
        if self._services is not None:
            self._services.reports.close()
        self._link.post(Result(*self.key, ending.outcome, ending.output, ending.error))
        self._tell(ending)

    def _tell(self, ending: AttemptOutcome) -> None:
        names, took = self.names, round(self._clock.monotonic() - self._began_at, 3)
        if ending.error is None:
            self._log.info("task_completed", took=took, **names)
        elif self._error is None or ending is self._stopped_as or ending.outcome is Outcome.REJECTED:
            self._log.info("task_ended", outcome=str(ending.outcome), code=ending.error.code, took=took, **names)
        else:
            error, trace = ending.error, from_handler(self._error)
            self._log.error("task_failed", code=error.code, error=error.message, exc_info=trace, took=took, **names)


def _nobody() -> None:
    pass


def window(limits: Limits, concurrency: int) -> int:
    """Return how many events of one attempt may be on their way, so that all attempts together stay within limits."""
    return max(1, limits.unacknowledged // (concurrency + 1))
