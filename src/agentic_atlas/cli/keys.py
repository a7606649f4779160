"""`atlas keys`: what people and programs call the HTTP API with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import connection, given, output, times
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import Iso, Json, Utc

if TYPE_CHECKING:
    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.people import ApiKeyInfo, NewApiKey, SigningKeyInfo

_MOST_NAMED = 20
"""Agents that are named of those whose tokens ended with a signing key; `--json` has a hundred."""


def create(
    *,
    name: Annotated[str, Option("--name", help="To tell keys apart, for instance the program that will use it.")] = "",
    scope: Annotated[
        tuple[str, ...],
        Option(
            "--scope",
            metavar="SCOPE",
            help="What it is good for, again for each: tasks:read[:own], tasks:call[:OWNER/AGENT[/SKILL]], "
            "tasks:write, agents:read, agents:write, tokens:read, tokens:write, users:admin, audit:read, "
            "metrics:read, *; without, what your key is.",
        ),
    ] = (),
    expires: Annotated[
        str, Option("--expires", metavar="SPAN", help="90d, 12h, 30m …; else until it is revoked, or yours ends.")
    ] = "",
    user: Annotated[
        str | None, Option("--user", metavar="NAME", help="Whom it is for, if not you; administrators only.")
    ] = None,
    json: Json = False,
) -> None:
    """Make an API key. It is shown this once."""
    from agentic_atlas.auth.scopes import API_KEY_SCOPES
    from agentic_atlas.protocol.caller.values import LONGEST

    expires_in = times.seconds(expires, most=LONGEST) if expires else None
    scopes = given.scopes(scope, API_KEY_SCOPES)

    async def work() -> tuple[NewApiKey, list[str]]:
        async with connection.connect() as atlas:
            missing = await given.agents_missing(atlas, scopes)
            return await atlas.keys.create(name, expires_in=expires_in, scopes=scopes, user=user), missing

    made, missing = connection.run(work())
    if json:
        output.document(made)
        given.tell_missing(missing)
        return
    output.say(made.key)
    whose = "you" if user is None else made.user
    ends = times.clock().full(made.expires_at) or "it is revoked"
    output.aside(
        f"Whoever has it in ATLAS_API_KEY acts as {whose}: it is good for {_good_for(made)} until {ends}. It is not "
        f"shown again; `atlas keys revoke {made.id}` ends it."
    )
    given.tell_missing(missing)


def show_list(
    *,
    signing: Annotated[
        bool, Option("--signing", help="The keys that sign agents' tokens instead; administrators only.")
    ] = False,
    every: Annotated[bool, Option("--all", help="Everybody's; administrators only.")] = False,
    user: Annotated[str | None, Option("--user", metavar="NAME", help="Of this user; administrators only.")] = None,
    utc: Utc = False,
    iso: Iso = False,
    json: Json = False,
) -> None:
    """List your API keys, without their secrets; or the keys that sign tokens."""
    if signing:
        _show_signing(times.clock(utc=utc, iso=iso), as_json=json)
        return

    others = every or user is not None

    async def work() -> Sequence[ApiKeyInfo]:
        async with connection.connect() as atlas:
            return [key async for key in atlas.keys.all(user=user)] if others else await atlas.keys.list()

    found = connection.run(work())
    if json:
        output.document({"items": found})
        return
    clock = times.clock(utc=utc, iso=iso)
    columns = [*(["of"] if others else []), "key", "begins", "name", "good for", "last used", "from", "created"]
    columns += ["expires", "revoked"]
    rows = [(*([key.user] if others else []), *_row(key, clock)) for key in found]
    output.table(columns, rows, shrinks=("name", "good for"), drops=("created", "from"))


def revoke(
    *, key: Annotated[str, Argument(metavar="ID", help="The key's id, from `list`.")], json: Json = False
) -> None:
    """Make an API key worthless now."""

    async def work() -> ApiKeyInfo:
        async with connection.connect() as atlas:
            return await atlas.keys.revoke(key)

    revoked = connection.run(work())
    if json:
        output.document(revoked)
    else:
        output.say(f"Revoked {revoked.id}.")


def rotate(*, json: Json = False) -> None:
    """Have a new key sign agents' tokens; those that were made stay good. For administrators.

    The key that signed until now verifies for as long as any token lives. Tokens are signed with the new one as they
    are made, renewed or rotated.
    """

    async def work() -> SigningKeyInfo:
        async with connection.connect() as atlas:
            return await atlas.keys.rotate()

    made = connection.run(work())
    if json:
        output.document(made)
    else:
        output.say(f"Tokens are signed with {made.id} now.")


def withdraw(
    *,
    key: Annotated[str, Argument(metavar="KID", help="The key's id, from `list --signing`.")],
    yes: Annotated[bool, Option("--yes", "-y", help="Without a question.")] = False,
    json: Json = False,
) -> None:
    """Make every token worthless that a signing key has signed, now. For administrators.

    What agents got for such a token by renewal ends with it; what a person had made in its place by `atlas tokens
    rotate` does not. Agents that are connected with one are disconnected, and need a new one. The key that signs can't
    be withdrawn: `atlas keys rotate` first.
    """
    if not yes:
        _ask(key)

    async def work() -> SigningKeyInfo:
        async with connection.connect() as atlas:
            return await atlas.keys.withdraw(key)

    withdrawn = connection.run(work())
    if json:
        output.document(withdrawn)
    else:
        output.say(f"Withdrew {withdrawn.id}: that ended {_resting(withdrawn)}.")
        if withdrawn.agents:
            output.say(f"Of {_names(withdrawn)}: `atlas tokens create AGENT --env .env` makes a new one.")


def _ask(key: str) -> None:
    """Have somebody say that they mean it, who knows what ends; what can't be withdrawn is told by who refuses that."""
    from agentic_atlas.cli.asking import confirm

    async def look() -> Sequence[SigningKeyInfo]:
        async with connection.connect() as atlas:
            return await atlas.keys.signing()

    for found in connection.run(look()):
        if found.id == key and not found.signs:
            asked = connection.one_of_several()
            confirm(f"Withdraw {key}{f' on {asked}' if asked else ''}? That ends {_resting(found)}.")


def _resting(key: SigningKeyInfo) -> str:
    """Return in words what rests on a signing key."""
    tokens = f"{key.tokens or 'no'} {'token' if key.tokens == 1 else 'tokens'}"
    return f"{tokens} and {key.connected or 'no'} {'connection' if key.connected == 1 else 'connections'}"


def _names(key: SigningKeyInfo) -> str:
    """Return some of the agents whose tokens rest on a signing key."""
    more = " and others" if len(key.agents) > _MOST_NAMED else ""
    return ", ".join(key.agents[:_MOST_NAMED]) + more


def _show_signing(clock: TimeFormat, *, as_json: bool) -> None:
    async def work() -> Sequence[SigningKeyInfo]:
        async with connection.connect() as atlas:
            return await atlas.keys.signing()

    found = connection.run(work())
    if as_json:
        output.document({"items": found})
        return
    rows = [
        (
            key.id,
            "signs" if key.signs else "verifies",
            str(key.tokens),
            str(key.connected),
            *map(clock.short, (key.created_at, key.retires_at)),
        )
        for key in found
    ]
    output.table(("key", "does", "tokens", "connected", "created", "retires"), rows, drops=("created", "retires"))


def _good_for(key: ApiKeyInfo) -> str:
    return "everything" if "*" in key.scopes else " ".join(key.scopes)


def _row(key: ApiKeyInfo, clock: TimeFormat) -> tuple[str, ...]:
    return (
        key.id,
        key.prefix or "–",
        key.name,
        _good_for(key),
        clock.short(key.last_used_at),
        key.last_address,
        *map(clock.short, (key.created_at, key.expires_at, key.revoked_at)),
    )
