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
from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import Raw

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.messages import Answer, Limits, Outcome, Result
from agentic_atlas.sdk.forks import end_copy, end_if_copy
from agentic_atlas.sdk.logs import Log
from agentic_atlas.sdk.ports import ToLink, UnsaidQuestion
from agentic_atlas.sdk.runner.execution import Yield
from agentic_atlas.sdk.runner.failures import AttemptOutcome, canceled, ending_of, failed, from_handler, invalid_input
from agentic_atlas.sdk.runner.process import ProcessCall
from agentic_atlas.sdk.skills.context import AttemptServices, Context, SyncContext
from agentic_atlas.sdk.skills.skill import Kind, Skill
from agentic_atlas.sdk.skills.task_log import names
from agentic_atlas.sdk.skills.time_limit import Over
from agentic_atlas.sdk.threads import in_thread

T = TypeVar("T")

STOP_GRACE: Final = 5.0
"""Seconds a handler may take to stop before the result is sent without it."""

_ENDINGS: Final = {
    Over.DEADLINE: failed("deadline_exceeded", "the deadline of the task has passed"),
    Over.TIMEOUT: failed("timeout", "the skill took longer than its timeout"),
}
_UNTOLD: Final = failed("handler_error", "the skill ended without a result")


class Attempt:
    """A running attempt. Everything here happens on the agent's loop."""

    def __init__(
        self, skill: Skill, services: AttemptServices, link: ToLink, log: Log, *, grace: float = STOP_GRACE
    ) -> None:
        self.skill = skill
        self._services = services
        self._link = link
        self._log = log
        self._grace = grace
        self._process_id = os.getpid()
        self._began_at = services.clock.monotonic()
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

    @property
    def key(self) -> tuple[str, int]:
        """Task and number of the attempt."""
        return self._services.task.task, self._services.task.attempt

    def acknowledged(self, pending: int) -> None:
        """All but `pending` of its events are stored."""
        self._services.reports.acknowledged(pending)

    def answered(self, message: Answer | UnsaidQuestion) -> None:
        """A question of it has a reaction, or could not be asked."""
        if isinstance(message, Answer):
            self._services.questions.react(message.reaction)
        else:
            self._services.questions.refuse(message.question, message.fault)

    async def run(self) -> None:
        """Run the skill and post its result. Whatever the skill does is an ending, and nothing of it is raised."""
        self._body = asyncio.current_task()
        ending = _UNTOLD
        try:
            self._services.limit.changed = self._arm
            self._arm()
            if not self._is_to_stop:
                ending = await self._invoke()
        except BaseException as error:  # noqa: BLE001 - no error of a handler ends the agent, sys.exit() included
            ending = ending_of(error)
            self._error = error
        self._close(ending)

    def settle(self) -> None:
        """Its task is over: see that its end was told, also when it was ended before its first step."""
        self._close(_UNTOLD)

    def stop(self, ending: AttemptOutcome) -> None:
        """Have the handler stop; the attempt then ends as `ending`, after the grace at the latest."""
        if self._is_to_stop:
            return
        self._stopped_as = ending
        self._let_go()
        self._last_call = self._services.loop.call_later(self._grace, self._overdue)
        if self._process is not None:
            self._process.terminate()
        elif self._body is not None and self._reachable:
            self._body.cancel()

    def drop(self) -> None:
        """The attempt is not ours any more: have the handler stop, and post nothing of it."""
        self.stop(canceled("the attempt is not this instance's any more"))
        if not self._reported:
            self._log.info("task dropped: it is not this process's any more", **names(self._services.task))
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
            arguments = self.skill.signature.read_input(bytes(self._services.task.input), self.skill.name)
        except InvalidInput as error:
            return invalid_input(error)
        return AttemptOutcome(Outcome.COMPLETED, await self._output(arguments))

    async def _output(self, arguments: dict[str, object]) -> Raw:
        skill, services = self.skill, self._services
        if skill.signature.context is not None:
            arguments[skill.signature.context] = (Context if skill.kind.on_loop else SyncContext)(services)
        given = Yield(
            skill.signature.output, services.limits, services.reports, services.cancelled.is_set, streams=skill.streams
        )
        match skill.kind:
            case Kind.ASYNC:
                return given.output(await skill.function(**arguments))
            case Kind.STREAM:
                return await given.arriving(skill.function(**arguments))
            case Kind.WRAPPED:
                value = await self._in_thread(lambda: skill.function(**arguments))
                return await given.arriving(self._reached(value))
            case Kind.THREAD:
                return await self._in_thread(lambda: given.output(skill.function(**arguments)))
            case Kind.GENERATOR:
                return await self._in_thread(lambda: given.in_turn(skill.function(**arguments), services.loop))
            case Kind.PROCESS:
                call = self._process = ProcessCall(skill.function, arguments)
                return await self._in_thread(lambda: given.output(call.run()))

    async def _in_thread(self, function: Callable[[], T]) -> T:
        """Run it in a thread, which nobody can cancel: only an agent that ends does not wait for it."""
        name = f"atlas-skill-{self.skill.name}"
        return await in_thread(lambda: end_copy(function), name=name, give_up=lambda: self._left)

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
        if self._alarm is not None:
            self._alarm.cancel()
        over = self._services.limit.next()
        self._alarm = None if over is None else self._services.loop.call_later(over[0], self.stop, _ENDINGS[over[1]])

    def _overdue(self) -> None:
        if self._process is not None:
            self._process.kill()
            return
        told = names(self._services.task)
        self._log.warning("a skill does not stop: its slot stays taken until it returns", grace=self._grace, **told)
        self._report(self._stopped_as or _UNTOLD)

    def _let_go(self) -> None:
        """Have whoever waits within the handler wait no longer."""
        self._services.cancelled.set()
        self._services.calls.end(self.key)
        self._services.questions.end()
        self._services.reports.release()

    def _close(self, ending: AttemptOutcome) -> None:
        end_if_copy(self._process_id)
        self._services.limit.changed = _nobody
        for timer in (self._alarm, self._last_call):
            if timer is not None:
                timer.cancel()
        self._let_go()
        if self._process is not None:
            self._process.kill()
        self._report(self._stopped_as or ending)

    def _report(self, ending: AttemptOutcome) -> None:
        if self._reported:
            return
        self._reported = True
        self._services.reports.close()
        self._link.post(Result(*self.key, ending.outcome, ending.output, ending.error))
        self._tell(ending)

    def _tell(self, ending: AttemptOutcome) -> None:
        told = names(self._services.task) | {"took": round(self._services.clock.monotonic() - self._began_at, 3)}
        if ending.error is None:
            self._log.info("task completed", **told)
        elif self._error is None or ending is self._stopped_as or ending.outcome is Outcome.REJECTED:
            self._log.info(f"task {ending.outcome}", code=ending.error.code, **told)
        else:
            error, trace = ending.error, from_handler(self._error)
            self._log.error("task failed", code=error.code, error=error.message, exc_info=trace, **told)


def _nobody() -> None:
    pass


def window(limits: Limits, concurrency: int) -> int:
    """Return how many events of one attempt may be on their way, so that all attempts together stay within limits."""
    return max(1, limits.unacknowledged // (concurrency + 1))
