"""`atlas tokens`: what agents connect with."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import agent_env, connection, output, times
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import AgentName, Iso, Json, Utc
from agentic_atlas.errors import NotFound
from agentic_atlas.sdk import dotenv_file

if TYPE_CHECKING:
    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.agents import NewToken, TokenInfo
    from agentic_atlas.protocol.caller.people import WhoAmI
    from agentic_atlas.sdk.client.asynchronous import AsyncClient


def create(
    *,
    agent: AgentName,
    name: Annotated[str, Option("--name", help="To tell tokens apart; this machine's name by default.")] = "",
    expires: Annotated[str, Option("--expires", metavar="SPAN", help="90d, 12h, 30m …")] = "90d",
    env: Annotated[
        Path | None,
        Option("--env", metavar="FILE", help="Write it and the network's addresses into this .env file, mode 0600."),
    ] = None,
    create_agent: Annotated[bool, Option("--create-agent", help="Create the agent if it is missing.")] = False,
    json: Json = False,
) -> None:
    """Make a token for an instance of an agent. It is shown this once."""
    from agentic_atlas.protocol.caller.values import LONGEST

    expires_in = times.seconds(expires, most=LONGEST)
    if env is not None:
        # Before there is a token to lose: a file that cannot be written is told now.
        dotenv_file.set_values(env, {})

    async def work() -> NewToken:
        async with connection.connect() as atlas:
            if create_agent:
                await ensure_agent(atlas, agent)
            # Before there is a token to lose, as above.
            me = await atlas.people.whoami() if env is not None else None
            made = await atlas.tokens.create(agent, name=name or platform.node(), expires_in=expires_in)
            if env is not None and me is not None:
                before = agent_env.write(env, agent_env.filled(made.token, me, atlas.base_url))
                if not json:
                    await _tell_written(atlas, made, env, me, before)
            return made

    _show(connection.run(work()), env, json=json)


def show_list(*, agent: AgentName, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """List the tokens of an agent, without their secrets."""

    async def work() -> tuple[Sequence[TokenInfo], set[str]]:
        async with connection.connect() as atlas:
            return await atlas.tokens.list(agent), await _in_use(atlas, agent)

    found, in_use = connection.run(work())
    if json:
        from msgspec.structs import asdict

        output.document({"items": [{**asdict(token), "in_use": token.id in in_use} for token in found]})
    elif not found:
        output.aside(f"{agent} has no tokens yet: `atlas tokens create {agent}` makes one.")
    else:
        clock = times.clock(utc=utc, iso=iso)
        columns = ("token", "name", "status", "in use", "issued", "expires", "last used")
        rows = [_row(token, in_use, clock) for token in found]
        output.table(columns, rows, shrinks=("name",), drops=("issued", "last used"))


def revoke(
    *, token: Annotated[str, Argument(metavar="ID", help="The token's id, from `list`.")], json: Json = False
) -> None:
    """End a token now: the instance that uses it is disconnected."""

    async def work() -> TokenInfo:
        async with connection.connect() as atlas:
            return await atlas.tokens.revoke(token)

    revoked = connection.run(work())
    if json:
        output.document(revoked)
    else:
        output.say(f"Revoked {revoked.id}.")


async def ensure_agent(atlas: AsyncClient, name: str) -> bool:
    """Create the agent when it is not there; return whether it was made."""
    try:
        await atlas.agents.get(name)
    except NotFound:
        await atlas.agents.create(name)
        return True
    return False


async def _tell_written(atlas: AsyncClient, made: NewToken, env: Path, me: WhoAmI, before: str) -> None:
    """Say what the file has now, and what it had."""
    asked = connection.one_of_several()
    network = f"the addresses of {asked}" if asked else "the network's addresses"
    output.say(f"Wrote the token of {made.agent} and {network} to {env}; it {_until(made)}.")
    agent_env.warn_of_router(me, atlas.base_url)
    if before:
        agent_env.tell_replaced(before, await atlas.tokens.list(made.agent), await _in_use(atlas, made.agent))


async def _in_use(atlas: AsyncClient, agent: str) -> set[str]:
    """Return the ids of the tokens that instances are connected with now."""
    found = await atlas.agents.get(agent)
    return {instance.token_id for instance in found.instances if instance.online}


def _show(made: NewToken, env: Path | None, *, json: bool) -> None:
    """Hand the token over: into the file, where it is already, or else to stdout and nowhere else."""
    if json:
        shown = {"id": made.id, "agent": made.agent, "name": made.name, "expires_at": made.expires_at}
        output.document(shown | ({"token": made.token} if env is None else {"env": str(env)}))
    elif env is None:
        output.say(made.token)
        where = connection.one_of_several()
        output.aside(
            f"Put it into the agent's .env as {agent_env.TOKEN}=…; it is not shown again and {_until(made)}. With "
            f"--env .env it would be written there, together with the addresses of {where or 'the network'}."
        )


def _until(made: NewToken) -> str:
    return f"expires {times.clock().full(made.expires_at)}"


def _row(token: TokenInfo, in_use: set[str], clock: TimeFormat) -> tuple[str, ...]:
    moments = (token.issued_at, token.expires_at, token.last_used_at)
    return (token.id, token.name, token.status, "yes" if token.id in in_use else "", *map(clock.short, moments))
