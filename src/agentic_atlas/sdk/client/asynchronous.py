"""`AsyncClient` calls agents over the HTTP API, for programs with an event loop, and `client.tasks` is most of it.
`blocking.Client` is the one without a loop.

The input of a skill is given as keyword arguments. The names of the options of a task (`timeout`, `priority`, …) are
taken; a skill with such a parameter gets it in a mapping, the third positional argument, which may be mixed with
keywords: `await atlas.call("oven", "bake", {"timeout": 90}, dish="bread", timeout=120)`.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypedDict, TypeVar, Unpack

import msgspec

from agentic_atlas.errors import AtlasError, ConfigurationError, InvalidInput
from agentic_atlas.protocol.caller.tasks import (
    BatchAnswer,
    BatchItem,
    BatchRequest,
    CallEvent,
    SubmitRequest,
    TaskInfo,
    TaskPage,
    TaskSummary,
)
from agentic_atlas.protocol.caller.traces import TraceInfo
from agentic_atlas.sdk.address import address
from agentic_atlas.sdk.client import task as one
from agentic_atlas.sdk.client.account import AsyncAccount
from agentic_atlas.sdk.client.agents import AsyncAgents, AsyncTokens
from agentic_atlas.sdk.client.audit import AsyncAudit
from agentic_atlas.sdk.client.errors import NotFinished, UnexpectedAnswer, from_error
from agentic_atlas.sdk.client.http import PATIENCE, TIMEOUT, Api, Http, Query, Sources, pages
from agentic_atlas.sdk.client.logs import AsyncLogs
from agentic_atlas.sdk.client.people import AsyncBackups, AsyncGroups, AsyncKeys, AsyncLogins, AsyncPeople
from agentic_atlas.sdk.client.server import AsyncServer
from agentic_atlas.sdk.client.statistics import AsyncStatistics
from agentic_atlas.sdk.client.task import (
    TaskHandle,
    TaskRequest,
    hinted,
    is_number,
    merged,
    submission,
    unanswered,
    waiting_time,
)
from agentic_atlas.sdk.environment import client_settings

PAGE = 100
"""Tasks asked for at a time when they are read page by page."""

P = ParamSpec("P")
T = TypeVar("T")


class TaskQuery(TypedDict, total=False):
    """Which tasks to list; everything that is given narrows."""

    agent: str | None
    """`name`, or `owner/name`; only its tasks."""
    skill: str | None
    """Its name; only its tasks."""
    state: str | Sequence[str] | None
    """One, or several; only tasks in them."""
    since: datetime | None
    """An aware time; only tasks made from then on."""
    until: datetime | None
    """An aware time; only tasks made before then."""
    caller: str | None
    """Who asked: a user, `owner/name` of an agent or of an API key, or an id."""
    error: str | None
    """The code of an error; only tasks that ended with it."""
    prefix: str | None
    """Only tasks whose id begins so."""
    parent: str | None
    """Id of a task; only what it called."""
    trace: str | None
    """Only tasks of this trace."""


class AsyncTasks:
    """The tasks of a network, as `AsyncClient.tasks`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def call(
        self,
        agent: str,
        skill: str,
        input: Mapping[str, Any] | None = None,
        /,
        *,
        timeout: float | None = None,
        queue_ttl: float = 0.0,
        **fields: object,
    ) -> Any:
        """Run a skill and return its output, a JSON value.

        Args:
            agent: `name`, or `owner/name`.
            skill: its name.
            input: fields of the input whose names are taken here, or all of them.
            timeout: seconds after which the task is cancelled and the wait ends; None waits as long as it takes.
            queue_ttl: seconds to wait for an agent that is offline; by default that is an error at once.
            **fields: fields of the input.

        Raises:
            TaskError: the task ended without an output; `code` is the task's own, for instance `handler_error`.
            NotFinished: `timeout` is over.
            Unavailable: the agent is offline (`agent_offline`), or the platform does not answer.
            AtlasError: the request was refused (`client.errors.ERRORS`).
        """
        began, longest = self._api.sources.clock(), self._api.longest_wait
        timeout = waiting_time(timeout)
        request = TaskRequest(agent=agent, skill=skill, input=merged(input, fields), queue_ttl=queue_ttl)
        try:
            task = await self._submit(request, wait=longest if timeout is None else min(longest, timeout))
        except InvalidInput as error:
            raise hinted(error, fields) from None
        try:
            left = None if timeout is None else max(0.0, timeout - (self._api.sources.clock() - began))
            return await task.result(left)
        except NotFinished:
            asked = unanswered(task.info)
            await task.cancel("its caller stopped waiting")
            seconds = longest if timeout is None else timeout
            text = f"task {task.id} was not done after {seconds:g} s and was asked to stop{asked}"
            raise NotFinished(text, task_id=task.id) from None

    async def submit(  # noqa: PLR0913 - each is an option of a task
        self,
        agent: str,
        skill: str,
        input: Mapping[str, Any] | None = None,
        /,
        *,
        idempotency_key: str | None = None,
        deadline: datetime | None = None,
        timeout: float | None = None,
        priority: int = 0,
        queue_ttl: float | None = None,
        delivery: Literal["at_least_once", "at_most_once"] | None = None,
        retries: int | None = None,
        max_attempts: int | None = None,
        **fields: object,
    ) -> TaskHandle:
        """Submit a task and return as soon as it is safe in the server.

        Args:
            agent: `name`, or `owner/name`.
            skill: its name.
            input: fields of the input whose names are taken here, or all of them.
            idempotency_key: the same key with the same request is the same task; by default one is made, so that a
                request that is repeated after a lost connection never becomes two tasks.
            deadline: when the task has to be done, an aware time; it fails with `deadline_exceeded` else.
            timeout: seconds its skill may run.
            priority: 0 to 9, higher ones first.
            queue_ttl: seconds it may wait while its agent is offline; a day by default.
            delivery: `at_most_once` for what must not happen twice; a caller may be stricter than the skill, not laxer.
            retries: further attempts after an error of the skill itself, in place of the skill's own policy.
            max_attempts: attempts that may be lost with their instance, in place of the skill's own policy.
            **fields: fields of the input.

        Raises:
            AtlasError: the request was refused, or there was no answer (`client.errors.ERRORS`).
        """
        return await self._submit(
            TaskRequest(
                agent=agent,
                skill=skill,
                input=merged(input, fields),
                idempotency_key=idempotency_key,
                deadline=deadline,
                timeout=timeout,
                priority=priority,
                queue_ttl=queue_ttl,
                delivery=delivery,
                retries=retries,
                max_attempts=max_attempts,
            )
        )

    async def stream(
        self,
        agent: str,
        skill: str,
        input: Mapping[str, Any] | None = None,
        /,
        *,
        queue_ttl: float = 0.0,
        **fields: object,
    ) -> AsyncGenerator[CallEvent, None]:
        """Run a skill and yield what it reports; the last event has kind `result` and the output as its data.

        A reader that leaves early, sooner with `contextlib.aclosing`, cancels the task.

        Args:
            agent: `name`, or `owner/name`.
            skill: its name.
            input: fields of the input whose names are taken here, or all of them.
            queue_ttl: seconds to wait for an agent that is offline; by default that is an error at once.
            **fields: fields of the input.

        Raises:
            AtlasError: those of `call`, but for NotFinished.
        """
        request = TaskRequest(agent=agent, skill=skill, input=merged(input, fields), queue_ttl=queue_ttl)
        try:
            task = await self._submit(request)
        except InvalidInput as error:
            raise hinted(error, fields) from None
        try:
            async with aclosing(task.events()) as events:
                async for event in events:
                    if event.kind != "state":
                        yield CallEvent(event.kind, event.data, task.id, event.seq)
            output = await task.result()
        except (GeneratorExit, CancelledError):
            await task.cancel("its caller stopped reading")
            raise
        yield CallEvent("result", output, task.id)

    async def batch(self, requests: Iterable[TaskRequest]) -> Sequence[TaskHandle | AtlasError]:
        """Submit up to 100 tasks at once; each place of the result holds the task or why there is none.

        Raises:
            AtlasError: there was no answer, or a request is out of bounds: none of them was submitted.
        """
        key = self._api.sources.key
        body = BatchRequest(tasks=[_numbered(place, request, key()) for place, request in enumerate(requests)])
        answer = await self._api.send("POST", "/tasks/batch", BatchAnswer, body=body)
        return [await self._handle(item) for item in answer.results]

    async def get(self, id: str) -> TaskHandle:
        """Return a task submitted before, here or elsewhere; raises NotFound (`task_not_found`)."""
        return TaskHandle(self._api, await one.show(self._api, id))

    def list(self, *, page: int = PAGE, **query: Unpack[TaskQuery]) -> AsyncGenerator[TaskSummary, None]:
        """Yield the tasks that fit, newest first; `get(id)` has the input and the output of one.

        Args:
            page: how many are asked for at a time, 1 to 500.
            **query: which ones.
        """
        return pages(self._api, "/tasks", TaskPage, {**_query(query), "limit": page})

    async def page(self, *, after: str | None = None, limit: int = PAGE, **query: Unpack[TaskQuery]) -> TaskPage:
        """Return a part of the list of tasks, newest first; `next` leads on, even from one without a task.

        Args:
            after: `next` of the part before.
            limit: how many at most, 1 to 500.
            **query: which ones.
        """
        asked = {**_query(query), "limit": limit, "after": after}
        return await self._api.send("GET", "/tasks", TaskPage, query=asked)

    async def trace(self, id: str) -> TraceInfo:
        """Return all tasks that belong together with this one, over all agents, with their attempts."""
        return await one.trace(self._api, id)

    async def cancel(self, id: str, reason: str | None = None) -> TaskInfo:
        """Ask for a task to be stopped (see `TaskHandle.cancel`)."""
        return await one.cancel(self._api, id, reason)

    async def answer(self, id: str, value: Any, *, question: int | None = None) -> TaskInfo:
        """Answer a question of a task (see `TaskHandle.answer`)."""
        return await one.answer(self._api, id, value, question)

    async def retry(self, id: str) -> TaskHandle:
        """Submit a finished task's request again, as a new task."""
        return TaskHandle(self._api, await one.retry(self._api, id))

    async def _submit(self, request: TaskRequest, *, wait: float | None = None) -> TaskHandle:
        query = {} if wait is None else {"wait": round(wait, 3)}
        body = submission(request, self._api.sources.key())
        return TaskHandle(self._api, await self._api.send("POST", "/tasks", TaskInfo, query=query, body=body))

    async def _handle(self, item: BatchItem) -> TaskHandle | AtlasError:
        if item.task is not None:
            # One that was submitted earlier, with the same key, may have an output by now: it is asked for by itself.
            ended = item.task.done
            return await self.get(item.task.id) if ended else TaskHandle(self._api, _unfinished(item.task))
        if item.error is None:
            raise UnexpectedAnswer("the server answered neither a task nor an error for a request of the batch")
        return from_error(item.error)


def _of_tasks(method: Callable[Concatenate[AsyncTasks, P], T]) -> Callable[Concatenate[AsyncClient, P], T]:
    """Return a method of `client.tasks` as one of the client's own."""

    @wraps(method)
    def short_cut(client: AsyncClient, /, *given: P.args, **more: P.kwargs) -> T:
        return method(client.tasks, *given, **more)

    return short_cut


class AsyncClient:
    """A caller of agents. Use it in `async with`, in one event loop; it may be shared by any number of tasks there.

    What there is to do is in groups: `tasks`, `agents`, `tokens`, `people`, `account`, `keys`, `logins`,
    `backups`, `audit`, `statistics`, `logs`, `server`. `call`, `submit` and `stream` are those of `tasks`.

    Args:
        base_url: the platform, for instance `http://localhost:8000`; else `ATLAS_API_URL`, else the credentials file's.
        api_key: else `ATLAS_API_KEY`, else the credentials file. A stored key is only used for the address it is
            stored for.
        timeout: seconds to wait for an answer of the server; a task may take longer.
        patience: seconds during which a request that got no answer, or "try later", is sent again.
        sources: clock, sleep, chance and keys, for tests.

    Raises:
        ConfigurationError: there is no key, or the address or the key cannot be used.
    """

    tasks: AsyncTasks
    agents: AsyncAgents
    tokens: AsyncTokens
    people: AsyncPeople
    account: AsyncAccount
    groups: AsyncGroups
    keys: AsyncKeys
    logins: AsyncLogins
    backups: AsyncBackups
    audit: AsyncAudit
    statistics: AsyncStatistics
    logs: AsyncLogs
    server: AsyncServer

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        sources: Sources | None = None,
    ) -> None:
        if not (is_number(timeout) and is_number(patience) and timeout > 0 and patience >= 0):
            raise ConfigurationError("timeout and patience of a client are seconds, over 0 and not under 0")
        settings = client_settings(base_url, api_key)
        where = address(settings.url, settings.api_key)
        self._http = http = Http(where, timeout=timeout, patience=patience, sources=sources or Sources())
        self.tasks, self.agents, self.tokens = AsyncTasks(http), AsyncAgents(http), AsyncTokens(http)
        self.people, self.keys, self.logins = AsyncPeople(http), AsyncKeys(http), AsyncLogins(http)
        self.backups, self.account = AsyncBackups(http), AsyncAccount(http)
        self.groups, self.server = AsyncGroups(http), AsyncServer(http)
        self.audit, self.statistics, self.logs = AsyncAudit(http), AsyncStatistics(http), AsyncLogs(http)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    @property
    def base_url(self) -> str:
        """Where the platform is."""
        return self._http.address.url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. Tasks that were submitted go on."""
        await self._http.aclose()

    call = _of_tasks(AsyncTasks.call)
    submit = _of_tasks(AsyncTasks.submit)
    stream = _of_tasks(AsyncTasks.stream)


def _query(given: TaskQuery) -> Query:
    unknown = given.keys() - TaskQuery.__annotations__.keys()
    if unknown:
        raise TypeError(f"tasks are not listed by {', '.join(sorted(unknown))}")
    narrowed: dict[str, str | Sequence[str]] = {}
    for name, value in given.items():
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise InvalidInput(f"`{name}` needs a time zone: datetime.now(UTC) - timedelta(…), for instance")
            narrowed[name] = value.astimezone(UTC).isoformat()
        elif isinstance(value, str | Sequence):
            narrowed[name] = value
    return narrowed


def _unfinished(task: TaskSummary) -> TaskInfo:
    """Return a task that has no output yet, as a handle keeps it."""
    return TaskInfo(**msgspec.structs.asdict(task), input=None, output=None, questions=[])


def _numbered(place: int, request: TaskRequest, key: str) -> SubmitRequest:
    try:
        return submission(request, key)
    except InvalidInput as error:
        raise InvalidInput(f"request {place} of the batch: {error.message}", detail=error.detail) from error.__cause__
