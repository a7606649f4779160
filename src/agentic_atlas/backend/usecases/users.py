"""Users and their API keys."""

import msgspec

from agentic_atlas.auth import digest, new_secret
from agentic_atlas.backend.domain.names import check_label, check_name
from agentic_atlas.backend.domain.records import ApiKey, Role, User
from agentic_atlas.backend.engine.access import Principal, require_admin
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.errors import Conflict, InvalidInput, NotFound

KEY_PREFIX = "atlas_"
MAX_LIFETIME = 366 * 86_400


class IssuedKey(msgspec.Struct, frozen=True):
    """A new API key with its secret, which is shown once and kept only as a digest."""

    key: ApiKey
    user: User
    secret: str

    def __repr__(self) -> str:
        return f"IssuedKey({self.key.id!r})"


async def bootstrap(engine: Engine, name: str) -> IssuedKey | None:
    """On a new network: make the first administrator and a key for them; None when there are users already."""
    if await engine.store.users.find(limit=1):
        return None
    user = User(engine.ids("usr"), check_name(name, "a user"), Role.ADMIN, engine.clock())
    await engine.store.users.add(user)
    return await _issue(engine, user, "first start", None)


async def recover(engine: Engine) -> IssuedKey:
    """Make another key for the first administrator, for whoever owns the machine the network runs on."""
    for user in await engine.store.users.find(limit=1_000):
        if user.role is Role.ADMIN and user.disabled_at is None:
            return await _issue(engine, user, "this machine", None)
    raise NotFound("there is no administrator", code="user_not_found")


async def create(engine: Engine, principal: Principal, name: str, role: Role) -> User:
    """Make a user; raises Forbidden, Conflict (`user_exists`) or InvalidInput."""
    require_admin(principal)
    user = User(engine.ids("usr"), check_name(name, "a user"), role, engine.clock())
    await engine.store.users.add(user)
    return user


async def find(engine: Engine, principal: Principal, *, limit: int, after: str | None) -> list[User]:
    """Return the users by name; raises Forbidden."""
    require_admin(principal)
    return await engine.store.users.find(limit=limit, after=after)


async def update(engine: Engine, principal: Principal, name: str, *, role: Role | None, disabled: bool | None) -> User:
    """Change what is not None. A disabled user's keys and agents stop working at once.

    Raises:
        Forbidden: not an administrator. NotFound: no such user. Conflict: it would shut out the one who asks.
    """
    require_admin(principal)
    user = await _named(engine, name)
    if user.id == principal.user.id and (disabled or role is Role.MEMBER):
        raise Conflict("you can't take your own rights away: let another administrator do it")
    at = None if disabled is None else engine.clock() if disabled else 0.0
    changed = await engine.store.users.update(user.id, role=role, disabled_at=at)
    engine.access.forget()
    if disabled is not None:
        for agent in await engine.store.agents.find(owner_id=user.id, limit=10_000):
            if disabled:
                engine.fleet.disconnect_agent(agent.id, "agent_disabled")
            else:
                engine.fleet.readmit_agent(agent.id)
    return changed or user


async def create_key(
    engine: Engine, principal: Principal, *, name: str = "", lifetime: float | None = None, user: str | None = None
) -> IssuedKey:
    """Make an API key, one's own or (administrators) another user's; `lifetime` in seconds, None: until revoked."""
    owner = principal.user
    if user is not None and user != owner.name:
        require_admin(principal)
        owner = await _named(engine, user)
    return await _issue(engine, owner, name, lifetime)


async def keys(engine: Engine, principal: Principal) -> list[ApiKey]:
    """Return the principal's own API keys, newest first."""
    return await engine.store.users.keys_of(principal.user.id)


async def revoke_key(engine: Engine, principal: Principal, key_id: str) -> ApiKey:
    """Make an API key worthless at once; raises NotFound (`api_key_not_found`)."""
    key = await engine.store.users.revoke_key(key_id, principal.scope, engine.clock())
    if key is None:
        raise NotFound(f"there is no API key {key_id[:64]!r}", code="api_key_not_found")
    engine.access.forget()
    return key


async def _named(engine: Engine, name: str) -> User:
    user = await engine.store.users.by_name(name)
    if user is None:
        raise NotFound(f"there is no user {name[:64]!r}", code="user_not_found")
    return user


async def _issue(engine: Engine, user: User, name: str, lifetime: float | None) -> IssuedKey:
    if lifetime is not None and not 1 <= lifetime <= MAX_LIFETIME:
        raise InvalidInput("an API key lives from 1 second to 366 days, or until it is revoked")
    now = engine.clock()
    secret = new_secret(KEY_PREFIX, engine.entropy)
    key = ApiKey(
        id=engine.ids("key"),
        user_id=user.id,
        name=check_label(name, "an API key's name"),
        digest=digest(secret),
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    await engine.store.users.add_key(key)
    return IssuedKey(key, user, secret)
