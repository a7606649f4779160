"""`atlas login --approve` and `--deny`: deciding about another machine's login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_atlas.cli import connection, output
from agentic_atlas.cli.asking import confirm

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.people import LoginInfo


def decide(url: str | None, code: str, *, approve: bool, yes: bool, json: bool) -> None:
    """Show who asks with this code, and let them in or turn them away once that is confirmed."""
    if not yes:
        _confirm(connection.run(_ask(url, code)), approve=approve)
    decided = connection.run(_decide(url, code, approve=approve))
    if json:
        output.document({"approved": approve, "host": decided.host, "address": decided.address})
    elif approve:
        output.say(f"Approved: {decided.host} gets an API key of yours, named `atlas login on {decided.host}`.")
    else:
        output.say(f"Denied: {decided.host} gets nothing.")


async def _ask(url: str | None, code: str) -> LoginInfo:
    async with connection.connect(url) as atlas:
        return await atlas.logins.get(code)


async def _decide(url: str | None, code: str, *, approve: bool) -> LoginInfo:
    async with connection.connect(url) as atlas:
        return await (atlas.logins.approve(code) if approve else atlas.logins.deny(code))


def _confirm(asking: LoginInfo, *, approve: bool) -> None:
    """Ask the person; raises click.Abort when they do not agree."""
    from agentic_atlas.sdk.address import is_loopback

    output.aside(f"A machine that calls itself {asking.host!r}, at {asking.address}, asked {asking.age:.0f} s ago.")
    if is_loopback(asking.address):
        output.aside(f"{asking.address} is the platform's own machine, or a proxy that hides where it was asked from.")
    if asking.lasts:
        output.aside(f"It would get an API key of yours, good for {_good_for(asking)}.")
    question = "Is it yours, and may it act as you?" if approve else "Turn it away?"
    confirm(question)


def _good_for(asking: LoginInfo) -> str:
    from agentic_atlas.auth.errors import span

    what = "everything that you may" if "*" in asking.scopes else ", ".join(asking.scopes)
    return f"{what}, for {span(asking.lasts)} at the most"
