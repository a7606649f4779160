"""`atlas tokens`: what agents connect with."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import agent_env, connection, given, output, times
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import AgentName, Iso, Json, Utc
from agentic_atlas.errors import Conflict, Forbidden, NotFound
from agentic_atlas.sdk import dotenv_file

if TYPE_CHECKING:
    from datetime import datetime

    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.agents import NewToken, RevokedToken, TokenInfo
    from agentic_atlas.protocol.caller.people import WhoAmI
    from agentic_atlas.sdk.client.asynchronous import AsyncClient

EnvFile = Annotated[
    Path | None,
    Option("--env", metavar="FILE", help="Write it and the network's addresses into this .env file, mode 0600."),
]


_CALL = "agent:call"


def create(  # noqa: PLR0913  # each is an option of the command
    *,
    agent: AgentName,
    name: Annotated[str, Option("--name", help="To tell tokens apart; this machine's name by default.")] = "",
    description: Annotated[str, Option("--description", metavar="TEXT", help="What it is for.")] = "",
    expires: Annotated[
        str, Option("--expires", metavar="SPAN", help="90d, 12h, 30m …; 90d by default, where that is allowed.")
    ] = "",
    scope: Annotated[
        tuple[str, ...],
        Option(
            "--scope",
            metavar="SCOPE",
            help="What it is good for besides connecting, again for each: agent:call[:OWNER/AGENT[/SKILL]]; all of it.",
        ),
    ] = (),
    fixed: Annotated[
        bool, Option("--not-renewable", help="Its agent ends with it, and is not given another before.")
    ] = False,
    env: EnvFile = None,
    create_agent: Annotated[bool, Option("--create-agent", help="Create the agent if it is missing.")] = False,
    json: Json = False,
) -> None:
    """Make a token for an instance of an agent. It is shown this once."""
    from agentic_atlas.auth.scopes import AGENT_SCOPES

    expires_in, scopes = _span(expires), given.scopes(scope, AGENT_SCOPES)
    missing: list[str] = []

    async def make(atlas: AsyncClient) -> NewToken:
        if create_agent:
            await ensure_agent(atlas, agent)
        missing.extend(await given.agents_missing(atlas, scopes))
        try:
            return await atlas.tokens.create(
                agent,
                name=name or platform.node(),
                description=description,
                expires_in=expires_in,
                scopes=scopes,
                renewable=not fixed,
            )
        except NotFound as error:
            if error.code != "agent_not_found" or "/" in agent:
                raise
            raise NotFound(f"{error.message}; --create-agent makes it as well", code=error.code) from None

    _hand_over(make, env, json=json)
    given.tell_missing(missing)


def rotate(
    *,
    token: Annotated[str, Argument(metavar="ID", help="The token's id, from `list`.")],
    overlap: Annotated[
        str, Option("--overlap", metavar="SPAN", help="How long the old one stays good: 24h, 30m …; 0s ends it now.")
    ] = "24h",
    expires: Annotated[
        str, Option("--expires", metavar="SPAN", help="90d, 12h, 30m …; as long as the old one was made for.")
    ] = "",
    renewable: Annotated[
        bool,
        Option("--renewable", help="Its agent may have the next one by itself, also where the old one's could not."),
    ] = False,
    env: EnvFile = None,
    json: Json = False,
) -> None:
    """Make a token in place of another one, which stays good for a while. It is shown this once."""
    overlapping = 0 if overlap in ("0", "0s") else _span(overlap) or 0
    expires_in = _span(expires)

    async def make(atlas: AsyncClient) -> NewToken:
        return await atlas.tokens.rotate(
            token, overlap=overlapping, expires_in=expires_in, renewable=True if renewable else None
        )

    _hand_over(make, env, json=json, of=token)


def show_list(*, agent: AgentName, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """List the tokens of an agent, without their secrets."""

    async def work() -> Sequence[TokenInfo]:
        async with connection.connect() as atlas:
            return await atlas.tokens.list(agent)

    found = connection.run(work())
    if json:
        output.document({"items": found})
    elif not found:
        output.aside(f"{agent} has no tokens yet: `atlas tokens create {agent}` makes one.")
    else:
        clock = times.clock(utc=utc, iso=iso)
        columns = (
            *("token", "name", "status", "in use", "expires", "made by"),
            *("renews", "calls", "last used", "address", "host", "instance", "description"),
        )
        output.table(
            columns,
            [_row(token, clock) for token in found],
            shrinks=("name", "host", "calls", "description"),
            drops=("instance", "description", "calls", "renews", "address", "host", "last used"),
            warned=[place for place, token in enumerate(found) if _ends_soon(token, clock)],
        )


def revoke(
    *, token: Annotated[str, Argument(metavar="ID", help="The token's id, from `list`.")], json: Json = False
) -> None:
    """End a token now, with all that came out of it: the instance that uses one of them is disconnected."""

    async def work() -> RevokedToken:
        async with connection.connect() as atlas:
            return await atlas.tokens.revoke(token)

    revoked = connection.run(work())
    if json:
        output.document(revoked)
    else:
        output.say(f"Revoked {revoked.id}.")
        others = [one for one in revoked.ended if one != revoked.id]
        if others:
            output.say(f"That ended as well what came out of the same token: {', '.join(others)}.")


async def ensure_agent(atlas: AsyncClient, name: str) -> bool:
    """Create the agent when it is not there; return whether it was made.

    Raises Forbidden for a key that is not good for making agents; whether it is for looking at them does not matter.
    """
    with contextlib.suppress(NotFound, Forbidden):
        await atlas.agents.get(name)
        return False
    try:
        await atlas.agents.create(name)
    except Conflict:
        return False
    return True


def _span(text: str) -> int | None:
    from agentic_atlas.protocol.caller.values import LONGEST

    return times.seconds(text, most=LONGEST) if text else None


def _hand_over(
    make: Callable[[AsyncClient], Awaitable[NewToken]], env: Path | None, *, json: bool, of: str = ""
) -> None:
    """Make a token, in the place of another one or of none, and hand it to who asked, or into a file."""
    if env is not None:
        # Before there is a token to lose: a file that cannot be written is told now.
        dotenv_file.set_values(env, {})

    told: list[str] = []

    async def work() -> NewToken:
        async with connection.connect() as atlas:
            # Before there is a token to lose, as above.
            me = await atlas.people.whoami() if env is not None else None
            made = await make(atlas)
            if env is not None and me is not None:
                before = agent_env.write(env, agent_env.filled(made.token, me, atlas.base_url))
                if not json:
                    told.append(await _tell_written(atlas, made, env, me, before))
            return made

    made = connection.run(work())
    _show(made, env, json=json)
    if of and not json:
        _tell_retired(made, of, told)


def _tell_retired(made: NewToken, of: str, told: Sequence[str]) -> None:
    """Say which tokens end, but for those of which it is told: it need not be the one that was named.

    That may have been replaced long ago.
    """
    if tuple(told) == made.replaces:
        return
    if not made.replaces:
        output.aside(f"Nothing that came out of {of} was good any more.")
        return
    clock = times.clock()
    known = "" if of in made.replaces else f"{of} had been replaced before. "
    ends = zip(made.replaces, made.replaces_at, strict=True)
    each = ", and of ".join(f"{one}, which is {_good_until(at, clock)}" for one, at in ends)
    output.aside(f"{known}It takes the place of {each}.")


def _good_until(at: datetime, clock: TimeFormat) -> str:
    return "over now" if at.timestamp() <= clock.now() else f"good until {clock.full(at)}"


async def _tell_written(atlas: AsyncClient, made: NewToken, env: Path, me: WhoAmI, before: str) -> str:
    """Say what the file has now, and what it had; return the id of that token."""
    asked = connection.one_of_several()
    network = f"the addresses of {asked}" if asked else "the network's addresses"
    output.say(f"Wrote the token {made.id} of {made.agent} and {network} to {env}; it {_until(made)}.")
    agent_env.warn_of_router(me, atlas.base_url)
    if not before:
        return ""
    return agent_env.tell_replaced(before, await atlas.tokens.list(made.agent), times.clock())


def _show(made: NewToken, env: Path | None, *, json: bool) -> None:
    """Hand the token over: into the file, where it is already, or else to stdout and nowhere else."""
    if json:
        shown: dict[str, object] = {
            "id": made.id,
            "agent": made.agent,
            "name": made.name,
            "expires_at": made.expires_at,
            **({"replaces": made.replaces, "replaces_at": made.replaces_at} if made.replaces else {}),
        }
        output.document(shown | ({"token": made.token} if env is None else {"env": str(env)}))
    elif env is None:
        output.say(made.token)
        where = connection.one_of_several()
        output.aside(
            f"Put it into the agent's .env as {agent_env.TOKEN}=…; it is not shown again, {_until(made)}, and is "
            f"{made.id} in `atlas tokens list`. With "
            f"--env .env it would be written there, together with the addresses of {where or 'the network'}."
        )


def _until(made: NewToken) -> str:
    return f"expires {times.clock().full(made.expires_at)}"


def _row(token: TokenInfo, clock: TimeFormat) -> tuple[str, ...]:
    return (
        token.id,
        token.name,
        token.status,
        "yes" if token.in_use else "",
        clock.short(_ends(token)),
        token.made_by,
        "yes" if _renews(token) else "",
        _calls(token),
        clock.short(token.last_used_at),
        token.last_address,
        token.last_host,
        token.last_instance,
        " ".join(token.description.split()),
    )


def _calls(token: TokenInfo) -> str:
    """Return whom its agent may call, as far as the token goes."""
    called = [scope.removeprefix(_CALL).removeprefix(":") or "all" for scope in token.scopes if scope.startswith(_CALL)]
    return " ".join(called) or ("nobody" if token.scopes else "")


def _ends(token: TokenInfo) -> datetime:
    """Return from when on it is refused, as far as is known now."""
    ends = (token.expires_at, token.revoked_at, token.retires_at)
    return min(at for at in ends if at is not None)


def _renews(token: TokenInfo) -> bool:
    """Tell whether its agent may have the next one by itself."""
    until = token.renewable_until
    return token.status in ("active", "retiring") and until is not None and until > token.expires_at


def _ends_soon(token: TokenInfo, clock: TimeFormat) -> bool:
    """Tell whether somebody should do something about it: it ends within a week, and no agent has the next one."""
    left = _ends(token).timestamp() - clock.now()
    return token.status in ("active", "retiring") and left < times.SOON and not (token.in_use and _renews(token))
