"""`atlas agents share` and `atlas groups`: with whom agents are shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import connection, output
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import AgentName, Json

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.agents import AgentShares, EndedToken, ShareInfo
    from agentic_atlas.protocol.caller.people import GroupInfo

With = Annotated[
    tuple[str, ...],
    Option("--with", metavar="WHO", help="A user, group:NAME, or everyone; again for each."),
]
GroupName = Annotated[str, Argument(metavar="GROUP")]
UserName = Annotated[str, Argument(metavar="USER")]


def share(
    *,
    agent: AgentName,
    with_: With,
    manage: Annotated[
        bool, Option("--manage", help="Not only for calling: to change it, have its tokens and see all its tasks.")
    ] = False,
    json: Json = False,
) -> None:
    """Let others call an agent of yours, or manage it. It holds at once; said again, it takes the place of before."""

    async def work() -> AgentShares:
        async with connection.connect() as atlas:
            return await atlas.agents.share(agent, *with_, access="manage" if manage else "call")

    _show(agent, connection.run(work()), json=json)


def unshare(*, agent: AgentName, with_: With, json: Json = False) -> None:
    """Let others call or manage an agent of yours no more, at once. What they asked for goes on, and stays theirs.

    Tokens that they made end, and what is connected with them is disconnected.
    """

    async def work() -> tuple[list[str], AgentShares]:
        async with connection.connect() as atlas:
            before = {one.subject for one in (await atlas.agents.get(agent)).shares}
            shared = await atlas.agents.unshare(agent, *with_)
            return [one for one in with_ if one.removeprefix("user:") not in before], shared

    never, shared = connection.run(work())
    if never:
        output.aside(f"{agent} was not shared with {', '.join(never)}.")
    _show(agent, shared, json=json)


def words_of(shares: Sequence[ShareInfo]) -> str:
    """Return with whom an agent is shared, in a line."""
    return ", ".join(f"{one.subject} (manage)" if one.access == "manage" else one.subject for one in shares)


def show_groups(*, json: Json = False) -> None:
    """List the groups that you are in, with who is in them; administrators see all."""

    async def work() -> list[GroupInfo]:
        async with connection.connect() as atlas:
            return [group async for group in atlas.groups.list()]

    found = connection.run(work())
    if json:
        output.document({"items": found})
    elif not found:
        output.aside("There are no groups that you are in: an administrator makes one with `atlas groups create NAME`.")
    else:
        rows = [(group.name, ", ".join(group.members)) for group in found]
        output.table(("group", "members"), rows, shrinks=("members",))


def create_group(*, group: GroupName, json: Json = False) -> None:
    """Make a group that nobody is in yet; administrators only."""

    async def work() -> GroupInfo:
        async with connection.connect() as atlas:
            return await atlas.groups.create(group)

    made = connection.run(work())
    if json:
        output.document(made)
    else:
        output.say(f"Made the group {made.name}: `atlas groups add {made.name} USER` puts somebody into it.")


def delete_group(
    *,
    group: GroupName,
    yes: Annotated[bool, Option("--yes", "-y", help="Without a question.")] = False,
    json: Json = False,
) -> None:
    """Remove a group: what is shared with it is shared with its members no more. Administrators only."""
    from agentic_atlas.cli.asking import confirm

    async def work() -> GroupInfo:
        async with connection.connect() as atlas:
            return await atlas.groups.delete(group)

    if not yes:
        confirm(f"Delete the group {group}, and what is shared with it?")
    deleted = connection.run(work())
    if json:
        output.document({"deleted": group, "ended": deleted.ended})
    else:
        output.say(f"Deleted the group {group}.")
        _tell_ended(deleted.ended)


def add_member(*, group: GroupName, user: UserName, json: Json = False) -> None:
    """Put a user into a group: they have at once what is shared with it. Administrators only."""

    async def work() -> GroupInfo:
        async with connection.connect() as atlas:
            return await atlas.groups.add(group, user)

    _show_group(connection.run(work()), json=json)


def remove_member(*, group: GroupName, user: UserName, json: Json = False) -> None:
    """Take a user out of a group: what is shared with it they have no more. Administrators only."""

    async def work() -> GroupInfo:
        async with connection.connect() as atlas:
            return await atlas.groups.remove(group, user)

    _show_group(connection.run(work()), json=json)


def _show(agent: str, shared: AgentShares, *, json: bool) -> None:
    if json:
        output.document(shared)
        return
    shares = shared.items
    output.say(f"{agent} is shared with {words_of(shares)}." if shares else f"{agent} is yours alone.")
    _tell_ended(shared.ended)


def _tell_ended(ended: Sequence[EndedToken]) -> None:
    for name, count in Counter(token.made_by for token in ended).items():
        output.say(f"Ended {count} {'token' if count == 1 else 'tokens'} that {name} made.")


def _show_group(group: GroupInfo, *, json: bool) -> None:
    if json:
        output.document(group)
    else:
        output.say(f"In {group.name}: {', '.join(group.members) or 'nobody'}.")
        _tell_ended(group.ended)
