"""`atlas whoami` and `atlas version`: who and what is talking to what."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from agentic_atlas._version import __version__
from agentic_atlas.cli import connection, output
from agentic_atlas.cli.options import Json
from agentic_atlas.cli.times import clock

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.people import WhoAmI


def whoami(*, json: Json = False) -> None:
    """Show who you are, and to which platform."""

    async def work() -> tuple[str, WhoAmI]:
        async with connection.connect() as atlas:
            return atlas.base_url, await atlas.people.whoami()

    url, me = connection.run(work())
    if json:
        output.document({"url": url, "user": me.user, "api_key": me.api_key, **_server(me)})
        return
    assert me.api_key is not None  # a command shows one
    key = me.api_key.name or me.api_key.id
    ends = clock().full(me.api_key.expires_at)
    output.fields(
        [
            ("user", me.user.name),
            ("role", me.user.role),
            ("API key", key),
            *([] if "*" in me.api_key.scopes else [("good for", " ".join(me.api_key.scopes))]),
            *([("valid until", ends)] if ends else []),
            ("platform", url),
            ("router", me.router_url),
            ("network", me.network),
            ("server", me.version),
        ]
    )


def version(*, json: Json = False) -> None:
    """Show the version of Agentic Atlas."""
    if json:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        output.document({"version": __version__, "python": python, "system": platform.system()})
    else:
        output.say(f"agentic-atlas {__version__}")


def _server(me: WhoAmI) -> dict[str, str]:
    return {"network": me.network, "version": me.version, "router_url": me.router_url}
