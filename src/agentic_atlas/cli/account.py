"""`atlas whoami` and `version`; and of `atlas users` what is one's own: how one comes in, and where one has."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agentic_atlas._version import __version__
from agentic_atlas.cli import asking, connection, output
from agentic_atlas.cli.command.declared import Option
from agentic_atlas.cli.options import Iso, Json, Utc
from agentic_atlas.cli.times import clock

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.accounts import IdentityInfo, LoggedOut, TotpEnrolment
    from agentic_atlas.protocol.caller.people import ApiKeyInfo, SessionInfo, WhoAmI


MADE_ANEW = (
    "Whoever logs in with it again is a new user, where log-ins make users (ATLAS_OIDC_CREATE): "
    "`atlas users disable NAME` keeps a person out."
)


def whoami(*, json: Json = False) -> None:
    """Show who you are, and to which platform."""

    async def work() -> tuple[str, WhoAmI]:
        async with connection.connect() as atlas:
            return atlas.base_url, await atlas.people.whoami()

    url, me = connection.run(work())
    if json:
        output.document({"url": url, "user": me.user, "api_key": me.api_key, **_server(me)})
        return
    output.fields(
        [
            ("user", me.user.name),
            ("role", me.user.role),
            *([] if me.api_key is None else _key(me.api_key)),
            ("platform", url),
            ("router", me.router_url),
            ("network", me.network),
            ("server", me.version),
        ]
    )


def _key(key: ApiKeyInfo) -> list[tuple[str, str]]:
    ends = clock().full(key.expires_at)
    return [
        ("API key", key.name or key.id),
        *([] if "*" in key.scopes else [("good for", " ".join(key.scopes))]),
        *([("valid until", ends)] if ends else []),
    ]


def version(*, json: Json = False) -> None:
    """Show the version of Agentic Atlas."""
    if json:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        output.document({"version": __version__, "python": python, "system": platform.system()})
    else:
        output.say(f"agentic-atlas {__version__}")


def _server(me: WhoAmI) -> dict[str, str]:
    return {"network": me.network, "version": me.version, "router_url": me.router_url}


def password(*, json: Json = False) -> None:
    """Have another password; your other sessions end, and the API keys of your other log-ins.

    Keys that you made with `atlas keys create` stay. In a pipe, the old and the new one are a line of stdin each.
    """
    current, new = asking.secret_or_line("Your password until now"), asking.new_password()

    async def work() -> LoggedOut:
        async with connection.connect() as atlas:
            return await atlas.account.change_password(current, new)

    ended = connection.run(work())
    if json:
        output.document({"sessions_ended": ended.sessions, "keys_ended": ended.keys})
        return
    output.say(
        f"Your password is changed; sessions that ended: {ended.sessions}, API keys of log-ins: {ended.keys}. "
        "Keys made with `atlas keys create` stay."
    )


def totp(
    *,
    off: Annotated[bool, Option("--off", help="Let your log-ins need none any more.")] = False,
    user: Annotated[
        str | None,
        Option("--user", metavar="NAME", help="End it for who has lost their authenticator; administrators only."),
    ] = None,
    qr: Annotated[Path | None, Option("--qr", metavar="FILE", help="Write the QR code there, as an SVG image.")] = None,
    json: Json = False,
) -> None:
    """Have your log-ins need one-time passwords of an authenticator app, or end that.

    Prints the secret for the app, asks for a password that it makes, and prints the codes for when it is lost.
    """
    if user is not None:
        connection.run(_end_totp_of(user))
        _tell_ended(f"The log-ins of {user} need", json=json)
        return
    given = asking.secret_or_line("Your password")
    if off:
        connection.run(_end_totp(given))
        _tell_ended("Your log-ins need", json=json)
        return
    made = connection.run(_begin_totp(given))
    if qr is not None:
        from agentic_atlas.sdk.private_file import write_private

        write_private(qr, made.qr.encode())  # whoever sees it has the secret
        output.aside(f"{qr} shows the secret: delete it once the app has read it.")
    (output.aside if json else output.say)(made.uri)
    output.aside(f"Give this to your authenticator app, or type its secret there: {made.secret}")
    codes = connection.run(_confirm_totp(asking.secret_or_line("What the app shows now")))
    if json:
        output.document({"totp": True, "recovery_codes": list(codes)})
        return
    output.aside("From now on your log-ins need one. Keep these, each is good once when the app is lost:")
    for code in codes:
        output.say(code)


def _tell_ended(whose: str, *, json: bool) -> None:
    if json:
        output.document({"totp": False})
    else:
        output.say(f"{whose} no one-time passwords any more.")


def identities(
    *,
    user: Annotated[str | None, Option("--user", metavar="NAME", help="Somebody else's; administrators only.")] = None,
    remove: Annotated[str | None, Option("--remove", metavar="ID", help="Log in with this one no more.")] = None,
    utc: Utc = False,
    iso: Iso = False,
    json: Json = False,
) -> None:
    """List what identity providers know you as, so that you log in with it; or remove one.

    All sessions and API keys from log-ins end with it, but what asks. To remove your own needs your password, in a pipe
    the first line of stdin.
    """
    if remove is not None:
        ended = _remove_identity(remove, user)
        if json:
            output.document({"removed": remove, "sessions_ended": ended.sessions, "keys_ended": ended.keys})
        else:
            output.say(
                f"Removed {remove}; sessions that ended: {ended.sessions}, API keys of log-ins: {ended.keys}. "
                "Keys made with `atlas keys create` stay."
            )
            output.aside(MADE_ANEW)
        return
    found = connection.run(_identities(user))
    if json:
        output.document({"items": found})
        return
    shown = clock(utc=utc, iso=iso)
    rows = [(one.id, one.issuer, one.subject, shown.short(one.linked_at)) for one in found]
    output.table(("identity", "provider", "known as", "linked"), rows, shrinks=("known as", "provider"))


def _remove_identity(id: str, user: str | None) -> LoggedOut:
    given = "" if user or not connection.run(_has_password()) else asking.secret_or_line("Your password")

    async def work() -> LoggedOut:
        async with connection.connect() as atlas:
            if user:
                return await atlas.people.remove_identity(user, id)
            return await atlas.account.remove_identity(id, given)

    return connection.run(work())


def sessions(
    *,
    user: Annotated[str | None, Option("--user", metavar="NAME", help="Somebody else's; administrators only.")] = None,
    end: Annotated[str | None, Option("--end", metavar="ID", help="End this one.")] = None,
    end_all: Annotated[bool, Option("--end-all", help="End all of them.")] = False,
    utc: Utc = False,
    iso: Iso = False,
    json: Json = False,
) -> None:
    """List the browsers where you are logged in, or end that."""
    if end is not None:
        connection.run(_end_session(end))
        output.say(f"Ended the session {end}.")
        return
    if end_all:
        output.say(f"Sessions that ended: {connection.run(_end_sessions(user))}.")
        return
    found = connection.run(_sessions(user))
    if json:
        output.document({"items": found})
        return
    shown = clock(utc=utc, iso=iso)
    columns = ("session", "used", "begun", "from", "with")
    rows = [(one.id, shown.short(one.used_at), shown.short(one.created_at), one.address, one.agent) for one in found]
    output.table(columns, rows, shrinks=("with",), drops=("begun",))


async def _end_totp_of(user: str) -> None:
    async with connection.connect() as atlas:
        await atlas.people.end_totp(user)


async def _end_totp(given: str) -> None:
    async with connection.connect() as atlas:
        await atlas.account.end_totp(given)


async def _begin_totp(given: str) -> TotpEnrolment:
    async with connection.connect() as atlas:
        return await atlas.account.begin_totp(given)


async def _confirm_totp(code: str) -> Sequence[str]:
    async with connection.connect() as atlas:
        return await atlas.account.confirm_totp(code)


async def _has_password() -> bool:
    async with connection.connect() as atlas:
        return (await atlas.account.get()).password_at is not None


async def _identities(user: str | None) -> Sequence[IdentityInfo]:
    async with connection.connect() as atlas:
        return await (atlas.people.identities(user) if user else atlas.account.identities())


async def _end_session(id: str) -> None:
    async with connection.connect() as atlas:
        await atlas.account.end_session(id)


async def _end_sessions(user: str | None) -> int:
    async with connection.connect() as atlas:
        return await (atlas.people.end_sessions(user) if user else atlas.account.end_sessions())


async def _sessions(user: str | None) -> Sequence[SessionInfo]:
    async with connection.connect() as atlas:
        return await (atlas.people.sessions(user) if user else atlas.account.sessions())
