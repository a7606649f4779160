"""Users: made, listed, changed by administrators."""

from agentic_atlas.backend.domain.names import check_user_name
from agentic_atlas.backend.domain.people import WaysIn
from agentic_atlas.backend.domain.records import ApiKey, Group, Role, User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.review import end_made, look_again
from agentic_atlas.backend.rights import Credential, Principal, Visible, key_invalid, require_over, require_recent
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import Conflict
from agentic_atlas.protocol.inside.messages import Readmit, ShutOut

MOST_NAMED = 100
"""Agents of one user or group that are named, and groups of one user."""


@use_case
async def whoami(who: Principal, engine: Engine) -> tuple[str, Credential]:
    """Return the id of the network that the principal is known in, and what they have shown, as it is now."""
    held = who.credential
    return engine.network, engine.access.uses.shown(held) if isinstance(held, ApiKey) else held


@use_case
async def create(who: Principal, engine: Engine, name: str, role: Role) -> User:
    """Make a user; raises Conflict (`user_exists`), InvalidInput or Forbidden.

    For that see `rights.require_over` and, of an administrator, `rights.require_recent`.
    """
    require_over(who, role)
    if role is Role.ADMIN:
        require_recent(who, engine.clock())
    user = User(engine.ids("usr"), check_user_name(name), role, engine.clock())
    await engine.store.users.add(user)
    engine.changes.account(user.id)
    return user


@use_case
async def find(
    who: Principal, engine: Engine, *, limit: int, after: str | None, part: str = ""
) -> list[tuple[User, WaysIn]]:
    """Return the users who have this part in their name, by it, with what each may come in by."""
    found = await engine.store.users.find(limit=limit, after=after, part=part)
    ways = await _ways(engine, *found)
    return [(user, ways.get(user.id, WaysIn())) for user in found]


@use_case
async def show(who: Principal, engine: Engine, name: str) -> tuple[User, WaysIn, list[Group], list[str]]:
    """Return a user, what they may come in by, the groups that they are in, and the names of agents that they own.

    Of more than `MOST_NAMED` groups or agents the first ones by name.

    Raises:
        NotFound: no such user (`user_not_found`). Forbidden: see `rights.require_over`.
    """
    user = await engine.access.user(name)
    require_over(who, user.role)
    ways = await _ways(engine, user)
    groups = await engine.store.groups.find(user_id=user.id, limit=MOST_NAMED)
    agents = await engine.store.agents.find(Visible(user.id), limit=MOST_NAMED)
    return user, ways.get(user.id, WaysIn()), groups, [agent.full_name for agent in agents]


@use_case
async def update(who: Principal, engine: Engine, name: str, *, role: Role | None, disabled: bool | None) -> User:
    """Change what is not None. A disabled user's keys and agents stop working at once.

    An administrator who is none any more waits no longer for tasks that they do not see then. Who manages agents of
    others no more, as a viewer or disabled, ends with the tokens that they made of those; who administers no more, with
    the keys and invitations that they made for others.

    Raises:
        NotFound: no such user (`user_not_found`).
        Conflict: it would shut out the one who asks, or leave no administrator (`last_administrator`).
        Forbidden: see `rights.require_over` and, of who is to administer from then on, `rights.require_recent`.
    """
    user = await engine.access.user(name)
    _check_change(who, user, role, engine.clock(), disabled=disabled)
    at = None if disabled is None else engine.clock() if disabled else 0.0
    changed, ended = await engine.store.users.update(user.id, engine.clock(), role=role, disabled_at=at)
    engine.access.forget()
    await end_made(engine, who, ended)
    if disabled:
        engine.feed.refuse(user.id, key_invalid())
        await engine.people.end(user_id=user.id)
    if role not in (None, Role.ADMIN):
        await look_again(engine, [user.id])
    if disabled is not None:
        for agent in await engine.store.agents.find(Visible(user.id), limit=10_000):
            if disabled:
                engine.router.say(ShutOut(agent.id, "owner_disabled"))
            elif agent.disabled_at is None:
                engine.router.say(Readmit(agent.id))
    engine.changes.account(user.id)
    return changed or user


def _check_change(who: Principal, user: User, role: Role | None, now: float, *, disabled: bool | None) -> None:
    """Raise what `update` does where somebody may not change a user like this."""
    require_over(who, user.role, role or user.role)
    if user.id == who.user.id and (disabled or role not in (None, Role.ADMIN)):
        raise Conflict("you can't take your own rights away: let another administrator do it")
    enabled = disabled is False or (user.disabled_at is None and not disabled)
    if enabled and (role or user.role) is Role.ADMIN and not user.administers:
        require_recent(who, now)


@use_case
async def delete(who: Principal, engine: Engine, name: str) -> User:
    """Remove a user with their keys, sessions, and what they made for others; what they asked for stays.

    Returns them as they were.

    Raises:
        NotFound: no such user (`user_not_found`).
        Conflict: they own agents (`user_has_agents`), it is the one who asks, or the `last_administrator`.
        Forbidden: see `rights.require_over`.
    """
    user = await engine.access.user(name)
    require_over(who, user.role)
    if user.id == who.user.id:
        raise Conflict("you can't remove yourself: let another administrator do it")
    ended = await engine.store.users.delete(user.id, engine.clock())
    engine.access.forget()
    if ended is not None:
        await end_made(engine, who, ended, user)
    engine.feed.refuse(user.id, key_invalid())
    engine.changes.account(user.id)
    return user


async def _ways(engine: Engine, *users: User) -> dict[str, WaysIn]:
    """Return what each of these may come in by, by their ids."""
    ids, idle = [user.id for user in users], engine.people.logged_in.idle
    return await engine.store.accounts.ways(ids, engine.clock(), idle)
