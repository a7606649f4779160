"""`atlas users`: who may use the network, for its administrators; and how somebody new sets their password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast, get_args

import click

from agentic_atlas.cli import asking, connection, output, times
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import Iso, Json, Utc
from agentic_atlas.errors import NotFound
from agentic_atlas.protocol.caller.people import RoleName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agentic_atlas.protocol.caller.accounts import InvitationInfo, NewInvitation
    from agentic_atlas.protocol.caller.people import ListedUser, UserInfo

_ROLES = click.Choice(get_args(RoleName))
UserName = Annotated[str, Argument(metavar="NAME", help="The user's name.")]
NewRole = Annotated[str, Option("--role", type=_ROLES, help="What they may do.")]


def show_list(*, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """List the users: their roles, what they come in by, and when they logged in last."""

    async def work() -> list[ListedUser]:
        async with connection.connect() as atlas:
            return [user async for user in atlas.people.list()]

    found = connection.run(work())
    if json:
        output.document({"items": found})
        return
    clock = times.clock(utc=utc, iso=iso)
    rows = [
        (
            user.name,
            user.role,
            "disabled" if user.disabled else "",
            ", ".join(_ways(user, clock)) or "API keys alone",
            clock.short(user.last_login_at),
            clock.short(user.created_at),
        )
        for user in found
    ]
    output.table(("user", "role", "state", "comes in by", "last log-in", "created"), rows, drops=("created",))


def _ways(user: ListedUser, clock: times.TimeFormat) -> Iterator[str]:
    """Yield what somebody may come in by, besides API keys."""
    if user.password_at is not None:
        yield "password and one-time password" if user.totp_at is not None else "password"
    if user.identities:
        yield "single sign-on" if user.identities == 1 else f"single sign-on ({user.identities} identities)"
    if user.invited_until is not None:
        yield f"a link, good until {clock.short(user.invited_until)}"


def create(*, name: UserName, role: NewRole = "member", json: Json = False) -> None:
    """Make a user who comes in with API keys alone: `atlas keys create --user NAME` makes one.

    Somebody who is to log in is invited instead: `atlas users invite NAME`.
    """

    async def work() -> UserInfo:
        async with connection.connect() as atlas:
            return await atlas.people.create(name, _role(role))

    _tell(connection.run(work()), "Made", json=json)


def invite(
    *,
    name: UserName,
    role: Annotated[
        str | None, Option("--role", type=_ROLES, help="What somebody new may do; without it they are a member.")
    ] = None,
    expires: Annotated[
        str, Option("--expires", metavar="SPAN", help="2d, 12h, 30m …; seven days at the most, and without it.")
    ] = "",
    json: Json = False,
) -> None:
    """Make a link with which a user sets a password, once; who has none of this name is made.

    It is good for seven days, or for less, and ends an earlier one. For who is there already it is how they come in
    again when they have forgotten their password; their role stays: `atlas users role` changes it.
    """

    from agentic_atlas.protocol.caller.values import LONGEST

    expires_in = times.seconds(expires, most=LONGEST) if expires else None

    async def work() -> NewInvitation:
        async with connection.connect() as atlas:
            return await atlas.people.invite(name, None if role is None else _role(role), expires_in=expires_in)

    made = connection.run(work())
    if json:
        output.document(made)
        return
    output.say(made.link)
    ends = times.clock().full(made.expires_at)
    output.aside(
        f"Whoever opens it first is {made.user}: send it to nobody else. It is good once, until {ends}; "
        "`atlas users accept LINK` does the same in a terminal."
    )


def show_invitations(*, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """List the links that can still be used: for whom each is, and until when."""

    async def work() -> Sequence[InvitationInfo]:
        async with connection.connect() as atlas:
            return await atlas.people.invitations()

    found = connection.run(work())
    if json:
        output.document({"items": found})
        return
    clock = times.clock(utc=utc, iso=iso)
    rows = [(one.user, one.role, clock.short(one.created_at), clock.short(one.expires_at)) for one in found]
    output.table(("user", "role", "made", "good until"), rows)


def withdraw(*, name: UserName, json: Json = False) -> None:
    """Make the link worthless that a user was sent; an earlier password of theirs stays as it is."""

    async def work() -> InvitationInfo:
        async with connection.connect() as atlas:
            for one in await atlas.people.invitations():
                if one.user == name:
                    await atlas.people.revoke_invitation(one.id)
                    return one
        raise NotFound(f"no link that can be used is for {name}: `atlas users invitations` lists them")

    withdrawn = connection.run(work())
    if json:
        output.document(withdrawn)
    else:
        output.say(f"Withdrew the link for {withdrawn.user}.")


def accept(
    *, link: Annotated[str, Argument(metavar="LINK", help="The link that you were sent.")], json: Json = False
) -> None:
    """Set a password, by the link of an invitation; in a pipe it is the first line of stdin."""
    from agentic_atlas.sdk.client.login import InvitationLink

    invitation = InvitationLink(link, patience=connection.PATIENCE)
    _greet(invitation.url, connection.run(invitation.show()))
    user = connection.run(invitation.accept(asking.new_password()))
    if json:
        output.document(user)
    else:
        output.say(
            f"The password of {user.name} is set: `atlas login {invitation.url} --user {user.name}` logs you in."
        )


def role(
    *,
    name: UserName,
    new: Annotated[str, Argument(metavar="ROLE", type=_ROLES, help=", ".join(get_args(RoleName)))],
    json: Json = False,
) -> None:
    """Give a user another role; it counts from their next request on."""
    _tell(_update(name, role=_role(new)), "Changed", json=json)


def disable(*, name: UserName, json: Json = False) -> None:
    """Shut a user out at once, with their keys, sessions and agents; `enable` lets them in again."""
    _tell(_update(name, disabled=True), "Disabled", json=json)


def enable(*, name: UserName, json: Json = False) -> None:
    """Let a user in again, with their keys and agents; they log in anew."""
    _tell(_update(name, disabled=False), "Enabled", json=json)


def delete(
    *,
    name: UserName,
    yes: Annotated[bool, Option("--yes", "-y", help="Remove without a question.")] = False,
    json: Json = False,
) -> None:
    """Remove a user with their keys and sessions, who owns no agents any more; what they asked for stays.

    Whoever leaves is better disabled: where log-ins at an identity provider make users (ATLAS_OIDC_CREATE), somebody
    who was removed is made anew at the next one.
    """
    if not yes:
        asking.confirm(f"Remove {name} for ever?")

    async def work() -> int:
        async with connection.connect() as atlas:
            known = await atlas.people.identities(name)
            await atlas.people.delete(name)
            return len(known)

    known = connection.run(work())
    if json:
        output.document({"deleted": name})
    else:
        output.say(f"Removed {name}.")
        if known:
            output.aside(BACK_AGAIN)


BACK_AGAIN = (
    "The identity provider knows them still: where log-ins make users (ATLAS_OIDC_CREATE), they are back at the next "
    "one, as a new user. `atlas users disable NAME` keeps that one out; let the provider know, too."
)


def _greet(url: str, invitation: InvitationInfo) -> None:
    ends = times.clock().full(invitation.expires_at)
    output.aside(f"You are to be {invitation.user} on {url}; the link is good until {ends}.")


def _update(name: str, *, role: RoleName | None = None, disabled: bool | None = None) -> UserInfo:
    async def work() -> UserInfo:
        async with connection.connect() as atlas:
            return await atlas.people.update(name, role=role, disabled=disabled)

    return connection.run(work())


def _role(word: str) -> RoleName:
    return cast("RoleName", word)  # it was chosen from these


def _tell(user: UserInfo, what: str, *, json: bool) -> None:
    if json:
        output.document(user)
    else:
        output.say(f"{what} {user.name}: {user.role}{', disabled' if user.disabled else ''}.")
