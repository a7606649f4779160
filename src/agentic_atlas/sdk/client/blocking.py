"""`Client`: `AsyncClient` for programs without an event loop; it runs in a loop on a thread of its own.

Not a second client: it holds no logic, and its methods are made from the asynchronous ones, whose arguments, answers
and errors they have. Safe to share between threads. Every method blocks.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from functools import wraps
from typing import Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.caller.tasks import TaskInfo
from agentic_atlas.sdk.client.agents import AsyncAgents, AsyncTokens
from agentic_atlas.sdk.client.asynchronous import AsyncClient, AsyncTasks
from agentic_atlas.sdk.client.http import PATIENCE, TIMEOUT
from agentic_atlas.sdk.client.loop import LoopThread
from agentic_atlas.sdk.client.people import AsyncBackups, AsyncKeys, AsyncLogins, AsyncPeople
from agentic_atlas.sdk.client.task import TaskHandle, TaskRequest

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


class Runs(Protocol):
    """A loop on a thread of its own."""

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run it to its end."""

    def each(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield what the generator yields."""


class Blocking(Generic[A]):
    """Something asynchronous, and the loop that it lives in."""

    def __init__(self, loop: Runs, asynchronous: A) -> None:
        self._loop = loop
        self._asynchronous = asynchronous


def blocking(
    method: Callable[Concatenate[A, P], Coroutine[object, object, T]],
) -> Callable[Concatenate[Blocking[A], P], T]:
    """Return a coroutine method as one that blocks until it is done."""

    @wraps(method)
    def blocks(self: Blocking[A], /, *given: P.args, **more: P.kwargs) -> T:
        return self._loop.run(method(self._asynchronous, *given, **more))

    return blocks


def each(
    method: Callable[Concatenate[A, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[Blocking[A], P], Iterator[T]]:
    """Return a method that yields as one whose reader blocks until the next item is there."""

    @wraps(method)
    def yields(self: Blocking[A], /, *given: P.args, **more: P.kwargs) -> Iterator[T]:
        return self._loop.each(method(self._asynchronous, *given, **more))

    return answers(yields, method, "AsyncGenerator[", "Iterator[")


def _task(
    method: Callable[Concatenate[A, P], Coroutine[object, object, TaskHandle]],
) -> Callable[Concatenate[Blocking[A], P], BlockingTask]:
    """Return a method that answers a task as one that answers a blocking one."""

    @wraps(method)
    def task(self: Blocking[A], /, *given: P.args, **more: P.kwargs) -> BlockingTask:
        return BlockingTask(self._loop, self._loop.run(method(self._asynchronous, *given, **more)))

    return answers(task, method, "TaskHandle", "BlockingTask")


def answers(
    made: Callable[P, T], method: Callable[..., object], theirs: str, ours: str, *, without: str = ""
) -> Callable[P, T]:
    """Have `help` name what this method answers; all else of its signature is the method's that it was made from.

    Args:
        made: what is to be told of.
        method: what it was made from.
        theirs: what that one answers, as its annotation begins.
        ours: what is answered in its place.
        without: a parameter that it does without.
    """
    signature = inspect.signature(method)
    answer = str(signature.return_annotation).replace(theirs, ours).replace(", None]", "]")
    kept = [parameter for parameter in signature.parameters.values() if parameter.name != without]
    made.__signature__ = signature.replace(parameters=kept, return_annotation=answer)  # type: ignore[attr-defined]  # PEP 362
    return made


class BlockingTask(Blocking[TaskHandle]):
    """`TaskHandle`, each method blocking."""

    @property
    def id(self) -> str:
        """The task's id."""
        return self._asynchronous.id

    @property
    def info(self) -> TaskInfo:
        """The task as it was when the server last answered."""
        return self._asynchronous.info

    refresh = blocking(TaskHandle.refresh)
    wait = blocking(TaskHandle.wait)
    result = blocking(TaskHandle.result)
    cancel = blocking(TaskHandle.cancel)
    answer = blocking(TaskHandle.answer)
    retry = _task(TaskHandle.retry)
    events = each(TaskHandle.events)


class BlockingTasks(Blocking[AsyncTasks]):
    """`AsyncTasks`, each method blocking."""

    call = blocking(AsyncTasks.call)
    submit = _task(AsyncTasks.submit)
    stream = each(AsyncTasks.stream)
    get = _task(AsyncTasks.get)
    list = each(AsyncTasks.list)
    page = blocking(AsyncTasks.page)
    cancel = blocking(AsyncTasks.cancel)
    answer = blocking(AsyncTasks.answer)
    retry = _task(AsyncTasks.retry)

    def batch(self, requests: Iterable[TaskRequest]) -> Sequence[BlockingTask | AtlasError]:
        """See `AsyncTasks.batch`."""
        made = self._loop.run(self._asynchronous.batch(requests))
        return [BlockingTask(self._loop, task) if isinstance(task, TaskHandle) else task for task in made]


class BlockingAgents(Blocking[AsyncAgents]):
    """`AsyncAgents`, each method blocking."""

    list = each(AsyncAgents.list)
    get = blocking(AsyncAgents.get)
    create = blocking(AsyncAgents.create)
    delete = blocking(AsyncAgents.delete)


class BlockingTokens(Blocking[AsyncTokens]):
    """`AsyncTokens`, each method blocking."""

    create = blocking(AsyncTokens.create)
    list = blocking(AsyncTokens.list)
    revoke = blocking(AsyncTokens.revoke)


class BlockingPeople(Blocking[AsyncPeople]):
    """`AsyncPeople`, each method blocking."""

    whoami = blocking(AsyncPeople.whoami)
    list = each(AsyncPeople.list)


class BlockingKeys(Blocking[AsyncKeys]):
    """`AsyncKeys`, each method blocking."""

    list = blocking(AsyncKeys.list)
    revoke = blocking(AsyncKeys.revoke)


class BlockingLogins(Blocking[AsyncLogins]):
    """`AsyncLogins`, each method blocking."""

    get = blocking(AsyncLogins.get)
    approve = blocking(AsyncLogins.approve)
    deny = blocking(AsyncLogins.deny)


class BlockingBackups(Blocking[AsyncBackups]):
    """`AsyncBackups`, each method blocking."""

    create = blocking(AsyncBackups.create)
    list = blocking(AsyncBackups.list)


class Client(Blocking[AsyncClient]):
    """`AsyncClient`, each method blocking; the same groups, arguments, answers and errors. Use it in `with`, or close
    it.
    """

    tasks: BlockingTasks
    agents: BlockingAgents
    tokens: BlockingTokens
    people: BlockingPeople
    keys: BlockingKeys
    logins: BlockingLogins
    backups: BlockingBackups

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ) -> None:
        client = AsyncClient(base_url, api_key=api_key, timeout=timeout, patience=patience)
        loop = self._thread = LoopThread()
        super().__init__(loop, client)
        self.tasks, self.agents = BlockingTasks(loop, client.tasks), BlockingAgents(loop, client.agents)
        self.tokens, self.people = BlockingTokens(loop, client.tokens), BlockingPeople(loop, client.people)
        self.keys, self.logins = BlockingKeys(loop, client.keys), BlockingLogins(loop, client.logins)
        self.backups = BlockingBackups(loop, client.backups)

    def __repr__(self) -> str:
        return f"<Client {self._asynchronous.base_url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread. Tasks that were submitted go on."""
        if not self._thread.stopped:
            self._loop.run(self._asynchronous.aclose())
            self._thread.stop()

    call = blocking(AsyncClient.call)
    submit = _task(AsyncClient.submit)
    stream = each(AsyncClient.stream)
