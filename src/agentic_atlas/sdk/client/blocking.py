"""`Client`: `AsyncClient` for programs without an event loop; it runs in a loop on a thread of its own.

Not a second client: it holds no logic. Safe to share between threads. Every method blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from agentic_atlas.errors import AtlasError
from agentic_atlas.sdk.client import records
from agentic_atlas.sdk.client.asynchronous import PATIENCE, TIMEOUT, AsyncClient, TaskRequest
from agentic_atlas.sdk.client.loop import LoopThread
from agentic_atlas.sdk.client.task import TaskHandle


class BlockingTask:
    """`TaskHandle`, each method blocking."""

    def __init__(self, loop: LoopThread, task: TaskHandle) -> None:
        self._loop, self._task = loop, task

    @property
    def id(self) -> str:
        """The task's id."""
        return self._task.id

    @property
    def info(self) -> records.TaskInfo:
        """The task as it was when the server last answered."""
        return self._task.info

    def refresh(self, *, wait: float = 0.0) -> records.TaskInfo:
        """See `TaskHandle.refresh`."""
        return self._loop.run(self._task.refresh(wait=wait))

    def wait(self, timeout: float | None = None) -> records.TaskInfo:
        """See `TaskHandle.wait`."""
        return self._loop.run(self._task.wait(timeout))

    def result(self, timeout: float | None = None) -> Any:
        """See `TaskHandle.result`."""
        return self._loop.run(self._task.result(timeout))

    def cancel(self, reason: str | None = None) -> records.TaskInfo:
        """See `TaskHandle.cancel`."""
        return self._loop.run(self._task.cancel(reason))

    def answer(self, value: Any, *, question: int | None = None) -> records.TaskInfo:
        """See `TaskHandle.answer`."""
        return self._loop.run(self._task.answer(value, question=question))

    def retry(self) -> BlockingTask:
        """See `TaskHandle.retry`."""
        return BlockingTask(self._loop, self._loop.run(self._task.retry()))

    def events(self, after: int = 0) -> Iterator[records.TaskEvent]:
        """See `TaskHandle.events`."""
        return self._loop.each(self._task.events(after))


class Client:
    """`AsyncClient`, each method blocking; the same arguments, answers and errors. Use it in `with`, or close it."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ) -> None:
        self._client = AsyncClient(base_url, api_key=api_key, timeout=timeout, patience=patience)
        self._loop = LoopThread()

    def __repr__(self) -> str:
        return f"<Client {self._client.base_url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread. Tasks that were submitted go on."""
        if not self._loop.stopped:
            self._loop.run(self._client.aclose())
            self._loop.stop()

    def call(self, agent: str, skill: str, input: Mapping[str, Any] | None = None, /, **more: Any) -> Any:
        """See `AsyncClient.call`."""
        return self._loop.run(self._client.call(agent, skill, input, **more))

    def submit(self, agent: str, skill: str, input: Mapping[str, Any] | None = None, /, **more: Any) -> BlockingTask:
        """See `AsyncClient.submit`."""
        return self._handle(self._loop.run(self._client.submit(agent, skill, input, **more)))

    def batch(self, requests: Iterable[TaskRequest]) -> list[BlockingTask | AtlasError]:
        """See `AsyncClient.batch`."""
        made = self._loop.run(self._client.batch(requests))
        return [self._handle(task) if isinstance(task, TaskHandle) else task for task in made]

    def task(self, id: str) -> BlockingTask:
        """See `AsyncClient.task`."""
        return self._handle(self._loop.run(self._client.task(id)))

    def tasks(self, **fitting: Any) -> Iterator[records.TaskSummary]:
        """See `AsyncClient.tasks`."""
        return self._loop.each(self._client.tasks(**fitting))

    def task_page(self, **fitting: Any) -> records.Page[records.TaskSummary]:
        """See `AsyncClient.task_page`."""
        return self._loop.run(self._client.task_page(**fitting))

    def cancel(self, id: str, reason: str | None = None) -> records.TaskInfo:
        """See `AsyncClient.cancel`."""
        return self._loop.run(self._client.cancel(id, reason))

    def answer(self, id: str, value: Any, *, question: int | None = None) -> records.TaskInfo:
        """See `AsyncClient.answer`."""
        return self._loop.run(self._client.answer(id, value, question=question))

    def retry(self, id: str) -> BlockingTask:
        """See `AsyncClient.retry`."""
        return self._handle(self._loop.run(self._client.retry(id)))

    def agents(self) -> Iterator[records.AgentInfo]:
        """See `AsyncClient.agents`."""
        return self._loop.each(self._client.agents())

    def agent(self, name: str) -> records.AgentInfo:
        """See `AsyncClient.agent`."""
        return self._loop.run(self._client.agent(name))

    def create_agent(self, name: str, description: str = "") -> records.AgentInfo:
        """See `AsyncClient.create_agent`."""
        return self._loop.run(self._client.create_agent(name, description))

    def delete_agent(self, name: str) -> None:
        """See `AsyncClient.delete_agent`."""
        self._loop.run(self._client.delete_agent(name))

    def create_token(self, agent: str, *, name: str = "", expires_in: float | None = None) -> records.NewToken:
        """See `AsyncClient.create_token`."""
        return self._loop.run(self._client.create_token(agent, name=name, expires_in=expires_in))

    def tokens(self, agent: str) -> list[records.TokenInfo]:
        """See `AsyncClient.tokens`."""
        return self._loop.run(self._client.tokens(agent))

    def revoke_token(self, id: str) -> records.TokenInfo:
        """See `AsyncClient.revoke_token`."""
        return self._loop.run(self._client.revoke_token(id))

    def users(self) -> list[records.UserInfo]:
        """See `AsyncClient.users`."""
        return self._loop.run(self._client.users())

    def api_keys(self) -> list[records.ApiKeyInfo]:
        """See `AsyncClient.api_keys`."""
        return self._loop.run(self._client.api_keys())

    def revoke_api_key(self, id: str) -> records.ApiKeyInfo:
        """See `AsyncClient.revoke_api_key`."""
        return self._loop.run(self._client.revoke_api_key(id))

    def login_request(self, user_code: str) -> records.LoginInfo:
        """See `AsyncClient.login_request`."""
        return self._loop.run(self._client.login_request(user_code))

    def approve_login(self, user_code: str) -> records.LoginInfo:
        """See `AsyncClient.approve_login`."""
        return self._loop.run(self._client.approve_login(user_code))

    def deny_login(self, user_code: str) -> records.LoginInfo:
        """See `AsyncClient.deny_login`."""
        return self._loop.run(self._client.deny_login(user_code))

    def whoami(self) -> records.WhoAmI:
        """See `AsyncClient.whoami`."""
        return self._loop.run(self._client.whoami())

    def create_backup(self) -> records.BackupInfo:
        """See `AsyncClient.create_backup`."""
        return self._loop.run(self._client.create_backup())

    def backups(self) -> list[records.BackupInfo]:
        """See `AsyncClient.backups`."""
        return self._loop.run(self._client.backups())

    def _handle(self, task: TaskHandle) -> BlockingTask:
        return BlockingTask(self._loop, task)
