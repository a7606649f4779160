"""About: what this network's server is, where it is found, how much it keeps, and whose code its pages load."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import system
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Request
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.page import PageGroup
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, place_for
from agentic_atlas.platform.starting import on_loopback
from agentic_atlas.platform.wording import duration
from agentic_atlas.protocol.caller.system import ServerInfo

pages = PageGroup(SECTION)

PATH = "/settings/about"

VENDORED: Final = Path(__file__).parents[2] / "vendor"
"""Code of others that pages load, each with its licence and the lock that says which it is."""

_KINDS: Final[Mapping[str, str]] = {
    "tasks": "Tasks",
    "agents": "Agents",
    "tokens": "Tokens of agents",
    "users": "Users",
    "api_keys": "API keys",
    "audit": "Rows of the audit log",
}


class AboutView(SettingsPage, frozen=True):
    """What the server is.

    Attributes:
        server: itself.
        kept: what is in its store, and how many of each.
        up_for: since when, in words.
        api_url: where whoever looks finds the API.
        router_url: where their agents connect.
        tls: who encrypts what is sent, in words.
        licences: of code of others: its name with its version, and the licence.
    """

    server: ServerInfo
    kept: Sequence[tuple[str, int]]
    up_for: str
    api_url: str
    router_url: str
    tls: str
    licences: Sequence[tuple[str, str]]


@pages.page("GET", PATH, "settings_about.html")
async def show(
    request: Request, application: Application, who: Principal, turns: Turns, where: Whereabouts
) -> AboutView:
    """Show what the server is."""
    async with turns.turn(who.user.id):
        server = await system.about(who, application)
    api_url = where.api_for(request.host)
    return AboutView(
        place=place_for(who, PATH),
        server=server,
        kept=[(_KINDS.get(kind, kind), count) for kind, count in server.rows.items()],
        up_for=duration((server.now - server.started_at).total_seconds()),
        api_url=api_url,
        router_url=where.router_for(request.hostname),
        tls=tls_of(server, api_url),
        licences=licences(),
    )


def tls_of(server: ServerInfo, api_url: str) -> str:
    """Say who encrypts what is sent to the network."""
    if server.certificate_until is not None:
        return "its own certificate"
    if api_url.startswith("https:"):
        return "a proxy in front of it"
    if on_loopback(api_url):
        return "nobody: what you send stays on this machine"
    return "nobody: keys and tokens can be read on the way"


@cache
def licences() -> list[tuple[str, str]]:
    """Return the code of others that pages load, and its licence."""
    found = []
    for licence in sorted(VENDORED.glob("*.LICENSE")):
        lock = licence.with_suffix(".lock")
        name = lock.read_text(encoding="utf-8").split()[0].replace("@", " ") if lock.exists() else licence.stem
        found.append((name, licence.read_text(encoding="utf-8")))
    return found
