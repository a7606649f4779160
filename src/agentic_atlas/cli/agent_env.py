"""What the `.env` of an agent is filled with: its token, and where its network is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentic_atlas.cli import output
from agentic_atlas.sdk import dotenv_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.agents import TokenInfo
    from agentic_atlas.protocol.caller.people import WhoAmI

TOKEN = "AGENT_JWT_TOKEN"  # noqa: S105 - the variable's name
ROUTER = "ROUTER_WS_URL"
API = "BACKEND_API_BASE_URL"


def filled(token: str, me: WhoAmI, asked_at: str) -> dict[str, str]:
    """Return the values for an agent of the network that was asked at this address; what it did not say is left out."""
    values = {TOKEN: token, ROUTER: me.router_url, API: me.api_url or asked_at}
    return {name: value for name, value in values.items() if value}


def warn_of_router(me: WhoAmI, asked_at: str) -> None:
    """Say so when the network names a router that agents on this machine cannot be meant to reach."""
    from agentic_atlas.sdk.address import on_loopback

    if me.router_url and on_loopback(me.router_url) and not on_loopback(asked_at):
        output.aside(
            f"Warning: the network at {asked_at} says that agents connect at {me.router_url}, which is every machine's "
            f"own address: put the one that is seen from here into {ROUTER}, or have whoever runs it set "
            "ATLAS_PUBLIC_ROUTER_URL."
        )


def write(path: Path, values: Mapping[str, str]) -> str:
    """Write the values into the file; return the token that was in it before, or nothing. Raises as `set_values`."""
    before = dotenv_file.value(path, TOKEN)
    dotenv_file.set_values(path, values)
    return before


def tell_replaced(before: str, tokens: Sequence[TokenInfo], clock: TimeFormat) -> str:
    """Say which token was replaced in a file, and what becomes of it; return its id."""
    from agentic_atlas.sdk.tokens.unverified import token_name

    name = token_name(before)
    known = next((token for token in tokens if token.id == name), None)
    if known is None:
        output.say(f"It replaces a token of another agent or network ({name}), which is not ended by that.")
    elif known.status in ("active", "retiring"):
        used = " and is in use" if known.in_use else ""
        if known.retires_at is None:
            output.say(f"It replaces {name}, which stays valid{used}: `atlas tokens revoke {name}` ends it.")
        else:
            # Revoking would end the new one as well, for they are one lineage.
            output.say(f"It replaces {name}, which stays valid until {clock.full(known.retires_at)}{used}.")
    else:
        output.say(f"It replaces {name}, which is {known.status}.")
    return name
