"""`atlas tokens`: what agents connect with."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import connection, durations, envfile, output, times
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import AgentName, Iso, Json, Utc
from agentic_atlas.errors import NotFound

if TYPE_CHECKING:
    from agentic_atlas.cli.times import Clock
    from agentic_atlas.sdk.client.asynchronous import AsyncClient
    from agentic_atlas.sdk.client.records import NewToken, TokenInfo

VARIABLE = "AGENT_JWT_TOKEN"


def create(
    *,
    agent: AgentName,
    name: Annotated[str, Option("--name", help="To tell tokens apart; this machine's name by default.")] = "",
    expires: Annotated[str, Option("--expires", metavar="SPAN", help="90d, 12h, 30m …")] = "90d",
    env: Annotated[
        Path | None, Option("--env", metavar="FILE", help=f"Write {VARIABLE} into this .env file, mode 0600.")
    ] = None,
    create_agent: Annotated[bool, Option("--create-agent", help="Create the agent if it is missing.")] = False,
    json: Json = False,
) -> None:
    """Make a token for an instance of an agent. It is shown this once."""
    expires_in = durations.seconds(expires)
    if env is not None:
        # Before there is a token to lose: a file that cannot be written is told now.
        envfile.set_values(env, {})

    async def work() -> NewToken:
        async with connection.connect() as atlas:
            if create_agent:
                await ensure_agent(atlas, agent)
            return await atlas.create_token(agent, name=name or platform.node(), expires_in=expires_in)

    _show(connection.run(work()), env, json=json)


def show_list(*, agent: AgentName, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """List the tokens of an agent, without their secrets."""

    async def work() -> list[TokenInfo]:
        async with connection.connect() as atlas:
            return await atlas.tokens(agent)

    found = connection.run(work())
    if json:
        output.document({"items": found})
    elif not found:
        output.aside(f"{agent} has no tokens yet: `atlas tokens create {agent}` makes one.")
    else:
        clock = times.clock(utc=utc, iso=iso)
        columns = ("token", "name", "status", "issued", "expires", "last used")
        output.table(columns, [_row(token, clock) for token in found], shrinks=("name",), drops=("issued", "last used"))


def revoke(
    *, token: Annotated[str, Argument(metavar="ID", help="The token's id, from `list`.")], json: Json = False
) -> None:
    """End a token now: the instance that uses it is disconnected."""

    async def work() -> TokenInfo:
        async with connection.connect() as atlas:
            return await atlas.revoke_token(token)

    revoked = connection.run(work())
    if json:
        output.document(revoked)
    else:
        output.say(f"Revoked {revoked.id}.")


async def ensure_agent(atlas: AsyncClient, name: str) -> bool:
    """Create the agent when it is not there; return whether it was made."""
    try:
        await atlas.agent(name)
    except NotFound:
        await atlas.create_agent(name)
        return True
    return False


def _show(made: NewToken, env: Path | None, *, json: bool) -> None:
    """Hand the token over: into the file, or else to stdout and nowhere else."""
    if env is not None:
        envfile.set_values(env, {VARIABLE: made.token})
    if json:
        shown = {"id": made.id, "agent": made.agent, "name": made.name, "expires_at": made.expires_at}
        output.document(shown | ({"token": made.token} if env is None else {"env": str(env)}))
        return
    until = times.clock().full(made.expires_at)
    if env is not None:
        output.say(f"Wrote {VARIABLE} for {made.agent} to {env}; it expires {until}.")
        return
    output.say(made.token)
    output.aside(f"Put it into the agent's .env as {VARIABLE}=…; it is not shown again and expires {until}.")


def _row(token: TokenInfo, clock: Clock) -> tuple[str, ...]:
    moments = (token.issued_at, token.expires_at, token.last_used_at)
    return (token.id, token.name, token.status, *map(clock.short, moments))
