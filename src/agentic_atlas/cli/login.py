"""`atlas login`: with an API key, or with a code that somebody who is logged in elsewhere approves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, TypeAlias

import click

from agentic_atlas.cli import asking, connection, login_approval, logout, output
from agentic_atlas.cli.command.declared import Option
from agentic_atlas.cli.options import Json, PlatformUrl
from agentic_atlas.errors import AtlasError, InvalidInput, Unauthenticated

if TYPE_CHECKING:
    from pathlib import Path

    from agentic_atlas.protocol.caller.people import LoginCodes, NewApiKey, WhoAmI

LONGEST_KEY = 4_096


LoggedIn: TypeAlias = "tuple[str, Path]"
"""What a login came to: whose key it is, and the file that it is in."""


def login(
    *,
    url: PlatformUrl = None,
    user: Annotated[str | None, Option("--user", metavar="NAME", help="Log in with this user's password.")] = None,
    code: Annotated[bool, Option("--code", help="Let yourself be approved from another machine.")] = False,
    approve: Annotated[
        str | None, Option(metavar="CODE", help="Let the machine that shows this code act as you.")
    ] = None,
    deny: Annotated[str | None, Option(metavar="CODE", help="Turn away the machine that shows this code.")] = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Approve or deny without a question.")] = False,
    json: Json = False,
) -> None:
    """Log in to a platform elsewhere, or approve another machine's login.

    Without an option it asks for an API key, unless one is kept here already; in a pipe the key is read from stdin.
    With --user it asks for the password, and for a one-time password if the account has such; in a pipe each is a line
    of stdin. Keys are kept in your credentials file, which nobody else can read; the key of an earlier login that was
    kept there for the same platform is revoked.
    """
    if sum((code, user is not None, approve is not None, deny is not None)) > 1:
        raise click.UsageError("--user, --code, --approve and --deny exclude each other")
    if approve is not None or deny is not None:
        login_approval.decide(url, str(approve or deny), approve=approve is not None, yes=yes, json=json)
        return
    from agentic_atlas.sdk import environment

    # What is wrong with the credentials file is told before there is a key to lose.
    held = environment.read_credentials()
    address = environment.platform_url(url)
    former = held.api_key(address)
    environment.check_plaintext(address, "the API key", "the platform is at")
    if user is not None:
        done = _with_password(address, user)
    else:
        done = _with_code(address) if code else _with_known_key(address) or _with_key(address)
    ended, why_not = _end_former(address, former)
    _tell(address, done, ended=ended, json=json)
    if why_not:
        output.aside(f"The key of the login before could not be revoked and stays valid on the platform: {why_not}")


def _end_former(url: str, former: str | None) -> tuple[bool, str]:
    """Revoke the key that was kept here until now, if a login made it; return whether it is, and why it could not be.

    Nothing else was made for this machine alone: a key that somebody brought may be used elsewhere too.
    """
    from agentic_atlas.sdk import environment

    if former is None or environment.read_credentials().api_key(url) == former:
        return False, ""
    try:
        return connection.run(logout.revoke(url, former, of_logins=True)), ""
    except Unauthenticated:
        return False, ""  # It was worthless already.
    except AtlasError as error:
        return False, error.message


def _with_known_key(url: str) -> LoggedIn | None:
    """Use the key that is kept for this platform, where nobody has brought another one; None when there is none."""
    from agentic_atlas.sdk import environment

    key = environment.read_credentials().api_key(url)
    if key is None or not output.terminal(sys.stdin):
        return None
    try:
        me = _check(url, key)
    except Unauthenticated as error:
        output.aside(f"The API key kept for {url} is not taken any more: {error.message}")
        return None
    return _chosen(url, me)


def _with_key(url: str) -> LoggedIn:
    from agentic_atlas.sdk import environment

    known = environment.read_credentials().api_key(url)
    if known is None and output.terminal(sys.stdin):
        _check_address(url)
    key = _read_key(url, known)
    try:
        me = _check(url, key)
    except Unauthenticated as error:
        raise InvalidInput(f"{url} does not take this API key: {error.message}", code=error.code) from None
    if key == known:
        return _chosen(url, me)
    return me.user.name, environment.remember(url, key, user=me.user.name)


def _check_address(url: str) -> None:
    """See that a platform answers there before a person looks for a key."""
    from agentic_atlas.sdk.client.login import check_address

    connection.run(check_address(url, patience=connection.PATIENCE))


def _check(url: str, key: str) -> WhoAmI:
    """Return who the key belongs to there; raises Unauthenticated when to nobody."""

    async def work() -> WhoAmI:
        async with connection.connect(url, key) as atlas:
            return await atlas.people.whoami()

    return connection.run(work())


def _chosen(url: str, me: WhoAmI) -> LoggedIn:
    """Let commands go to a platform whose key is kept already."""
    from agentic_atlas.sdk import environment

    return me.user.name, environment.change_credentials(lambda held: held.using(url))


def _with_code(url: str) -> LoggedIn:
    import platform

    from agentic_atlas.sdk import environment
    from agentic_atlas.sdk.client.login import LoginByCode

    async def work() -> NewApiKey:
        async with LoginByCode(url, patience=connection.PATIENCE) as waiting:
            codes = await waiting.begin(platform.node())
            _show(url, codes)
            with output.progress("waiting for approval"):
                return await waiting.key(codes)

    made = connection.run(work())
    return made.user, environment.remember(url, made.key, user=made.user)


def _with_password(url: str, user: str) -> LoggedIn:
    from agentic_atlas.sdk import environment

    password = asking.secret_or_line(f"Password of {user} on {url}")
    try:
        made = _made_for(url, user, password)
    except Unauthenticated as error:
        if error.code != "code_required":
            raise
        made = _made_for(url, user, password, asking.secret_or_line("One-time password, or a recovery code"))
    return made.user, environment.remember(url, made.key, user=made.user)


def _made_for(url: str, user: str, password: str, code: str = "") -> NewApiKey:
    import platform

    from agentic_atlas.protocol.caller.accounts import MachineLogin
    from agentic_atlas.sdk.client.login import host_name, key_for_password

    asked = MachineLogin(name=user, password=password, code=code, host=host_name(platform.node()))
    return connection.run(key_for_password(url, asked, patience=connection.PATIENCE))


def _read_key(url: str, known: str | None) -> str:
    """Return the key that is typed, unseen, or that comes through a pipe; the known one when none comes."""
    if output.terminal(sys.stdin):
        output.aside(f"With a password instead: `atlas login {url} --user NAME`; with neither, --code.")
        return asking.secret(f"API key for {url}")
    key = sys.stdin.readline(LONGEST_KEY + 2).strip() or known
    if not key:
        raise InvalidInput("no API key came from stdin: `atlas login URL < FILE`, or run it in a terminal")
    return key


def _show(url: str, codes: LoginCodes) -> None:
    minutes = max(1, round(codes.expires_in / 60))
    page = codes.verification_uri_complete
    if page:
        output.aside(f"Open {page} in a browser, and approve this login there.")
    output.aside(f"Your code for {url} is {codes.user_code}, good for {minutes} minutes.")
    where = "Or on a machine" if page else "On a machine"
    output.aside(f"{where} where you are logged in: atlas login --approve {codes.user_code}")


def _tell(url: str, done: LoggedIn, *, ended: bool, json: bool) -> None:
    from agentic_atlas.sdk import environment

    user, credentials = done
    if json:
        output.document({"url": url, "user": user, "credentials": str(credentials), "replaced": ended})
    else:
        output.say(f"You are {user} on {url}; your API key is in {credentials}.")
        if ended:
            output.aside("The key that the login before made for this machine is revoked.")
    for name in environment.overriding(url):
        output.aside(f"{name} is set here and wins over what was stored: unset it to use the login.")
