"""Groups of users, with whom an agent is shared at once: made and filled by administrators, seen by who is in them."""

from agentic_atlas.backend.domain.names import check_name
from agentic_atlas.backend.domain.records import AccessLevel, Group
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.review import end_connections, look_again
from agentic_atlas.backend.rights import Principal, Visible, require_share
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import group_info
from agentic_atlas.backend.usecases.users import MOST_NAMED
from agentic_atlas.protocol.caller.people import GroupInfo


@use_case
async def create(who: Principal, engine: Engine, name: str) -> tuple[Group, GroupInfo]:
    """Make a group that nobody is in; raises Conflict (`group_exists`) or InvalidInput."""
    group = Group(engine.ids("grp"), check_name(name, "a group"), engine.clock())
    await engine.store.groups.add(group)
    engine.changes.account()
    return group, group_info(group, [])


@use_case
async def find(who: Principal, engine: Engine, *, limit: int, after: str | None) -> list[GroupInfo]:
    """Return the groups that the principal is in, by name, and who else is; all for administrators."""
    found = await engine.store.groups.find(user_id=who.visible.user_id, limit=limit, after=after)
    return [await _shown(engine, group) for group in found]


@use_case
async def show(who: Principal, engine: Engine, name: str) -> tuple[GroupInfo, list[tuple[str, AccessLevel]]]:
    """Return a group with who is in it, and the agents that are shared with it, by name, each with for what.

    Of more than `MOST_NAMED` agents the first ones. Raises NotFound (`group_not_found`).
    """
    group = await engine.access.group(who.user, name)
    subject = f"group:{group.id}"
    found = await engine.store.agents.find(Visible("", None, (subject,)), limit=MOST_NAMED)
    shares = [(agent.full_name, share.access) for agent in found for share in agent.shares if share.subject == subject]
    return await _shown(engine, group), shares


@use_case
async def delete(who: Principal, engine: Engine, name: str) -> tuple[Group, GroupInfo]:
    """Remove a group, and what is shared with it; tokens end that its members made by that.

    Returns it as it was, with those.

    Raises NotFound (`group_not_found`).
    """
    group = await engine.access.group(who.user, name)
    members = await engine.store.groups.members(group.id)
    ended = await end_connections(engine, who, await engine.store.groups.delete(group.id, engine.clock()))
    engine.registry.forget_all()
    await _changed(engine, *(user.id for user in members))
    return group, group_info(group, members, ended)


@use_case
async def add(who: Principal, engine: Engine, name: str, user: str) -> tuple[Group, GroupInfo]:
    """Have a user in a group; return it with who is in it now.

    Raises:
        NotFound: no such group or user. Conflict: too many are in it, or they in too many (`too_many_memberships`).
        Forbidden: agents are shared with it for what needs more than is shown; see `rights.require_share`.
    """
    group, member = await engine.access.group(who.user, name), await engine.access.user(user)
    for access in await engine.store.groups.levels(group.id):
        require_share(who, access)
    await engine.store.groups.put_member(group.id, member.id)
    await _changed(engine, member.id)
    return group, await _shown(engine, group)


@use_case
async def remove(who: Principal, engine: Engine, name: str, user: str) -> tuple[Group, GroupInfo]:
    """Have a user not in a group: what is shared with it they see no more, and tokens end that they made by that.

    Raises NotFound.
    """
    group, member = await engine.access.group(who.user, name), await engine.access.user(user)
    dropped = await engine.store.groups.drop_member(group.id, member.id, engine.clock())
    ended = await end_connections(engine, who, dropped)
    await _changed(engine, member.id)
    return group, group_info(group, await engine.store.groups.members(group.id), ended)


async def _changed(engine: Engine, *user_ids: str) -> None:
    """These see other agents from now on, those who watch as well."""
    engine.access.forget()
    engine.changes.account(*user_ids)
    await look_again(engine, user_ids)


async def _shown(engine: Engine, group: Group) -> GroupInfo:
    return group_info(group, await engine.store.groups.members(group.id))
