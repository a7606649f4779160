"""Calls agents over the HTTP API: the client for programs with an event loop. `blocking.Client` is the one without."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Self, TypeVar

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.address import address
from agentic_atlas.sdk.client.agents import AsyncAgents, AsyncTokens
from agentic_atlas.sdk.client.http import PATIENCE, TIMEOUT, Http
from agentic_atlas.sdk.client.people import AsyncBackups, AsyncKeys, AsyncLogins, AsyncPeople
from agentic_atlas.sdk.client.retry import Sources
from agentic_atlas.sdk.client.task import is_number
from agentic_atlas.sdk.client.tasks import AsyncTasks
from agentic_atlas.sdk.environment import client_settings

P = ParamSpec("P")
T = TypeVar("T")


def _of_tasks(method: Callable[Concatenate[AsyncTasks, P], T]) -> Callable[Concatenate[AsyncClient, P], T]:
    """Return a method of `client.tasks` as one of the client's own."""

    @wraps(method)
    def short_cut(client: AsyncClient, /, *given: P.args, **more: P.kwargs) -> T:
        return method(client.tasks, *given, **more)

    return short_cut


class AsyncClient:
    """A caller of agents. Use it in `async with`, in one event loop; it may be shared by any number of tasks there.

    What there is to do is in groups: `tasks`, `agents`, `tokens`, `people`, `keys`, `logins`, `backups`. `call`,
    `submit` and `stream` are those of `tasks`.

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
    keys: AsyncKeys
    logins: AsyncLogins
    backups: AsyncBackups

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
        self.backups = AsyncBackups(http)

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
