"""Invitations: a link with which one user sets their password, once. It is how people come in, and come in again who
have forgotten theirs; an administrator who makes one does not learn the password.
"""

from agentic_atlas.auth import digest
from agentic_atlas.auth.passwords import check_acceptable
from agentic_atlas.backend.domain.names import check_user_name
from agentic_atlas.backend.domain.people import Invitation, set_password
from agentic_atlas.backend.domain.records import Role, User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.invitations import INVITATION_LIFETIME, issue_invitation
from agentic_atlas.backend.rights import Principal, require_other, require_over, require_recent, to_last
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import invitation_info
from agentic_atlas.errors import Conflict, InvalidInput, NotFound
from agentic_atlas.protocol.caller.accounts import InvitationInfo

_INSTEAD = (
    "`atlas users password` changes your password (`PUT /api/v1/users/me/password`); "
    "when it is lost, another administrator makes the link"
)
"""What an administrator does about their own password."""


@use_case
async def create(
    who: Principal, engine: Engine, name: str, role: Role | None, *, lifetime: float | None = None
) -> tuple[Invitation, User, str]:
    """Make an invitation for the user of this name, who is made when there is none: a member, or of this role.

    Returns it with whom it is for, and its secret. An earlier one of the same user is good no more. This one is good
    for `lifetime` seconds, else for seven days, for no longer than the key that makes it, and while who makes it is an
    administrator.

    Raises:
        InvalidInput: the name is none, or it would be good for longer than that.
        Conflict: the user is disabled (`user_disabled`), has another role than this (`other_role`), or is the one who
            asks (`own_account`).
        Forbidden: see `rights.require_recent` and, of a lifetime that is said, `rights.to_last`.
    """
    require_recent(who, engine.clock())
    if lifetime is not None and lifetime > INVITATION_LIFETIME:
        raise InvalidInput(f"a link is good for {INVITATION_LIFETIME / 86_400:.0f} days at the most")
    left = to_last(who, lifetime, engine.clock())
    user = await engine.store.users.by_name(name)
    if user is None:
        user = await _made(engine, User(engine.ids("usr"), check_user_name(name), role or Role.MEMBER, engine.clock()))
    require_other(who, user, _INSTEAD)
    if role not in (None, user.role):
        raise Conflict(
            f"{user.name} is there already, as {user.role}, which an invitation leaves as it is: "
            f"`atlas users role {user.name} {role}` changes it",
            code="other_role",
        )
    if user.disabled_at is not None:
        raise Conflict(f"{user.name} is disabled: enable them first", code="user_disabled")
    lasts = INVITATION_LIFETIME if left is None else min(left, INVITATION_LIFETIME)
    invitation, secret = await issue_invitation(engine, user, made_by=who.user.id, lifetime=lasts)
    return invitation, user, secret


@use_case
async def find(who: Principal, engine: Engine) -> list[tuple[Invitation, User]]:
    """Return the invitations that can still be used with whom they are for, newest first."""
    return await engine.store.accounts.invitations(engine.clock())


@use_case
async def revoke(who: Principal, engine: Engine, invitation_id: str) -> InvitationInfo:
    """Make an invitation worthless, and return it.

    Raises:
        NotFound: there is none that can be used (`invitation_not_found`). Forbidden: see `rights.require_over`.
    """
    found = await engine.store.accounts.invitation(id=invitation_id)
    if found is not None:
        require_over(who, found[1].role)
    if found is None or not await engine.store.accounts.revoke_invitation(invitation_id, engine.clock()):
        raise NotFound(f"there is no invitation {invitation_id[:64]!r} that can be used", code="invitation_not_found")
    engine.changes.account(found[1].id)
    return invitation_info(*found)


@use_case
async def show(who: Principal | None, engine: Engine, secret: str) -> tuple[Invitation, User]:
    """Return the invitation with this secret and whom it is for; raises NotFound (`invitation_not_found`)."""
    return await _usable(engine, secret)


@use_case
async def accept(who: Principal | None, engine: Engine, secret: str, password: str) -> User:
    """Set the password of whom the invitation is for, and end the sessions and keys from log-ins that they have.

    Raises:
        NotFound: it was used, is over, or there never was one (`invitation_not_found`).
        InvalidInput: the password is guessed early (`weak_password`). Busy: too many people log in.
    """
    invitation, user = await _usable(engine, secret)
    check_acceptable(password, user.name)
    kept, now = await engine.people.passwords.hash(password), engine.clock()
    amend = set_password(kept, now)
    ended = await engine.store.accounts.replace_password(user.id, amend, now, invitation=invitation.id)
    if ended is None:
        raise _no_invitation()
    engine.access.forget()
    engine.people.logged_out(ended)
    engine.changes.account(user.id)
    return user


async def _made(engine: Engine, user: User) -> User:
    """Store a user; return who is called so, for somebody else may have invited them at the same time."""
    try:
        await engine.store.users.add(user)
    except Conflict:
        return await engine.store.users.by_name(user.name) or user
    return user


async def _usable(engine: Engine, secret: str) -> tuple[Invitation, User]:
    found = await engine.store.accounts.invitation(digest=digest(secret))
    if found is None or not found[0].open(engine.clock()) or found[1].disabled_at is not None:
        raise _no_invitation()
    return found


def _no_invitation() -> NotFound:
    return NotFound(
        "this link was used, or its time is over: an administrator makes another one",
        code="invitation_not_found",
    )
