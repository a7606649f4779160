"""`serving`: agents in the loop of an asynchronous test, and what the test can ask of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from agentic_atlas.errors import Conflict, InvalidInput
from agentic_atlas.protocol.caller.tasks import EventInfo, QuestionInfo, TaskInfo, TaskOptions
from agentic_atlas.sdk.agent import Agent
from agentic_atlas.sdk.client.errors import NotFinished
from agentic_atlas.sdk.client.requests import checked
from agentic_atlas.sdk.client.task import waiting_time
from agentic_atlas.sdk.forms.encode import encode_answer, encode_input
from agentic_atlas.sdk.skills.crossing import awaited_on
from agentic_atlas.testing.backend import MemoryBackend
from agentic_atlas.testing.book import Entry
from agentic_atlas.testing.network import Network
from agentic_atlas.testing.requests import Ask, submit
from agentic_atlas.testing.views import event_info, task_info

FOR_EVER = 8 * 24 * 3600.0
"""Seconds after which a wait is given up: more than the longest timeout that a skill can have."""


@asynccontextmanager
async def serving(*agents: Agent) -> AsyncIterator["AsyncCaller"]:
    """Run agents in memory, in the running loop, and give a caller of the first one.

    ```python
    async with serving(agent) as hello:
        assert await hello.call("greet", name="Ada") == "Hello, Ada!"
    ```

    The back-off of a retry is skipped as soon as nothing else goes on. All other time is the loop's own: a skill that
    hangs ends after its timeout, and the test takes as long. `running` has a loop of its own and skips that too.

    Raises:
        ConfigurationError: an agent has no skills or runs already, or two have the same name.
        Exception: what a lifespan raises, as it is.
    """
    network = Network(agents)
    await network.start()
    try:
        yield AsyncCaller(network.backend, agents[0].name)
    finally:
        await network.stop()


class AsyncCaller:
    """Calls one agent, as `AsyncClient` does over a network: the same answers and errors, from any event loop."""

    def __init__(self, backend: MemoryBackend, agent: str) -> None:
        self._backend = backend
        self._agent = agent

    def of(self, agent: Agent | str) -> "AsyncCaller":
        """Return a caller of another one of the agents that run here."""
        return AsyncCaller(self._backend, agent if isinstance(agent, str) else agent.name)

    async def call(
        self, skill: str, input: Mapping[str, Any] | None = None, /, *, timeout: float | None = None, **fields: Any
    ) -> Any:
        """Run a skill and return its output, as plain JSON values.

        Args:
            skill: its name.
            input: fields of the input whose names are taken here, or all of them.
            timeout: seconds after which the task is cancelled and the wait ends.
            **fields: fields of the input.

        Raises:
            TaskError: the task ended without an output; `code` is the task's own, for instance `handler_error`.
            InvalidInput: the input does not fit the skill: there is no task.
            NotFound: there is no such skill (`skill_not_found`).
            NotFinished: `timeout` is over.
            Unavailable: the agent has stopped (`agent_offline`).
        """
        seconds = waiting_time(timeout)
        task = await self._submit(Ask(self._agent, skill, _encoded(input, fields)))
        try:
            return await task.result(seconds)
        except NotFinished:
            await task.cancel("its caller stopped waiting")
            raise

    async def submit(
        self,
        skill: str,
        input: Mapping[str, Any] | None = None,
        /,
        *,
        idempotency_key: str | None = None,
        deadline: datetime | None = None,
        timeout: float | None = None,
        priority: int = 0,
        **fields: Any,
    ) -> "AsyncTask":
        """Submit a task and return at once.

        Args:
            skill: its name.
            input: fields of the input whose names are taken here, or all of them.
            idempotency_key: the same key with the same request is the same task.
            deadline: when the task has to be done, an aware time.
            timeout: seconds its skill may run, in place of the skill's own.
            priority: 0 to 9, higher ones first.
            **fields: fields of the input.

        Raises:
            AtlasError: see `call`; also Conflict, when the key was used for another request.
        """
        asked = checked(
            TaskOptions(idempotency_key=idempotency_key, deadline=deadline, timeout=timeout, priority=priority)
        )
        ask = Ask(
            self._agent,
            skill,
            _encoded(input, fields),
            idempotency_key=asked.idempotency_key,
            deadline=None if asked.deadline is None else asked.deadline.timestamp(),
            timeout=asked.timeout,
            priority=asked.priority,
        )
        return await self._submit(ask)

    async def _submit(self, ask: Ask) -> "AsyncTask":
        async def submitted() -> AsyncTask:
            if self._backend.over is not None:
                raise self._backend.over
            return AsyncTask(self._backend, submit(self._backend, ask))

        return await awaited_on(self._backend.loop, submitted())


class AsyncTask:
    """A submitted task, as `TaskHandle` is one over a network."""

    def __init__(self, backend: MemoryBackend, entry: Entry) -> None:
        self._backend = backend
        self._entry = entry

    def __repr__(self) -> str:
        return f"<task {self.id} {self._entry.task.state}>"

    @property
    def id(self) -> str:
        """The task's id."""
        return self._entry.task.id

    @property
    def info(self) -> TaskInfo:
        """The task as it is now."""
        return task_info(self._entry.task)

    async def result(self, timeout: float | None = None) -> Any:
        """Wait for the task's output, as plain JSON values.

        Raises:
            TaskError: the task ended without one; the code is the task's own.
            NotFinished: it was not done after `timeout` seconds; the task goes on.
        """
        seconds = waiting_time(timeout)
        await self._until(lambda: self._entry.task.terminal, FOR_EVER if seconds is None else seconds)
        info = self.info
        if info.failure is not None:
            raise info.failure
        return info.output

    async def events(self, after: int = 0) -> AsyncIterator[EventInfo]:
        """Yield the task's events in order, those of the past first, until it is done.

        Args:
            after: `seq` of the last event already seen.
        """
        while (event := await self.next_event(after)) is not None:
            yield event
            after = event.seq

    async def next_event(self, after: int) -> EventInfo | None:
        """Return the event that follows the one with this `seq`, or None when the task is done and there is none."""
        entry = self._entry
        await self._until(lambda: len(entry.events) > after or entry.task.terminal, FOR_EVER)
        return event_info(entry.events[after]) if len(entry.events) > after else None

    async def cancel(self, reason: str = "canceled by the caller") -> TaskInfo:
        """Ask for the task to be stopped; it is done when its state says so. No effect on one that is done already."""

        async def cancelled() -> TaskInfo:
            self._backend.cancel(self.id, reason)
            return self.info

        return await awaited_on(self._backend.loop, cancelled())

    async def question(self) -> QuestionInfo | None:
        """Return the task's oldest open question as soon as there is one, or None when the task is done without."""
        await self._until(lambda: bool(self._entry.task.dialogue.open) or self._entry.task.terminal, FOR_EVER)
        return self.info.question

    async def answer(self, value: Any, *, question: int | None = None) -> TaskInfo:
        """Answer the task's oldest open question, as soon as there is one, or the one with this number.

        Raises:
            Conflict: the task ends without a question, or this one is not open (`no_open_question`).
            InvalidInput: the answer does not fit the type that the skill asks for; the question stays open.
        """
        if question is None:
            await self.question()
        open_ones = self._entry.task.dialogue.open
        asked = next((one for one in open_ones if question in (None, one.number)), None)
        encoded = encode_answer(value)
        if asked is None:
            raise Conflict(f"no such question of task {self.id} is open", code="no_open_question")

        async def answered() -> TaskInfo:
            self._backend.answer(self.id, asked, encoded)
            return self.info

        return await awaited_on(self._backend.loop, answered())

    async def _until(self, found: Callable[[], bool], timeout: float) -> None:
        """Wait for something to happen to the task."""
        await awaited_on(self._backend.loop, self._wait(found, timeout))

    async def _wait(self, found: Callable[[], bool], timeout: float) -> None:
        backend, entry = self._backend, self._entry
        try:
            async with asyncio.timeout(timeout):
                with backend.awaited():
                    while not found() and backend.over is None:
                        await entry.changed()
        except TimeoutError:
            raise NotFinished(f"task {self.id} was not done after {timeout:g} s; it goes on", task_id=self.id) from None
        if backend.over is not None and not found():
            raise backend.over


def _encoded(input: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> bytes:
    twice = fields.keys() & (input or {}).keys()
    if twice:
        raise InvalidInput(f"given twice, in the mapping and as keyword: {', '.join(sorted(twice))}")
    return encode_input({**(input or {}), **fields})
