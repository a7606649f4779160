"""What every route needs of a request: the backend, and who asks."""

from contextlib import AbstractAsyncContextManager
from typing import Annotated, TypeAlias, cast

from fastapi import Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from agentic_atlas.auth import TokenRefused, read_bearer
from agentic_atlas.backend.rights import SEND_A_KEY, Principal
from agentic_atlas.backend.usecases import users
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import Unauthenticated
from agentic_atlas.http.turns import ASKER, Turns
from agentic_atlas.protocol.tasks import TaskState

Turn: TypeAlias = AbstractAsyncContextManager[None]
INTRODUCED = "introduced"
"""In the state of a request: what the server wants called once its connection has shown an API key that is good."""


async def application_of(request: Request) -> Application:
    """Return what the application was made for; a coroutine, for plain functions cost a thread here."""
    return cast(Application, request.app.state.application)


async def principal_of(request: Request) -> Principal:
    """Return who asks; raises Unauthenticated."""
    application = await application_of(request)
    headers = request.headers.getlist("authorization")
    try:
        secret = read_bearer(headers) if headers else None
    except TokenRefused as error:
        raise Unauthenticated(f"{error.reason}: {SEND_A_KEY}") from None
    principal = await users.authenticate(None, application, secret)
    setattr(request.state, ASKER, principal.user.id)
    introduced = getattr(request.state, INTRODUCED, None)
    if introduced is not None:
        introduced()
    return principal


async def turn_of(request: Request, who: Annotated[Principal, Depends(principal_of)]) -> Turn:
    """Return a turn of whoever asks: the block in which a list is read and written out."""
    turns: Turns = request.app.state.turns
    return turns.turn(who.user.id)


Parts = Annotated[Application, Depends(application_of)]
Who = Annotated[Principal, Depends(principal_of)]
OwnTurn = Annotated[Turn, Depends(turn_of)]
Limit = Annotated[int, Query(ge=1, le=500, description="Most items of the answer.")]
After = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the task's end.")]


class WantedTasks(BaseModel):
    """Which tasks to list; everything that is given narrows."""

    agent: Annotated[str | None, Field(max_length=129, description="`name`, or `owner/name`.")] = None
    skill: Annotated[str | None, Field(max_length=64)] = None
    state: list[TaskState] = []
    since: Annotated[AwareDatetime | None, Field(description="Only what was made from then on.")] = None
    prefix: Annotated[str | None, Field(pattern="^[0-9a-z_]{1,64}$", description="How the id begins.")] = None
    parent: Annotated[str | None, Field(max_length=64)] = None
    trace: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$")] = None
