"""`running`: agents on a thread with a loop of its own, for tests without a loop. All methods block."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.caller.tasks import TaskInfo
from agentic_atlas.sdk.agent import Agent
from agentic_atlas.sdk.client.blocking import Blocking, answers, blocking, each
from agentic_atlas.testing.caller import AsyncCaller, AsyncTask, serving
from agentic_atlas.testing.loop import JumpingLoop

P = ParamSpec("P")
T = TypeVar("T")

LEAVE_SECONDS = 15.0
"""How long skills may take to stop at the end of the block."""


@contextmanager
def running(*agents: Agent) -> Iterator["Caller"]:
    """Run agents in memory, and give a caller of the first one.

    ```python
    def test_greet():
        with running(agent) as hello:
            assert hello.call("greet", name="Ada") == "Hello, Ada!"
    ```

    They run on the thread of a loop whose time jumps: while the test waits for a task and nothing else goes on, the
    clock is put forward to whatever comes next, the end of a back-off, a timeout, `asyncio.sleep(3600)`. While the test
    does something else, a thread runs (a plain `def` skill, `asyncio.to_thread`), or a socket is open, time passes as
    it does elsewhere. Tasks that still run at the end of the block are cancelled.

    Raises:
        ConfigurationError: an agent has no skills or runs already, or two have the same name; or a skill did not stop.
        Exception: what a lifespan raises, as it is.
    """
    thread = _Thread(agents)
    caller = thread.start()
    try:
        yield caller
    finally:
        thread.stop()


class Task(Blocking[AsyncTask]):
    """`AsyncTask`, each method blocking."""

    def __repr__(self) -> str:
        return repr(self._asynchronous)

    @property
    def id(self) -> str:
        """The task's id."""
        return self._asynchronous.id

    @property
    def info(self) -> TaskInfo:
        """The task as it is now."""
        return self._asynchronous.info

    result = blocking(AsyncTask.result)
    events = each(AsyncTask.events)
    question = blocking(AsyncTask.question)
    answer = blocking(AsyncTask.answer)
    cancel = blocking(AsyncTask.cancel)


def _task(
    method: Callable[Concatenate[AsyncCaller, P], Coroutine[Any, Any, AsyncTask]],
) -> "Callable[Concatenate[Caller, P], Task]":
    """Return a method that answers a task as one that answers a blocking one."""

    @wraps(method)
    def task(caller: "Caller", /, *given: P.args, **more: P.kwargs) -> Task:
        return Task(caller._loop, caller._loop.run(method(caller._asynchronous, *given, **more)))

    return answers(task, method, "AsyncTask", "Task")


class Caller(Blocking[AsyncCaller]):
    """`AsyncCaller`, each method blocking; the same arguments, answers and errors."""

    def of(self, agent: Agent | str) -> "Caller":
        """See `AsyncCaller.of`."""
        return Caller(self._loop, self._asynchronous.of(agent))

    call = blocking(AsyncCaller.call)

    submit = _task(AsyncCaller.submit)


class _Thread:
    """Serves the agents, and runs coroutines for the test."""

    def __init__(self, agents: tuple[Agent, ...]) -> None:
        self._agents = agents
        self._begun: Future[AsyncCaller] = Future()
        self._over: Future[None] = Future()
        # With the test's context variables, as `agent.run()` has those of its program.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._serve,), name="atlas-testing", daemon=True)
        # Set before `_begun`, on the thread.
        self._loop: asyncio.AbstractEventLoop
        self._leaving: asyncio.Event

    def start(self) -> Caller:
        """Return when the agents are connected; raises what any of them fails with."""
        self._thread.start()
        try:
            return Caller(self, self._begun.result())
        except BaseException:
            self._thread.join(LEAVE_SECONDS)
            raise

    def stop(self) -> None:
        """Let the agents leave, and end the thread; raises what any of them has failed with."""
        self._loop.call_soon_threadsafe(self._leaving.set)
        self._thread.join(LEAVE_SECONDS)
        if self._thread.is_alive():
            hint = "a skill that catches CancelledError has to raise it again"
            raise ConfigurationError(f"the agents did not stop within {LEAVE_SECONDS:g} s: {hint}")
        self._over.result()

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run it on the loop to its end. An interrupt of the test's (Ctrl-C) cancels it."""
        if not self._thread.is_alive():
            work.close()
            raise ConfigurationError("the agents have ended: call them inside of the `with` block")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def each(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield what the generator yields."""

        async def following() -> list[T]:
            return [item] if (item := await anext(items, None)) is not None else []

        while found := self.run(following()):
            yield found[0]

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=JumpingLoop) as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - it is the test's, and is raised there
            (self._over if self._begun.done() else self._begun).set_exception(error)
        else:
            self._over.set_result(None)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._leaving = asyncio.Event()
        async with serving(*self._agents) as caller:
            self._begun.set_result(caller)
            await self._leaving.wait()
