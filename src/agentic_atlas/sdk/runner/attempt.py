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
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import Raw

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.messages import Answer, Limits, Outcome, Result
from agentic_atlas.sdk.logs import Log
from agentic_atlas.sdk.ports import Unasked, Wire
from agentic_atlas.sdk.runner.execution import in_thread, run_async, run_stream
from agentic_atlas.sdk.runner.failures import (
    Ending,
    canceled,
    ending_of,
    failed,
    from_handler,
    invalid_input,
    text_of,
)
from agentic_atlas.sdk.runner.process import ProcessCall
from agentic_atlas.sdk.skills.content import encode_output
from agentic_atlas.sdk.skills.context import Context, Rejected, Scope, SyncContext
from agentic_atlas.sdk.skills.skill import Kind, Skill
from agentic_atlas.sdk.skills.task_log import names
from agentic_atlas.sdk.skills.time_limit import Over

STOP_GRACE: Final = 5.0
"""Seconds a handler may take to stop before the result is sent without it."""

_ENDINGS: Final = {
    Over.DEADLINE: failed("deadline_exceeded", "the deadline of the task has passed"),
    Over.TIMEOUT: failed("timeout", "the skill took longer than its timeout"),
}


class Attempt:
    """A running attempt. Everything here happens on the agent's loop."""

    def __init__(self, skill: Skill, scope: Scope, wire: Wire, log: Log, *, grace: float = STOP_GRACE) -> None:
        self.skill = skill
        self._scope = scope
        self._wire = wire
        self._log = log
        self._grace = grace
        self._alarm: asyncio.TimerHandle | None = None
        self._last_call: asyncio.TimerHandle | None = None
        self._body: asyncio.Task[None] | None = None
        self._process: ProcessCall | None = None
        # Once it is to stop, this is how it ends; before, None.
        self._stopped_as: Ending | None = None
        # True when the result is posted, or none is to be.
        self._reported = False

    @property
    def key(self) -> tuple[str, int]:
        """Task and number of the attempt."""
        return self._scope.task.task, self._scope.task.attempt

    def acknowledged(self, pending: int) -> None:
        """All but `pending` of its events are stored."""
        self._scope.reports.acknowledged(pending)

    def answered(self, message: Answer | Unasked) -> None:
        """A question of it has a reaction, or could not be asked."""
        if isinstance(message, Answer):
            self._scope.questions.react(message.reaction)
        else:
            self._scope.questions.refuse(message.question, message.fault)

    def check_answer(self, question: int, answer: Raw) -> None:
        """Raise InvalidInput when an answer does not fit a question that the handler waits for."""
        self._scope.questions.check(question, answer)

    async def run(self) -> None:
        """Run the skill and post its result. Raises nothing but a cancellation from outside; then there is no result:
        the task is delivered again, or is known to be lost."""
        self._body = asyncio.current_task()
        ending: Ending | None = None
        try:
            self._scope.limit.changed = self._arm
            self._arm()
            if self._stopped_as is None:
                ending = await self._outcome()
        except asyncio.CancelledError:
            if self._stopped_as is None:
                raise
        finally:
            self._wind_up()
        self._report(self._stopped_as or ending)

    def stop(self, ending: Ending) -> None:
        """Have the handler stop; the attempt then ends as `ending`, after the grace at the latest."""
        if self._stopped_as is not None or self._reported:
            return
        self._stopped_as = ending
        self._scope.cancelled.set()
        self._scope.calls.end(self.key)
        self._scope.questions.end()
        self._last_call = self._scope.loop.call_later(self._grace, self._overdue)
        if self._process is not None:
            self._process.terminate()
        elif self._body is not None and self.skill.kind.on_loop:
            self._body.cancel()

    def drop(self) -> None:
        """The attempt is not ours any more: have the handler stop, and post nothing of it."""
        self.stop(canceled("the attempt is not this instance's any more"))
        self._reported = True

    def leave(self) -> None:
        """The agent ends: do not wait for the handler, post nothing."""
        self._reported = True
        self._scope.cancelled.set()
        if self._body is not None:
            self._body.cancel()

    async def _outcome(self) -> Ending:
        try:
            return await self._invoke()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return self._failure(error)  # of something the handler waited for
        except BaseException as error:  # noqa: BLE001 - no error of a handler ends the agent, sys.exit() included
            return self._failure(error)

    async def _invoke(self) -> Ending:
        try:
            arguments = self.skill.signature.read_input(bytes(self._scope.task.input))
        except InvalidInput as error:
            return invalid_input(error)
        return Ending(Outcome.COMPLETED, await self._output(arguments))

    async def _output(self, arguments: dict[str, object]) -> Raw:
        skill, limits = self.skill, self._scope.limits
        if skill.signature.context is not None:
            arguments[skill.signature.context] = (Context if skill.kind.on_loop else SyncContext)(self._scope)
        match skill.kind:
            case Kind.ASYNC:
                return await run_async(skill, arguments, limits)
            case Kind.STREAM:
                return await run_stream(skill, arguments, limits, self._scope.reports)
            case Kind.THREAD:
                function: Callable[[], object] = partial(skill.function, **arguments)
            case Kind.PROCESS:
                self._process = ProcessCall(skill.function, arguments)
                function = self._process.run
        return await in_thread(
            lambda: encode_output(function(), skill.signature.output, limits), name=f"atlas-skill-{skill.name}"
        )

    def _failure(self, error: BaseException) -> Ending:
        if self._stopped_as is None and not isinstance(error, Rejected):
            told = names(self._scope.task)
            self._log.error("skill failed", error=text_of(error), exc_info=from_handler(error), **told)
        return ending_of(error)

    def _arm(self) -> None:
        """Set the timer for when the attempt is to be stopped, as things are now."""
        if self._alarm is not None:
            self._alarm.cancel()
        over = self._scope.limit.next()
        self._alarm = None if over is None else self._scope.loop.call_later(over[0], self.stop, _ENDINGS[over[1]])

    def _overdue(self) -> None:
        if self._process is not None:
            self._process.kill()
            return
        told = names(self._scope.task)
        self._log.warning("a skill does not stop: its slot stays taken until it returns", grace=self._grace, **told)
        self._report(self._stopped_as)

    def _wind_up(self) -> None:
        self._scope.limit.changed = _nobody
        for timer in (self._alarm, self._last_call):
            if timer is not None:
                timer.cancel()
        self._scope.cancelled.set()
        self._scope.calls.end(self.key)
        self._scope.questions.end()
        if self._process is not None:
            self._process.kill()

    def _report(self, ending: Ending | None) -> None:
        if self._reported or ending is None:
            return
        self._reported = True
        self._scope.reports.close()
        self._wire.post(Result(*self.key, ending.outcome, ending.output, ending.error))


def _nobody() -> None:
    pass


def window(limits: Limits, concurrency: int) -> int:
    """Return how many events of one attempt may be on their way, so that all attempts together stay within limits."""
    return max(1, limits.unacknowledged // (concurrency + 1))
