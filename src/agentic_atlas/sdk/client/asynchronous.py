"""Calls agents over the HTTP API: the client for programs with an event loop. `blocking.Client` is the one without.

The input of a skill is given as keyword arguments. The names of the client's own options (`timeout`, `priority`, …)
are taken; a skill with such a parameter gets it in a mapping, the third positional argument, which may be mixed with
keywords: `await atlas.call("oven", "bake", {"timeout": 90}, dish="bread", timeout=120)`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Self

import msgspec

from agentic_atlas.errors import AtlasError, ConfigurationError, InvalidInput
from agentic_atlas.sdk.address import address, agent_path, segment
from agentic_atlas.sdk.client import submission
from agentic_atlas.sdk.client.errors import NotFinished, UnexpectedAnswer, from_fault
from agentic_atlas.sdk.client.http import Http, Query, QueryValue
from agentic_atlas.sdk.client.records import (
    AgentInfo,
    ApiKeyInfo,
    BackupInfo,
    BatchItem,
    LoginInfo,
    NewToken,
    Page,
    Record,
    T,
    TaskInfo,
    TaskSummary,
    TokenInfo,
    UserInfo,
    WhoAmI,
)
from agentic_atlas.sdk.client.retry import Sources
from agentic_atlas.sdk.client.submission import Delivery
from agentic_atlas.sdk.client.task import LONGEST_WAIT, TaskHandle, is_number, waiting_time
from agentic_atlas.sdk.environment import client_settings

TIMEOUT = 30.0
PATIENCE = 5.0
PAGE = 100
"""Items asked for at a time when a list is read page by page."""


class TaskRequest(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One task to submit, for `AsyncClient.batch`; times are as in `AsyncClient.submit`."""

    agent: str
    skill: str
    input: Mapping[str, Any] = {}
    idempotency_key: str | None = None
    deadline: datetime | None = None
    timeout: float | None = None
    priority: int | None = None
    queue_ttl: float | None = None
    delivery: Delivery | None = None
    retries: int | None = None
    max_attempts: int | None = None


class _Batch(Record, frozen=True, kw_only=True):
    results: list[BatchItem]


class AsyncClient:
    """A caller of agents. Use it in `async with`, in one event loop; it may be shared by any number of tasks there.

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
        self._http = Http(where, timeout=timeout, patience=patience, sources=sources or Sources())

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

    # Tasks

    async def call(
        self,
        agent: str,
        skill: str,
        input: Mapping[str, Any] | None = None,
        /,
        *,
        timeout: float | None = None,
        queue_ttl: float = 0.0,
        **more: Any,
    ) -> Any:
        """Run a skill and return its output, a JSON value.

        Args:
            agent: `name`, or `owner/name`.
            skill: its name.
            input: fields of the input; see the module's text for what it is needed for.
            timeout: seconds after which the task is cancelled and the wait ends; None waits as long as it takes.
            queue_ttl: seconds to wait for an agent that is offline; by default that is an error at once.
            **more: fields of the input.

        Raises:
            TaskError: the task ended without an output; `code` is the task's own, for instance `handler_error`.
            NotFinished: `timeout` is over.
            Unavailable: the agent is offline (`agent_offline`), or the platform does not answer.
            AtlasError: the request was refused (`client.errors.ERRORS`).
        """
        began = self._http.sources.clock()
        timeout = waiting_time(timeout)
        request = TaskRequest(agent=agent, skill=skill, input=_merged(input, more), queue_ttl=queue_ttl)
        try:
            task = await self._submit(request, wait=LONGEST_WAIT if timeout is None else min(LONGEST_WAIT, timeout))
        except InvalidInput as error:
            raise submission.hinted(error, more) from None
        try:
            left = None if timeout is None else max(0.0, timeout - (self._http.sources.clock() - began))
            return await task.result(left)
        except NotFinished:
            await task.cancel("its caller stopped waiting")
            text = f"task {task.id} was not done after {timeout:g} s and was asked to stop"
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
        priority: int | None = None,
        queue_ttl: float | None = None,
        delivery: Delivery | None = None,
        retries: int | None = None,
        max_attempts: int | None = None,
        **more: Any,
    ) -> TaskHandle:
        """Submit a task and return as soon as it is safe in the server.

        Args:
            agent: `name`, or `owner/name`.
            skill: its name.
            input: fields of the input; see the module's text for what it is needed for.
            idempotency_key: the same key with the same request is the same task; by default one is made, so that a
                request that is repeated after a lost connection never becomes two tasks.
            deadline: when the task has to be done, an aware time; it fails with `deadline_exceeded` else.
            timeout: seconds its skill may run.
            priority: 0 to 9, higher ones first.
            queue_ttl: seconds it may wait while its agent is offline; a day by default.
            delivery: `at_most_once` for what must not happen twice; a caller may be stricter than the skill, not laxer.
            retries: further attempts after an error of the skill itself, in place of the skill's own policy.
            max_attempts: attempts that may be lost with their instance, in place of the skill's own policy.
            **more: fields of the input.

        Raises:
            AtlasError: the request was refused, or there was no answer (`client.errors.ERRORS`).
        """
        request = TaskRequest(
            agent=agent,
            skill=skill,
            input=_merged(input, more),
            idempotency_key=idempotency_key,
            deadline=deadline,
            timeout=timeout,
            priority=priority,
            queue_ttl=queue_ttl,
            delivery=delivery,
            retries=retries,
            max_attempts=max_attempts,
        )
        return await self._submit(request)

    async def batch(self, requests: Iterable[TaskRequest]) -> list[TaskHandle | AtlasError]:
        """Submit up to 100 tasks at once; each place of the result holds the task or why there is none."""
        key = self._http.sources.key
        body = {"tasks": [_numbered(place, request, key()) for place, request in enumerate(requests)]}
        answer = await self._http.send("POST", "/tasks/batch", _Batch, body=body)
        return [await self._handle(item) for item in answer.results]

    async def task(self, id: str) -> TaskHandle:
        """Return a task submitted before, here or elsewhere."""
        return TaskHandle(self._http, await self._http.send("GET", f"/tasks/{segment(id)}", TaskInfo))

    def tasks(
        self,
        *,
        agent: str | None = None,
        skill: str | None = None,
        state: str | Sequence[str] | None = None,
        since: datetime | None = None,
        parent: str | None = None,
        trace: str | None = None,
        page: int = PAGE,
    ) -> AsyncGenerator[TaskSummary, None]:
        """Yield the tasks that fit, newest first, page after page; `task(id)` has the input and the output of one."""
        query = _task_query(agent=agent, skill=skill, state=state, since=since, parent=parent, trace=trace, limit=page)
        return self._pages("/tasks", Page[TaskSummary], query)

    async def task_page(
        self,
        *,
        agent: str | None = None,
        skill: str | None = None,
        state: str | Sequence[str] | None = None,
        since: datetime | None = None,
        prefix: str | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Page[TaskSummary]:
        """Return a part of the list of tasks, newest first.

        Args:
            agent: `name`, or `owner/name`; only its tasks.
            skill: its name; only its tasks.
            state: one, or several; only tasks in them.
            since: an aware time; only tasks made from then on.
            prefix: only tasks whose id begins so.
            after: `next` of the part before.
            limit: how many at most; 500 are the most.
        """
        query = _task_query(agent=agent, skill=skill, state=state, since=since, prefix=prefix, limit=limit)
        return await self._http.send("GET", "/tasks", Page[TaskSummary], query={**query, "after": after})

    async def cancel(self, id: str, reason: str | None = None) -> TaskInfo:
        """Ask for a task to be stopped (see `TaskHandle.cancel`)."""
        return await TaskHandle(self._http, TaskInfo(id=id, state="")).cancel(reason)

    async def answer(self, id: str, value: Any, *, question: int | None = None) -> TaskInfo:
        """Answer a question of a task (see `TaskHandle.answer`)."""
        return await TaskHandle(self._http, TaskInfo(id=id, state="")).answer(value, question=question)

    async def retry(self, id: str) -> TaskHandle:
        """Submit a finished task's request again, as a new task."""
        return await TaskHandle(self._http, TaskInfo(id=id, state="")).retry()

    # Agents and their tokens

    def agents(self) -> AsyncGenerator[AgentInfo, None]:
        """Yield the agents that can be seen, page after page."""
        return self._pages("/agents", Page[AgentInfo], {})

    async def agent(self, name: str) -> AgentInfo:
        """Return an agent with its skills and instances."""
        return await self._http.send("GET", agent_path(name), AgentInfo)

    async def create_agent(self, name: str, description: str = "") -> AgentInfo:
        """Create an agent of one's own, which then needs a token.

        Raises:
            Conflict: the name is in use.
        """
        body = {"name": name, "description": description}
        return await self._http.send("POST", "/agents", AgentInfo, body=body, repeatable=False)

    async def delete_agent(self, name: str) -> None:
        """Remove an agent with its tokens: its connections are closed, its open tasks fail, what was done stays."""
        await self._http.send("DELETE", agent_path(name), NoneType)

    async def create_token(self, agent: str, *, name: str = "", expires_in: float | None = None) -> NewToken:
        """Make a token for one instance of an agent. It is told this once.

        Args:
            agent: `name`, or `owner/name`.
            name: to tell its tokens apart, for instance the machine's.
            expires_in: seconds; 90 days by default, 366 at most.
        """
        body = {"name": name} | ({} if expires_in is None else {"expires_in": expires_in})
        return await self._http.send("POST", f"{agent_path(agent)}/tokens", NewToken, body=body, repeatable=False)

    async def tokens(self, agent: str) -> list[TokenInfo]:
        """Return the tokens of an agent, past ones too; of more than 1,000 the revoked ones are left out first."""
        return (await self._http.send("GET", f"{agent_path(agent)}/tokens", Page[TokenInfo])).items

    async def revoke_token(self, id: str) -> TokenInfo:
        """End a token: connections that use it are closed."""
        return await self._http.send("DELETE", f"/tokens/{segment(id)}", TokenInfo)

    # People

    async def users(self) -> list[UserInfo]:
        """Return all users; for administrators."""
        return [user async for user in self._pages("/users", Page[UserInfo], {})]

    async def api_keys(self) -> list[ApiKeyInfo]:
        """Return one's own API keys, without their secrets."""
        return (await self._http.send("GET", "/api-keys", Page[ApiKeyInfo])).items

    async def revoke_api_key(self, id: str) -> ApiKeyInfo:
        """Make an API key worthless at once, this client's own too."""
        return await self._http.send("DELETE", f"/api-keys/{segment(id)}", ApiKeyInfo)

    async def login_request(self, user_code: str) -> LoginInfo:
        """Return who wants to log in with this code (see `client.login`).

        Raises:
            NotFound: no login waits for the code. Busy: too many wrong codes were tried.
        """
        return await self._decide("show", user_code)

    async def approve_login(self, user_code: str) -> LoginInfo:
        """Let whoever asks with this code have an API key of one's own; raises as `login_request` does."""
        return await self._decide("approve", user_code)

    async def deny_login(self, user_code: str) -> LoginInfo:
        """Turn away whoever asks with this code; raises as `login_request` does."""
        return await self._decide("deny", user_code)

    async def whoami(self) -> WhoAmI:
        """Return who the API key belongs to, and what network this is."""
        return await self._http.send("GET", "/whoami", WhoAmI)

    # The network itself

    async def create_backup(self) -> BackupInfo:
        """Make a backup on the server's machine, while everything goes on; for administrators.

        The answer comes when the backup is whole: give the client a `timeout` that is long enough for the network's
        size, about a minute for each GB. After a timeout the server goes on, and `backups` lists it when it is there.

        Raises:
            Busy: one is being made already. Unavailable: there is no room for it (`storage_full`).
        """
        return await self._http.send("POST", "/backups", BackupInfo, repeatable=False)

    async def backups(self) -> list[BackupInfo]:
        """Return the backups on the server's machine, newest first; for administrators."""
        return (await self._http.send("GET", "/backups", Page[BackupInfo])).items

    async def _submit(self, request: TaskRequest, *, wait: float | None = None) -> TaskHandle:
        query = {} if wait is None else {"wait": round(wait, 3)}
        body = _body(request, self._http.sources.key())
        return TaskHandle(self._http, await self._http.send("POST", "/tasks", TaskInfo, query=query, body=body))

    async def _decide(self, decision: str, user_code: str) -> LoginInfo:
        body = {"user_code": user_code}
        return await self._http.send("POST", f"/login-codes/{decision}", LoginInfo, body=body, repeatable=False)

    async def _handle(self, item: BatchItem) -> TaskHandle | AtlasError:
        if item.task is not None:
            # One that was submitted earlier, with the same key, may have an output by now: it is asked for by itself.
            ended = item.task.done
            return await self.task(item.task.id) if ended else TaskHandle(self._http, _unfinished(item.task))
        if item.error is None:
            raise UnexpectedAnswer("the server answered neither a task nor an error for a request of the batch")
        return from_fault(item.error)

    async def _pages(self, path: str, kind: type[Page[T]], query: Query) -> AsyncGenerator[T, None]:
        after: str | None = None
        while True:
            page = await self._http.send("GET", path, kind, query={**query, "after": after})
            for item in page.items:
                yield item
            if not page.items or page.next is None:
                return
            after = page.next


def _task_query(*, since: datetime | None, **given: QueryValue) -> Query:
    if since is not None and since.tzinfo is None:
        raise InvalidInput("`since` needs a time zone: datetime.now(UTC) - timedelta(…), for instance")
    return {**given, "since": None if since is None else since.astimezone(UTC).isoformat()}


def _merged(input: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole input of a task.

    Raises:
        InvalidInput: a field is in both, or the input is no mapping.
    """
    if input is not None and not isinstance(input, Mapping):
        raise InvalidInput("an input has names: call(agent, skill, name=value), or a mapping as the third argument")
    twice = more.keys() & (input or {}).keys()
    if twice:
        raise InvalidInput(f"given twice, in the mapping and as keyword: {', '.join(sorted(twice))}")
    return {**(input or {}), **more}


def _unfinished(task: TaskSummary) -> TaskInfo:
    """Return a task that has no output yet, as a handle keeps it."""
    return TaskInfo(**msgspec.structs.asdict(task))


def _body(request: TaskRequest, key: str) -> dict[str, Any]:
    """Return what is sent, with an idempotency key, its own or this one: sending it twice is submitting it once.

    Raises:
        InvalidInput: the input has no JSON form, or an option is out of its bounds.
    """
    asked = msgspec.structs.asdict(request)
    asked["idempotency_key"] = key if request.idempotency_key is None else request.idempotency_key
    return submission.body(asked.pop("agent"), asked.pop("skill"), asked.pop("input"), asked)


def _numbered(place: int, request: TaskRequest, key: str) -> dict[str, Any]:
    try:
        return _body(request, key)
    except InvalidInput as error:
        raise InvalidInput(f"request {place} of the batch: {error.message}", detail=error.detail) from error.__cause__
