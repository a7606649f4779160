"""API keys: made, listed, revoked."""

from collections.abc import Sequence

from agentic_atlas.auth import Scope, covers
from agentic_atlas.backend.domain.records import ApiKey, Role
from agentic_atlas.backend.engine.api_keys import issue_key
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import (
    Principal,
    Right,
    key_invalid,
    require,
    require_over,
    require_recent,
    to_give,
    to_last,
)
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import api_key_info, new_api_key
from agentic_atlas.errors import NotFound
from agentic_atlas.protocol.caller.people import ApiKeyInfo, NewApiKey


@use_case
async def create(
    who: Principal,
    engine: Engine,
    *,
    name: str = "",
    lifetime: float | None = None,
    scopes: Sequence[str] | None = None,
) -> NewApiKey:
    """Make an API key of one's own; `lifetime` in seconds, None: as long as may be (`rights.to_last`).

    With a key that an administrator made for one, it is theirs as well, and ends with that.

    Raises:
        InvalidInput: the name, the lifetime or a scope is none. Forbidden: see `rights.to_give`, `rights.to_last` and,
            of one that changes users, `rights.require_recent`.
    """
    given, lasts = to_give(who, scopes), to_last(who, lifetime, engine.clock())
    if who.user.role is Role.ADMIN and covers(given, Scope.USERS_ADMIN):
        require_recent(who, engine.clock())
    key, secret = await issue_key(engine, who.user, given, name, lasts, made_by=who.made_by)
    return new_api_key(key, who.user, secret)


@use_case
async def create_for(
    who: Principal,
    engine: Engine,
    user: str,
    *,
    name: str = "",
    lifetime: float | None = None,
    scopes: Sequence[str] | None = None,
) -> NewApiKey:
    """Make an API key of another user's, by the user's name; raises NotFound (`user_not_found`), and as `create`.

    It ends when who makes it is an administrator no more.

    Raises Forbidden as `rights.require_over` and `rights.require_recent` too.
    """
    require_recent(who, engine.clock())
    given, lasts = to_give(who, scopes), to_last(who, lifetime, engine.clock())
    owner = await engine.access.user(user)
    require_over(who, owner.role)
    key, secret = await issue_key(engine, owner, given, name, lasts, made_by=who.user.id)
    return new_api_key(key, owner, secret)


@use_case
async def find(who: Principal, engine: Engine) -> list[ApiKey]:
    """Return the principal's own API keys, newest first."""
    return [engine.access.uses.shown(key) for key in await engine.store.users.keys_of(who.user.id)]


@use_case
async def find_all(
    who: Principal, engine: Engine, *, limit: int, user: str | None = None, after: str | None = None
) -> list[ApiKeyInfo]:
    """Return everybody's API keys, newest first, from the one after the one with this id; or those of one user.

    Raises NotFound (`user_not_found`).
    """
    user_id = None if user is None else (await engine.access.user(user)).id
    found = await engine.store.users.find_keys(limit=limit, user_id=user_id, after=after)
    return [api_key_info(engine.access.uses.shown(key), owner.name) for key, owner in found]


@use_case
async def revoke(who: Principal, engine: Engine, key_id: str) -> ApiKey:
    """Make an API key worthless at once; every key may revoke itself. Raises NotFound (`api_key_not_found`)."""
    if key_id != who.credential.id:
        require(who, Right.MANAGE_OWN_KEYS)
    key = await engine.store.users.revoke_key(key_id, who.visible.user_id, engine.clock())
    if key is None:
        raise NotFound(f"there is no API key {key_id[:64]!r}", code="api_key_not_found")
    engine.access.forget()
    engine.feed.refuse(key.id, key_invalid())
    engine.changes.account(key.user_id)
    return engine.access.uses.shown(key)
