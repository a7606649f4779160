"""What a door holds of the backend, and what a use case is.

A use case is a function that takes who asks first, and does not begin before their right was checked. Each is known by
its module and its name; `rights.RIGHT_OF` says which right it needs, `audited` what the audit log says of it.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from msgspec.structs import replace

from agentic_atlas.auth import digest
from agentic_atlas.backend.audited import Audited, audited
from agentic_atlas.backend.domain.people import BrowserSession
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import RIGHT_OF, AgentToken, Principal, require
from agentic_atlas.errors import AtlasError, Busy, Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from agentic_atlas.protocol.caller.audit import AuditActor, AuditObject

SLOWED = 0.1
"""Seconds before somebody is told that they ask too often. Who asks again at once, and not when they were told to, is
refused ten times a second on each connection, and not as fast as they ask."""

P = ParamSpec("P")
T = TypeVar("T")
Who = TypeVar("Who", Principal, Principal | None)


class Application:
    """The backend, as a door has it: all there is to do with it is to ask who somebody is, and for use cases."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def authenticate(self, secret: str | None) -> Principal:
        """Return who holds this API key; raises Unauthenticated, or Busy when they ask too often."""
        try:
            who = await self._engine.access.authenticate(secret)
        except Unauthenticated as refusal:
            if secret:
                key = await _spent(self._engine, secret)
                self._engine.trail.refuse(None, "keys.use", key, refusal.code)
            raise
        return await self._counted(who)

    async def recognise(self, secret: str) -> Principal:
        """Return whose session this is, by the secret that their browser shows; raises as `authenticate` does."""
        who = await self._engine.people.logged_in.recognise(secret)
        return await self._counted(who)

    async def _counted(self, who: Principal) -> Principal:
        try:
            paced(self._engine, who)
        except Busy:
            await asyncio.sleep(SLOWED)
            raise
        return who

    async def again(self, who: Principal) -> Principal:
        """Return who this is by now, who was let in before: this does not count as asking. Raises Unauthenticated."""
        return await still(self._engine, who)

    @property
    def signs_on(self) -> bool:
        """Whether people can log in at an identity provider."""
        return self._engine.people.sign_on is not None

    def seq(self) -> int:
        """Return the number of the last change there was: what is looked at from now on shows it, or a later one."""
        return self._engine.changes.seq

    @property
    def longest_token(self) -> float:
        """Seconds that an agent's token may be good for at the most."""
        return self._engine.tokens.max_token_lifetime

    def now(self) -> float:
        """Return the server's time, in seconds since the epoch: for what is shown."""
        return self._engine.clock()


def paced(engine: Engine, who: Principal, times: int = 1) -> None:
    """Somebody asks so many times; raises Busy (`too_many_requests`) when their user does so too often."""
    wait = engine.pace(who.user.id, times) if engine.pace is not None and times else 0.0
    if wait:
        often = "you ask too often (ATLAS_REQUESTS_PER_SECOND): wait, and ask less often"
        raise Busy(often, code="too_many_requests", retry_after=wait)


async def still(engine: Engine, who: Principal, *, used: bool = True) -> Principal:
    """Return who somebody is by now, by what they have shown; raises Unauthenticated once that is good no more.

    `used`: this counts as use of a session. An agent's connection ends with its right, and what has no secret is this
    process itself: both stay as they are.
    """
    held = who.credential
    if isinstance(held, AgentToken) or not held.digest:
        return who
    if isinstance(held, BrowserSession):
        return await engine.people.logged_in.known_by(held.digest, used=used)
    return await engine.access.known_by(held.digest)


async def _spent(engine: Engine, secret: str) -> AuditObject:
    """Return which key this is that is good no more; without a name when there never was one."""
    found = await engine.store.users.key_by_digest(digest(secret))
    key = None if found is None else found[0]
    return AuditObject(kind="api_key", id=key.id if key else "", name=key.name if key else "")


USE_CASES: dict[str, Callable[..., object]] = {}
"""Every use case there is, by its name; filled as its module is loaded."""


def use_case(
    function: Callable[Concatenate[Who, Engine, P], T],
) -> Callable[Concatenate[Who, Application, P], T]:
    """Make a function a use case: whoever calls it has to have its right, or gets the error of `rights.require`."""
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    right = RIGHT_OF[name]

    @wraps(function)
    def checked(who: Who, application: Application, /, *args: P.args, **kwargs: P.kwargs) -> T:
        require(who, right)
        return function(who, application._engine, *args, **kwargs)

    known = _told(name, audited(name), function, checked)
    USE_CASES[name] = known
    return known


_UNCHANGED = (InvalidInput, Conflict, Busy, Unauthenticated, Forbidden, NotFound)
"""Errors after which all is as it was: not worth a row, unless it is one of a use case's refusals."""


def _told(
    name: str,
    audited: Audited,
    function: Callable[Concatenate[Who, Engine, P], T],
    checked: Callable[Concatenate[Who, Application, P], T],
) -> Callable[Concatenate[Who, Application, P], T]:
    """Have the audit log tell of a use case, which is a coroutine function."""
    signature = inspect.signature(function)
    asked = cast("Callable[..., Awaitable[Any]]", checked)

    @wraps(function)
    async def told(who: Who, application: Application, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            result = await asked(who, application, *args, **kwargs)
        except audited.refused as refusal:
            arguments = signature.bind(who, application, *args, **kwargs).arguments
            code, why = _said(refusal)
            about = await _refused(application._engine, audited, arguments)
            application._engine.trail.refuse(who, name, about, code, {"why": why} if audited.why else None)
            raise
        except _UNCHANGED:
            raise
        except Exception as fault:
            if audited.done:  # Nobody knows how far it came.
                arguments = signature.bind(who, application, *args, **kwargs).arguments
                about, facts = audited.object_of(arguments), audited.facts(arguments)
                application._engine.trail.note(who, name, about, facts, outcome=_said(fault)[0])
            raise
        if not audited.done:
            return result
        trail, arguments = application._engine.trail, signature.bind(who, application, *args, **kwargs).arguments
        by = await _doer(application._engine, who, result)
        trail.note(by, name, audited.object_of(arguments, result), audited.facts(arguments, result))
        if audited.waits:
            await trail.write()
        return result

    return cast("Callable[Concatenate[Who, Application, P], T]", told)


def _said(error: Exception) -> tuple[str, str]:
    """Return code and message of an error."""
    return (error.code, error.message) if isinstance(error, AtlasError) else (AtlasError.default_code, "")


async def _refused(engine: Engine, audited: Audited, arguments: Mapping[str, Any]) -> AuditObject:
    """Return what somebody was not let do something to."""
    about = audited.object_of(arguments)
    user = await engine.store.users.by_name(arguments[audited.user_in]) if audited.user_in else None
    return about if user is None else replace(about, name=user.name)


async def _doer(engine: Engine, who: Principal | None, result: object) -> Principal | AuditActor | None:
    """Return who did it: where nobody knew before who asks, whoever has come in by it."""
    if who is not None:
        return who
    found = getattr(result, "user", result)
    user = await engine.store.users.by_name(found) if isinstance(found, str) else found
    return AuditActor(kind="user", id=user.id, user_id=user.id, name=user.name) if isinstance(user, User) else None
