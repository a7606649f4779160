"""`serving`: agents in the loop of an asynchronous test, and what the test can ask of them."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.usecases import shown, tasks
from agentic_atlas.protocol.caller.tasks import EventInfo, QuestionInfo, TaskInfo
from agentic_atlas.sdk.agent import Agent
from agentic_atlas.sdk.client.asynchronous import AsyncTasks
from agentic_atlas.sdk.client.blocking import answers
from agentic_atlas.sdk.client.errors import NotFinished
from agentic_atlas.sdk.client.task import TaskHandle, TaskRequest, merged, requested, submission, waiting_time
from agentic_atlas.sdk.forms.encode import encode_answer
from agentic_atlas.testing.network import FOR_EVER, MemoryNetwork

P = ParamSpec("P")
S = TypeVar("S", TaskInfo, EventInfo)


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
    network = MemoryNetwork(agents)
    await network.start()
    try:
        yield AsyncCaller(network, agents[0].name)
    finally:
        await network.stop()


def _of_one_agent(
    method: Callable[Concatenate[AsyncTasks, str, P], Coroutine[Any, Any, TaskHandle]],
) -> "Callable[Concatenate[AsyncCaller, P], Coroutine[Any, Any, AsyncTask]]":
    """Return `submit` of a client's tasks, with all its options, as that of a caller who has one agent."""

    @wraps(method)
    async def submit(caller: "AsyncCaller", /, *given: P.args, **more: P.kwargs) -> "AsyncTask":
        return await caller._submit(requested(caller._agent, *given, **more))

    return answers(submit, method, "TaskHandle", "AsyncTask", without="agent")


class AsyncCaller:
    """Calls one agent, as `AsyncClient` does over a network: the same answers and errors, from any event loop."""

    def __init__(self, network: MemoryNetwork, agent: str) -> None:
        self._network = network
        self._agent = agent

    def of(self, agent: Agent | str) -> "AsyncCaller":
        """Return a caller of another one of the agents that run here."""
        return AsyncCaller(self._network, agent if isinstance(agent, str) else agent.name)

    async def call(
        self, skill: str, input: Mapping[str, Any] | None = None, /, *, timeout: float | None = None, **fields: object
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
        task = await self._submit(
            TaskRequest(agent=self._agent, skill=skill, input=merged(input, fields), queue_ttl=0.0)
        )
        try:
            return await task.result(seconds)
        except NotFinished:
            await task.cancel("its caller stopped waiting")
            raise

    submit = _of_one_agent(AsyncTasks.submit)

    async def _submit(self, request: TaskRequest) -> "AsyncTask":
        return AsyncTask(self._network, await self._network.submit(submission(request, secrets.token_hex(8))))


class AsyncTask:
    """A submitted task, as `TaskHandle` is one over a network."""

    def __init__(self, network: MemoryNetwork, task: Task) -> None:
        self._network = network
        self._id = task.id

    def __repr__(self) -> str:
        return f"<task {self.id} {self.info.state}>"

    @property
    def id(self) -> str:
        """The task's id."""
        return self._id

    @property
    def info(self) -> TaskInfo:
        """The task as it is now."""
        return _read(shown.task_info(self._network.store.tasks.now(self._id)))

    async def result(self, timeout: float | None = None) -> Any:
        """Wait for the task's output, as plain JSON values.

        Raises:
            TaskError: the task ended without one; the code is the task's own.
            NotFinished: it was not done after `timeout` seconds; the task goes on.
        """
        seconds = waiting_time(timeout)
        await self._network.until(self._id, lambda task: task.terminal, FOR_EVER if seconds is None else seconds)
        info = self.info
        if info.failure is not None:
            raise info.failure
        return info.output

    async def events(self, after: int = 0) -> AsyncGenerator[EventInfo, None]:
        """Yield the task's events in order, those of the past first, until it is done.

        Args:
            after: `seq` of the last event already seen.
        """
        while (event := await self.next_event(after)) is not None:
            yield event
            after = event.seq

    async def next_event(self, after: int) -> EventInfo | None:
        """Return the event that follows the one with this `seq`, or None when the task is done and there is none."""
        await self._network.until(self._id, lambda task: task.last_seq > after or task.terminal, FOR_EVER)
        found = await self._network.do(self._network.store.tasks.events(self._id, after=after, limit=1))
        return _read(shown.event_info(found[0])) if found else None

    async def cancel(self, reason: str = "canceled by the caller") -> TaskInfo:
        """Ask for the task to be stopped; it is done when its state says so. No effect on one that is done already."""
        await self._network.do(tasks.cancel(self._network.tester, self._network.application, self._id, reason))
        return self.info

    async def question(self) -> QuestionInfo | None:
        """Return the task's oldest open question as soon as there is one, or None when the task is done without."""
        await self._network.until(self._id, lambda task: task.dialogue.open or task.terminal, FOR_EVER)
        return self.info.question

    async def answer(self, value: Any, *, question: int | None = None) -> TaskInfo:
        """Answer the task's oldest open question, as soon as there is one, or the one with this number.

        Raises:
            Conflict: the task ends without a question, or this one is not open (`no_open_question`).
            InvalidInput: the answer does not fit the type that the skill asks for; the question stays open.
        """
        if question is None:
            await self.question()
        network = self._network
        answered = tasks.answer(network.tester, network.application, self._id, encode_answer(value), question)
        await self._network.do(answered)
        return self.info


def _read(answer: S) -> S:
    return msgspec.json.decode(msgspec.json.encode(answer), type=type(answer))
