"""`Client`: `AsyncClient` for programs without an event loop; it runs in a loop on a thread of its own.

Not a second client: it holds no logic, and its methods are made from the asynchronous ones, whose arguments, answers
and errors they have. Safe to share between threads. Every method blocks. The test kit's are made in the same way.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import wraps
from typing import Concatenate, Generic, ParamSpec, Self, TypeVar

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.caller.tasks import TaskInfo
from agentic_atlas.sdk.client.account import AsyncAccount
from agentic_atlas.sdk.client.agents import AsyncAgents, AsyncTokens
from agentic_atlas.sdk.client.asynchronous import AsyncClient, AsyncTasks
from agentic_atlas.sdk.client.audit import AsyncAudit
from agentic_atlas.sdk.client.http import PATIENCE, TIMEOUT
from agentic_atlas.sdk.client.logs import AsyncLogs
from agentic_atlas.sdk.client.people import AsyncBackups, AsyncGroups, AsyncKeys, AsyncLogins, AsyncPeople
from agentic_atlas.sdk.client.server import AsyncServer
from agentic_atlas.sdk.client.statistics import AsyncStatistics
from agentic_atlas.sdk.client.task import TaskHandle, TaskRequest

A = TypeVar("A")
B = TypeVar("B")
H = TypeVar("H")
P = ParamSpec("P")
T = TypeVar("T")


class LoopThread:
    """An event loop on a thread of its own, for threads that have none. Ends with `stop`, or with the process.

    A fork does not copy its thread: the child of one (a preforking server's, Celery's) gets a thread of its own when it
    first uses it.

    Args:
        over: what is said to whoever comes after `stop`.
        loop_factory: makes the loop, in place of asyncio's own.
    """

    def __init__(self, over: str, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self._over = over
        self._loop_factory = loop_factory
        # Loops of a parent process: closed here, they would take its descriptors from under it.
        self._parents: list[asyncio.AbstractEventLoop] = []
        self._start()

    @property
    def stopped(self) -> bool:
        """True after `stop`."""
        return self._loop.is_closed()

    def begin(self, work: Coroutine[object, object, T]) -> Future[T]:
        """Begin it, and return what has its result."""
        if self.stopped:
            work.close()
            raise ConfigurationError(self._over)
        if self._process_id != os.getpid():
            self._parents.append(self._loop)
            self._start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run it to its end. An interrupt of the caller's (Ctrl-C) cancels it."""
        future = self.begin(work)
        try:
            return future.result()
        finally:
            future.cancel()

    def each(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield what the generator yields; leaving early closes it."""
        begun_in = os.getpid()
        try:
            while True:
                if os.getpid() != begun_in:
                    raise ConfigurationError("this list or stream was begun before a fork: begin it again")
                yield self.run(_next(items))
        except StopAsyncIteration:
            return
        finally:
            # Not waited for: a generator may be given up on any thread, the loop's own too.
            if not self.stopped and os.getpid() == begun_in:
                asyncio.run_coroutine_threadsafe(_close(items), self._loop)

    def stop(self, timeout: float | None = None) -> bool:
        """End the thread, and with it whatever still runs in the loop; False when it has not within so many seconds."""
        if not self.stopped and self._process_id == os.getpid():
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _start(self) -> None:
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._process_id = os.getpid()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="atlas-client", daemon=True)
        self._thread.start()
        self._loop = ready.result()

    def _serve(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            ready.set_result(runner.get_loop())
            runner.get_loop().run_forever()


async def _next(items: AsyncGenerator[T, None]) -> T:
    return await anext(items)


async def _close(items: AsyncGenerator[T, None]) -> None:
    await items.aclose()


class Blocking(Generic[A]):
    """Something asynchronous, and the loop that it lives in."""

    def __init__(self, loop: LoopThread, asynchronous: A) -> None:
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

    answer = str(inspect.signature(method).return_annotation)
    return told(yields, method, answer.replace("AsyncGenerator[", "Iterator[").replace(", None]", "]"))


def handing(
    kind: Callable[[LoopThread, H], B], method: Callable[Concatenate[A, P], Coroutine[object, object, H]]
) -> Callable[Concatenate[Blocking[A], P], B]:
    """Return a method that hands out something asynchronous as one that hands out its blocking kind."""

    @wraps(method)
    def hands(self: Blocking[A], /, *given: P.args, **more: P.kwargs) -> B:
        return kind(self._loop, self._loop.run(method(self._asynchronous, *given, **more)))

    return told(hands, method, kind.__name__)


def told(
    made: Callable[P, T], method: Callable[..., object], answer: object = "", *, without: str = ""
) -> Callable[P, T]:
    """Have `help` name what this method answers; all else of its signature is the method's that it was made from.

    Args:
        made: what is to be told of.
        method: what it was made from.
        answer: what it answers; empty for what that one does.
        without: a parameter that it does without.
    """
    signature = inspect.signature(method)
    kept = [parameter for parameter in signature.parameters.values() if parameter.name != without]
    answers = answer or signature.return_annotation
    made.__signature__ = signature.replace(parameters=kept, return_annotation=answers)  # type: ignore[attr-defined]  # PEP 362
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
    events = each(TaskHandle.events)

    def retry(self) -> BlockingTask:
        """See `TaskHandle.retry`."""
        return BlockingTask(self._loop, self._loop.run(self._asynchronous.retry()))


class BlockingTasks(Blocking[AsyncTasks]):
    """`AsyncTasks`, each method blocking."""

    call = blocking(AsyncTasks.call)
    submit = handing(BlockingTask, AsyncTasks.submit)
    stream = each(AsyncTasks.stream)
    get = handing(BlockingTask, AsyncTasks.get)
    list = each(AsyncTasks.list)
    page = blocking(AsyncTasks.page)
    cancel = blocking(AsyncTasks.cancel)
    answer = blocking(AsyncTasks.answer)
    trace = blocking(AsyncTasks.trace)
    retry = handing(BlockingTask, AsyncTasks.retry)

    def batch(self, requests: Iterable[TaskRequest]) -> Sequence[BlockingTask | AtlasError]:
        """See `AsyncTasks.batch`."""
        made = self._loop.run(self._asynchronous.batch(requests))
        return [BlockingTask(self._loop, task) if isinstance(task, TaskHandle) else task for task in made]


class BlockingAgents(Blocking[AsyncAgents]):
    """`AsyncAgents`, each method blocking."""

    list = each(AsyncAgents.list)
    get = blocking(AsyncAgents.get)
    resources = blocking(AsyncAgents.resources)
    fleet = blocking(AsyncAgents.fleet)
    create = blocking(AsyncAgents.create)
    disable = blocking(AsyncAgents.disable)
    enable = blocking(AsyncAgents.enable)
    rename = blocking(AsyncAgents.rename)
    share = blocking(AsyncAgents.share)
    unshare = blocking(AsyncAgents.unshare)
    delete = blocking(AsyncAgents.delete)


class BlockingTokens(Blocking[AsyncTokens]):
    """`AsyncTokens`, each method blocking."""

    create = blocking(AsyncTokens.create)
    list = blocking(AsyncTokens.list)
    rotate = blocking(AsyncTokens.rotate)
    revoke = blocking(AsyncTokens.revoke)


class BlockingPeople(Blocking[AsyncPeople]):
    """`AsyncPeople`, each method blocking."""

    whoami = blocking(AsyncPeople.whoami)
    list = each(AsyncPeople.list)
    create = blocking(AsyncPeople.create)
    update = blocking(AsyncPeople.update)
    delete = blocking(AsyncPeople.delete)
    invite = blocking(AsyncPeople.invite)
    invitations = blocking(AsyncPeople.invitations)
    revoke_invitation = blocking(AsyncPeople.revoke_invitation)
    sessions = blocking(AsyncPeople.sessions)
    end_sessions = blocking(AsyncPeople.end_sessions)
    identities = blocking(AsyncPeople.identities)
    remove_identity = blocking(AsyncPeople.remove_identity)
    end_totp = blocking(AsyncPeople.end_totp)


class BlockingAccount(Blocking[AsyncAccount]):
    """`AsyncAccount`, each method blocking."""

    get = blocking(AsyncAccount.get)
    change_password = blocking(AsyncAccount.change_password)
    begin_totp = blocking(AsyncAccount.begin_totp)
    confirm_totp = blocking(AsyncAccount.confirm_totp)
    end_totp = blocking(AsyncAccount.end_totp)
    identities = blocking(AsyncAccount.identities)
    remove_identity = blocking(AsyncAccount.remove_identity)
    sessions = blocking(AsyncAccount.sessions)
    end_session = blocking(AsyncAccount.end_session)
    end_sessions = blocking(AsyncAccount.end_sessions)


class BlockingGroups(Blocking[AsyncGroups]):
    """`AsyncGroups`, each method blocking."""

    list = each(AsyncGroups.list)
    create = blocking(AsyncGroups.create)
    delete = blocking(AsyncGroups.delete)
    add = blocking(AsyncGroups.add)
    remove = blocking(AsyncGroups.remove)


class BlockingKeys(Blocking[AsyncKeys]):
    """`AsyncKeys`, each method blocking."""

    create = blocking(AsyncKeys.create)
    list = blocking(AsyncKeys.list)
    all = each(AsyncKeys.all)
    revoke = blocking(AsyncKeys.revoke)
    signing = blocking(AsyncKeys.signing)
    rotate = blocking(AsyncKeys.rotate)
    withdraw = blocking(AsyncKeys.withdraw)


class BlockingLogins(Blocking[AsyncLogins]):
    """`AsyncLogins`, each method blocking."""

    get = blocking(AsyncLogins.get)
    approve = blocking(AsyncLogins.approve)
    deny = blocking(AsyncLogins.deny)


class BlockingBackups(Blocking[AsyncBackups]):
    """`AsyncBackups`, each method blocking."""

    create = blocking(AsyncBackups.create)
    list = blocking(AsyncBackups.list)


class BlockingAudit(Blocking[AsyncAudit]):
    """`AsyncAudit`, each method blocking."""

    list = each(AsyncAudit.list)
    export = each(AsyncAudit.export)
    verify = blocking(AsyncAudit.verify)
    archives = blocking(AsyncAudit.archives)
    archive = blocking(AsyncAudit.archive)


class BlockingLogs(Blocking[AsyncLogs]):
    """`AsyncLogs`, each method blocking."""

    list = each(AsyncLogs.list)
    follow = each(AsyncLogs.follow)


class BlockingServer(Blocking[AsyncServer]):
    """`AsyncServer`, each method blocking."""

    about = blocking(AsyncServer.about)
    limits = blocking(AsyncServer.limits)


class BlockingStatistics(Blocking[AsyncStatistics]):
    """`AsyncStatistics`, each method blocking."""

    read = blocking(AsyncStatistics.read)
    attention = blocking(AsyncStatistics.attention)


class Client(Blocking[AsyncClient]):
    """`AsyncClient`, each method blocking; the same groups, arguments, answers and errors. Use it in `with`, or close
    it.
    """

    tasks: BlockingTasks
    agents: BlockingAgents
    tokens: BlockingTokens
    people: BlockingPeople
    account: BlockingAccount
    groups: BlockingGroups
    keys: BlockingKeys
    logins: BlockingLogins
    backups: BlockingBackups
    audit: BlockingAudit
    statistics: BlockingStatistics
    logs: BlockingLogs
    server: BlockingServer

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ) -> None:
        client = AsyncClient(base_url, api_key=api_key, timeout=timeout, patience=patience)
        loop = LoopThread("this client is closed: make a new one")
        super().__init__(loop, client)
        self.tasks, self.agents = BlockingTasks(loop, client.tasks), BlockingAgents(loop, client.agents)
        self.tokens, self.people = BlockingTokens(loop, client.tokens), BlockingPeople(loop, client.people)
        self.keys, self.logins = BlockingKeys(loop, client.keys), BlockingLogins(loop, client.logins)
        self.backups, self.account = BlockingBackups(loop, client.backups), BlockingAccount(loop, client.account)
        self.groups, self.server = BlockingGroups(loop, client.groups), BlockingServer(loop, client.server)
        self.audit = BlockingAudit(loop, client.audit)
        self.statistics, self.logs = BlockingStatistics(loop, client.statistics), BlockingLogs(loop, client.logs)

    def __repr__(self) -> str:
        return f"<Client {self._asynchronous.base_url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread. Tasks that were submitted go on."""
        if not self._loop.stopped:
            self._loop.run(self._asynchronous.aclose())
            self._loop.stop()

    call = blocking(AsyncClient.call)
    submit = handing(BlockingTask, AsyncClient.submit)
    stream = each(AsyncClient.stream)
