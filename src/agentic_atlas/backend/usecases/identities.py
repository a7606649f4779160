"""What users are known by at an identity provider: listed, and removed. `single_sign_on` links it."""

from agentic_atlas.backend.domain.people import LinkedIdentity, Visitor
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal, require_other, require_over
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import NotFound

_INSTEAD = (
    "`atlas users identities --remove ID` removes one of yours (`DELETE /api/v1/users/me/identities/ID`), "
    "with your password"
)
"""What an administrator does about their own identities."""


@use_case
async def find(who: Principal, engine: Engine) -> list[LinkedIdentity]:
    """Return what one is known by oneself, in the order in which it was linked."""
    return await engine.store.accounts.identities(who.user.id)


@use_case
async def find_of(who: Principal, engine: Engine, user: str) -> list[LinkedIdentity]:
    """Return what the user of this name is known by.

    Raises:
        NotFound: no such user (`user_not_found`). Forbidden: see `rights.require_over`.
    """
    named = await engine.access.user(user)
    require_over(who, named.role)
    return await engine.store.accounts.identities(named.id)


@use_case
async def remove(who: Principal, engine: Engine, identity_id: str, password: str, visitor: Visitor) -> tuple[int, int]:
    """Be known by this no more, and end one's sessions and keys from log-ins but what asks; return how many of each.

    Raises:
        NotFound: it is none of one's own (`identity_not_found`). Conflict: one has no other way in (`last_way_in`).
        Unauthenticated, Busy, Forbidden: it is not certain that it is them, see `People.certain`.
    """
    await engine.people.certain(who, password, visitor)
    return await _removed(who, engine, who.user, identity_id)


@use_case
async def remove_of(who: Principal, engine: Engine, user: str, identity_id: str) -> tuple[int, int]:
    """Have the user of this name known by this no more, and end their sessions and keys from log-ins.

    Returns how many of each ended.

    Raises:
        NotFound: no such user (`user_not_found`), or it is none of theirs (`identity_not_found`).
        Conflict: they have no other way in (`last_way_in`), or it is the one who asks (`own_account`).
    """
    named = await engine.access.user(user)
    require_other(who, named, _INSTEAD)
    return await _removed(who, engine, named, identity_id)


async def _removed(who: Principal, engine: Engine, user: User, identity_id: str) -> tuple[int, int]:
    accounts = engine.store.accounts
    found = next((one for one in await accounts.identities(user.id) if one.id == identity_id), None)
    # Of a session nobody knows what it was begun with: all of them end.
    ended = None if found is None else await accounts.unlink(found, engine.clock(), but=who.credential.id)
    if ended is None:
        raise NotFound(f"there is no identity {identity_id[:64]!r}", code="identity_not_found")
    engine.access.forget()
    engine.people.logged_out(ended)
    engine.changes.account(user.id)
    return len(ended[0]), len(ended[1])
