"""`serving`: agents in the loop of an asynchronous test, and a client's tasks to ask them for, in memory."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from agentic_atlas.backend.domain.names import split_agent
from agentic_atlas.backend.usecases import shown, tasks
from agentic_atlas.errors import InvalidInput, NotFound
from agentic_atlas.protocol.caller.tasks import (
    AnswerRequest,
    CancelRequest,
    EventInfo,
    QuestionInfo,
    SubmitRequest,
    TaskInfo,
)
from agentic_atlas.protocol.caller.values import Asked
from agentic_atlas.protocol.codec import ProtocolError, check_nesting
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.sdk.agent import Agent
from agentic_atlas.sdk.client.asynchronous import AsyncTasks
from agentic_atlas.sdk.client.blocking import told
from agentic_atlas.sdk.client.errors import NotFinished
from agentic_atlas.sdk.client.http import Sources
from agentic_atlas.sdk.client.task import TaskHandle, unanswered
from agentic_atlas.sdk.skills.crossing import awaited_on, followed_on
from agentic_atlas.testing.network import MemoryNetwork

P = ParamSpec("P")
T = TypeVar("T")

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
    network = MemoryNetwork(agents)
    await network.start()
    try:
        yield AsyncCaller(network, agents[0].name)
    finally:
        await network.stop()


class MemoryApi:
    """Implements `sdk.client.http.Api` by the use cases of a network in memory; for callers on any loop.

    Attributes:
        network: what is asked.
    """

    longest_wait = FOR_EVER

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.sources = Sources(clock=network.loop.time)

    async def send(self, method: str, path: str, answer: type[T], *, body: Asked | None = None, **how: Any) -> T:
        """See `Api.send`; raises what the network has ended with, too."""
        wait = float((how.get("query") or {}).get("wait", 0.0))
        info = await awaited_on(self.network.loop, self._done(path.split("/")[2:], body, wait))
        return read(info, answer)

    def events(self, path: str, after: int) -> AsyncGenerator[Sequence[EventInfo], None]:
        """See `Api.events`."""
        return followed_on(self.network.loop, self._followed(path.split("/")[2], after))

    async def _done(self, path: Sequence[str], body: Asked | None, wait: float) -> TaskInfo:
        who, application = self.network.tester, self.network.application
        with self.network.awaited() if wait else nullcontext():
            match path, body:
                case [], SubmitRequest():
                    self._check(body)
                    info, _ = await tasks.submit(who, application, body, wait=wait)
                case [id, "cancel"], CancelRequest():
                    info = await tasks.cancel(who, application, id, body.reason)
                case [id, "input"], AnswerRequest():
                    info = await tasks.answer(who, application, id, bytes(body.answer), body.question)
                case [id, "retry"], None:
                    info = await tasks.retry(who, application, id)
                case [id], None:
                    info = await tasks.show(who, application, id, wait=wait)
                    if not info.done:
                        self._goes_on(info, wait)
        return info

    def _check(self, asked: SubmitRequest) -> None:
        """Refuse what the door refuses where there is one."""
        self.network.check()
        known = self.network.agents
        if split_agent(asked.agent)[1] not in known:
            there = ", ".join(known)
            raise NotFound(f"there is no agent {asked.agent[:130]!r}; running here: {there}", code="agent_not_found")
        try:
            check_nesting(bytes(asked.input), Limits().depth)
        except ProtocolError as error:
            raise InvalidInput(f"the input is not acceptable: {error.message}") from None

    def _goes_on(self, info: TaskInfo, waited: float) -> None:
        """Say why a task that has not ended is waited for no longer, where that is so."""
        self.network.check()
        if waited >= FOR_EVER:
            text = f"task {info.id} was not done after {waited:g} s; it goes on{unanswered(info)}"
            raise NotFinished(text, task_id=info.id)

    async def _followed(self, id: str, after: int) -> AsyncGenerator[Sequence[EventInfo], None]:
        network = self.network
        following = await tasks.follow(network.tester, network.application, id, after, FOR_EVER)
        if following is None:
            return
        place, followed = following
        with place:
            async with aclosing(followed) as pages:
                while True:
                    with network.awaited():
                        page = await anext(pages, None)
                    if page is None:
                        return
                    if not page:
                        self._goes_on(await tasks.show(network.tester, network.application, id), FOR_EVER)
                    yield [read(shown.event_info(event), EventInfo) for event in page]


def _of_one_agent(
    method: Callable[Concatenate[AsyncTasks, str, P], T],
) -> "Callable[Concatenate[AsyncCaller, P], T]":
    """Return a method of a client's tasks, with all its options, as that of a caller who has one agent."""

    @wraps(method)
    def of(caller: "AsyncCaller", /, *given: P.args, **more: P.kwargs) -> T:
        return method(caller._tasks, caller._agent, *given, **more)

    return told(of, method, without="agent")


def _watched(
    method: "Callable[Concatenate[AsyncCaller, P], Coroutine[object, object, TaskHandle]]",
) -> "Callable[Concatenate[AsyncCaller, P], Coroutine[object, object, AsyncTask]]":
    @wraps(method)
    async def watched(caller: "AsyncCaller", /, *given: P.args, **more: P.kwargs) -> "AsyncTask":
        return AsyncTask(caller._api, (await method(caller, *given, **more)).info)

    return told(watched, method, "AsyncTask")


class AsyncCaller:
    """Calls one agent, as `AsyncClient` does over a network: the same answers and errors, from any event loop."""

    def __init__(self, network: MemoryNetwork, agent: str) -> None:
        self._api = MemoryApi(network)
        self._tasks = AsyncTasks(self._api)
        self._agent = agent

    def of(self, agent: Agent | str) -> "AsyncCaller":
        """Return a caller of another one of the agents that run here."""
        return AsyncCaller(self._api.network, agent if isinstance(agent, str) else agent.name)

    call = _of_one_agent(AsyncTasks.call)
    stream = _of_one_agent(AsyncTasks.stream)
    submit = _watched(_of_one_agent(AsyncTasks.submit))


class AsyncTask(TaskHandle):
    """A submitted task: a `TaskHandle` whose `info` is never old, and that waits for questions."""

    def __init__(self, api: MemoryApi, info: TaskInfo) -> None:
        super().__init__(api, info)
        self._network = api.network

    @property
    def info(self) -> TaskInfo:
        """The task as it is now."""
        return read(shown.task_info(self._network.store.tasks.now(self.id)), TaskInfo)

    async def question(self) -> QuestionInfo | None:
        """Return the task's oldest open question as soon as there is one, or None when the task is done without."""
        async with aclosing(self.events()) as events:
            async for _ in events:
                if (asked := self.info.question) is not None:
                    return asked
        return None

    async def answer(self, value: Any, *, question: int | None = None) -> TaskInfo:
        """Answer the task's oldest open question, as soon as there is one, or the one with this number.

        Raises:
            Conflict: the task ends without a question, or this one is not open (`no_open_question`).
            InvalidInput: the answer does not fit the type that the skill asks for; the question stays open.
        """
        if question is None:
            await self.question()
        return await super().answer(value, question=question)


def read(answer: object, kind: type[T]) -> T:
    """Return an answer as whoever asks over HTTP reads it."""
    return msgspec.json.decode(msgspec.json.encode(answer), type=kind)
