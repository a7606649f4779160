"""How one comes in oneself: the password, and one-time passwords. Each change needs the password again."""

from agentic_atlas.auth.passwords import check_acceptable
from agentic_atlas.auth.totp import (
    matching_step,
    new_recovery_codes,
    new_totp_secret,
    provisioning_uri,
    qr_svg,
    recovery_digest,
)
from agentic_atlas.backend.domain.people import (
    Account,
    Visitor,
    begin_totp,
    confirm_totp,
    end_totp,
    not_your_password,
    set_password,
    unless_password_changed,
)
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal, require_other
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import Conflict, InvalidInput
from agentic_atlas.protocol.caller.accounts import TotpEnrolment

_INSTEAD = (
    "`atlas users totp --off` ends your one-time passwords (`DELETE /api/v1/users/me/totp`), with your password; "
    "when that is lost as well, another administrator helps"
)
"""What an administrator does about their own one-time passwords."""


@use_case
async def show(who: Principal, engine: Engine) -> Account:
    """Return what one logs in with."""
    return await engine.store.accounts.get(who.user.id) or Account(who.user.id)


@use_case
async def change_password(who: Principal, engine: Engine, current: str, new: str, visitor: Visitor) -> tuple[int, int]:
    """Have another password, and end all one's sessions and keys from log-ins but what asks; return how many of each.

    Keys that were made on purpose (`keys.create`) stay.

    Raises:
        Unauthenticated: the current one is wrong (`login_failed`). Busy: too many tries were (`too_many_logins`).
        InvalidInput: the new one is guessed early (`weak_password`), or the current one.
    """
    account = await engine.people.confirmed(who.user, current, visitor)
    if new == current:
        raise InvalidInput("this is your password already: choose another one")
    check_acceptable(new, who.user.name)
    kept, now = await engine.people.passwords.hash(new), engine.clock()
    amend = unless_password_changed(account, set_password(kept, now))
    ended = await engine.store.accounts.replace_password(who.user.id, amend, now, but=who.credential.id)
    if ended is None:
        raise not_your_password()
    engine.access.forget()
    engine.people.logged_out(ended)
    engine.changes.account(who.user.id)
    return len(ended[0]), len(ended[1])


@use_case
async def enrol(who: Principal, engine: Engine, password: str, visitor: Visitor, where: str) -> TotpEnrolment:
    """Return a secret for an authenticator, which calls this network `where`; nothing changes until it is confirmed.

    Raises:
        Unauthenticated: the password is wrong (`login_failed`). Busy: too many tries were (`too_many_logins`).
        Conflict: log-ins need one-time passwords already (`totp_on`).
    """
    await engine.people.confirmed(who.user, password, visitor)
    secret = new_totp_secret(engine.entropy)
    if await engine.store.accounts.change(who.user.id, begin_totp(secret)) is None:
        raise Conflict(
            "your log-ins need one-time passwords already: end those first (`atlas users totp --off`)", code="totp_on"
        )
    uri = provisioning_uri(secret, who.user.name, where)
    return TotpEnrolment(secret=secret, uri=uri, qr=qr_svg(uri))


@use_case
async def confirm(who: Principal, engine: Engine, code: str) -> list[str]:
    """Let log-ins need one-time passwords from now on; return the codes for who has lost their authenticator.

    Raises:
        InvalidInput: that is not what the authenticator shows now (`wrong_code`).
        Conflict: nothing waits to be confirmed (`totp_on`).
    """
    account = await engine.store.accounts.get(who.user.id)
    if account is None or not account.totp or account.totp_at is not None:
        raise Conflict("no one-time passwords wait to be confirmed: begin with a new secret", code="totp_on")
    now = engine.clock()
    step = matching_step(account.totp, code, now)
    if step is None:
        raise InvalidInput(
            "that is not what the authenticator shows: is the clock of its machine right?", code="wrong_code"
        )
    codes = new_recovery_codes(engine.entropy)
    amend = confirm_totp(account.totp, step, tuple(map(recovery_digest, codes)), now)
    if await engine.store.accounts.change(who.user.id, amend) is None:
        raise Conflict("these one-time passwords were confirmed already", code="totp_on")
    engine.changes.account(who.user.id)
    return codes


@use_case
async def disenrol(who: Principal, engine: Engine, password: str, visitor: Visitor) -> None:
    """Let log-ins need no one-time passwords any more; raises as `enrol` does, but Conflict."""
    account = await engine.people.confirmed(who.user, password, visitor)
    if await engine.store.accounts.change(who.user.id, unless_password_changed(account, end_totp)) is None:
        raise not_your_password()
    engine.changes.account(who.user.id)


@use_case
async def reset_totp(who: Principal, engine: Engine, name: str) -> User:
    """Let the log-ins of a user who has lost their authenticator need no one-time passwords any more.

    Raises:
        NotFound: no such user (`user_not_found`). Conflict: it is the one who asks (`own_account`).
    """
    user = await engine.access.user(name)
    require_other(who, user, _INSTEAD)
    await engine.store.accounts.change(user.id, end_totp)
    engine.changes.account(user.id)
    return user
