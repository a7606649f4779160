"""What a running skill knows and can do: report, call others, look at its limits.

A skill that runs on the agent's loop gets a `Context`; a plain `def`, which runs in a thread, gets a `SyncContext`,
whose methods are the same ones without `await`. `progress` and `log` are the same in both.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, ClassVar, NoReturn, ParamSpec, TypeAlias, TypeVar

import msgspec

from agentic_atlas.errors import AtlasError, TaskError
from agentic_atlas.protocol.caller.tasks import CallerInfo, CallEvent
from agentic_atlas.protocol.messages import Limits, Task
from agentic_atlas.sdk.skills.answers import AnswerForm
from agentic_atlas.sdk.skills.artifact import Artifact, describe_file
from agentic_atlas.sdk.skills.calls import OutgoingCalls
from agentic_atlas.sdk.skills.crossing import awaited_on, followed_on, leave_to, wait_on
from agentic_atlas.sdk.skills.questions import Questions
from agentic_atlas.sdk.skills.reports import AttemptReports, TaskLog
from agentic_atlas.sdk.skills.time_limit import ServerClock, TimeLimit
from agentic_atlas.sdk.threads import in_thread

P = ParamSpec("P")
T = TypeVar("T")
Work: TypeAlias = Coroutine[Any, Any, T]


class Rejected(AtlasError):
    """The skill declines the task, for a reason of its own; the task ends `rejected`, which is not a failure."""

    default_code: ClassVar[str] = "rejected"


class Posted:
    """Something that is already on its way; `await` it or not, it makes no difference."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class Awaited(Coroutine[object, object, T]):
    """What `call`, `ask` and `artifact` return in an `async def`: a coroutine that is not mistaken for its result.

    One that is asked for a truth value, compared or iterated over was not awaited: that is a TypeError, where
    `if ctx.ask(…)` would else be consent that nobody gave.
    """

    def __init__(self, work: Work[T], name: str) -> None:
        self._work = work
        self._name = name

    def __await__(self) -> Generator[object, None, T]:
        return self._work.__await__()

    def send(self, value: object) -> object:
        """See `Coroutine.send`."""
        return self._work.send(value)

    def throw(self, *error: Any) -> object:
        """See `Coroutine.throw`."""
        return self._work.throw(*error)

    def close(self) -> None:
        """See `Coroutine.close`."""
        self._work.close()

    def _mistaken(self, *_: object) -> NoReturn:
        self._work.close()
        raise TypeError(f"ctx.{self._name}(…) has not been awaited, this is not its result yet: await it")

    __bool__ = __eq__ = __ne__ = __iter__ = __getitem__ = __len__ = __contains__ = _mistaken
    __hash__ = object.__hash__


def awaited(method: Callable[P, Work[T]]) -> Callable[P, Work[T]]:
    """Have a coroutine method return what is not mistaken for its result."""

    @wraps(method)
    def begun(*args: P.args, **kwargs: P.kwargs) -> Work[T]:
        return Awaited(method(*args, **kwargs), method.__name__)

    return begun


@dataclass(frozen=True, slots=True)
class AttemptServices:
    """What a context is made of.

    Attributes:
        limit: when the attempt is stopped at the latest.
        cancelled: set when the attempt is to stop.
        loop: the agent's loop, where calls live.
    """

    task: Task
    reports: AttemptReports
    calls: OutgoingCalls
    clock: ServerClock
    limits: Limits
    log: TaskLog
    loop: asyncio.AbstractEventLoop
    limit: TimeLimit
    questions: Questions
    cancelled: threading.Event


class Context:
    """One attempt of a task, as its skill sees it.

    Attributes:
        log: structured log lines, kept with the task: `ctx.log.info("translating", characters=120)`.
    """

    def __init__(self, services: AttemptServices) -> None:
        self._services = services
        self.log: TaskLog = services.log

    @property
    def task_id(self) -> str:
        """Id of the task."""
        return self._services.task.task

    @property
    def attempt(self) -> int:
        """1 for the first delivery of the task; more after a loss or a retry."""
        return self._services.task.attempt

    @property
    def skill(self) -> str:
        """Name of the skill that runs."""
        return self._services.task.skill

    @property
    def caller(self) -> CallerInfo:
        """Who asked: `kind` is `user`, `api_key` or `agent`; `id` and `name` say which."""
        asked = self._services.task.caller
        return CallerInfo(kind=asked.kind, id=asked.id, name=asked.name)

    @property
    def trace(self) -> str:
        """W3C `traceparent` of the task, to hand on in requests of one's own."""
        return self._services.task.trace

    @property
    def cancelled(self) -> bool:
        """True when the task is to stop: cancelled, timed out, or not ours any more. A `def` has to look by itself."""
        return self._services.cancelled.is_set()

    @property
    def deadline(self) -> datetime | None:
        """The caller's deadline, in UTC on the server's clock; for "how long have I got" take `time_left`."""
        deadline = self._services.task.deadline
        return None if deadline is None else datetime.fromtimestamp(deadline, UTC)

    @property
    def time_left(self) -> float | None:
        """Seconds until timeout or deadline, whichever is first; never below 0; None when there is neither.

        While `ask` waits, the timeout stands still.
        """
        return self._services.limit.left

    def progress(self, fraction: float | None = None, message: str | None = None) -> Posted:
        """Report how far the skill is: 0 to 1, or None when unknown, and a short text.

        It is sent at once, whether awaited or not. When many come faster than they are taken, only the latest counts.
        """
        self._services.reports.progress(fraction, message)
        return Posted()

    @awaited
    async def call(self, agent: str, skill: str, /, **input: object) -> Any:
        """Call a skill of another agent (`name` or `owner/name`) and return its output, as plain JSON values.

        The call is a task of its own in the same trace, with the rights of this task's caller and of this agent, and
        with its deadline. It survives a reconnect, and is cancelled when this task is.

        Raises:
            TaskError: it ended without an output; `code` says why, for instance `agent_not_found`, `agent_offline`.
            InvalidInput: the input has no JSON form, or is too large (`PayloadTooLarge`).
            Busy: this agent has too many open calls.
        """
        self._check_running()
        services = self._services
        return await awaited_on(
            services.loop, services.calls.call(services.task, (agent, skill), input, services.limits)
        )

    def stream(self, agent: str, skill: str, /, **input: object) -> AsyncIterator[CallEvent]:
        """Call a skill and iterate over its events; the last one has kind `result` and the output as its data.

        A reader that leaves 1,000 events unread is cut off with `Busy`. Errors are those of `call`.
        """
        return followed_on(self._services.loop, self._events_of(agent, skill, input))

    @awaited
    async def ask(self, question: str, schema: Any = None, *, timeout: float | None = None) -> Any:
        """Ask a person, and wait for the answer: whoever may see the task may answer it.

        The task is `input_required` meanwhile, for as long as it takes; its own timeout stands still, its deadline does
        not. Question and answer are stored. When the skill runs again, after a loss or a retry, its first `ask` returns
        the first answer at once, its second the second one, …: so ask the same things in the same order.

        Args:
            question: what the person reads; up to 16,384 characters.
            schema: what the answer has to be: a type (`bool`, `Literal["yes", "no"]`, a Pydantic model) or a JSON
                Schema. Another answer is refused, and the question stays open. None takes any JSON value.
            timeout: seconds until the wait is given up.

        Returns:
            The answer, as a value of the type, or as plain JSON values.

        Raises:
            NoAnswer: the timeout is over. Uncaught it ends the task as `failed`, with the code `no_answer`.
            InvalidInput: this can't be asked (`invalid_question`, `too_many_questions`, `PayloadTooLarge`), or the
                answer fits the schema and still not the type (`invalid_answer`).
            Busy: there is no room for a question (`too_many_events`).
        """
        self._check_running()
        return await awaited_on(
            self._services.loop, self._services.questions.ask(question, AnswerForm(schema), timeout)
        )

    @awaited
    async def artifact(self, path: str | Path, *, name: str | None = None, media_type: str | None = None) -> Artifact:
        """Tell of a file that the skill made: name, media type, size and SHA-256. The file stays on this machine.

        Raises:
            OSError: the file cannot be read.
        """
        work = partial(describe_file, path, name=name, media_type=media_type)
        described = await in_thread(work, name="atlas-artifact")
        self._services.reports.artifact(msgspec.structs.asdict(described))
        return described

    def reject(self, message: str, *, code: str = "rejected") -> NoReturn:
        """End the task as `rejected`: the skill does not want it, and no retry is made.

        The code is a word for programs, up to 64 of `a-z`, `0-9` and `_`; anything else in it becomes `_`. One that
        means something of the network's own (`timeout`, `agent_lost`, …) becomes `rejected`.

        Raises:
            Rejected: always; let it pass.
        """
        raise Rejected(message, code=code)

    def _events_of(self, agent: str, skill: str, input: Mapping[str, object]) -> AsyncGenerator[CallEvent, None]:
        self._check_running()
        return self._services.calls.stream(self._services.task, (agent, skill), input, self._services.limits)

    def _check_running(self) -> None:
        if self.cancelled:
            raise TaskError(
                "this task is to stop, it calls and asks nobody any more", code="canceled", state="canceled"
            )


class SyncContext(Context):
    """The context of a plain `def` skill: the same, but `call`, `stream`, `ask` and `artifact` block until done.

    For threads: on the agent's own loop, which they would block for ever, they raise ConfigurationError.
    """

    def call(self, agent: str, skill: str, /, **input: object) -> Any:
        """Call a skill of another agent and return its output; see `Context.call`."""
        return wait_on(self._services.loop, super().call(agent, skill, **input))

    def stream(self, agent: str, skill: str, /, **input: object) -> Any:
        """Call a skill and iterate over its events; see `Context.stream`."""
        return self._following(self._events_of(agent, skill, input))

    def ask(self, question: str, schema: Any = None, *, timeout: float | None = None) -> Any:
        """Ask a person, and wait for the answer; see `Context.ask`."""
        return wait_on(self._services.loop, super().ask(question, schema, timeout=timeout))

    def artifact(self, path: str | Path, *, name: str | None = None, media_type: str | None = None) -> Any:
        """Tell of a file that the skill made, and return its `Artifact`; see `Context.artifact`."""
        described = describe_file(path, name=name, media_type=media_type)
        self._services.reports.artifact(msgspec.structs.asdict(described))
        return described

    def _following(self, events: AsyncGenerator[CallEvent, None]) -> Iterator[CallEvent]:
        async def following() -> CallEvent | None:
            return await anext(events, None)

        async def close() -> None:
            await events.aclose()

        # Each wait ends with the attempt at the latest: `OutgoingCalls.end` then fails what is open.
        try:
            while (event := wait_on(self._services.loop, following())) is not None:
                yield event
        finally:
            # Not waited for: an iterator may be given up on any thread, the agent's own too.
            leave_to(self._services.loop, close())
