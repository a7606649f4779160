"""Where a network is, for programs on this machine and for others: addresses that lead somewhere."""

import socket
from dataclasses import dataclass
from ipaddress import ip_address

from agentic_atlas.api.whereabouts import Whereabouts
from agentic_atlas.protocol.versions import PATH
from agentic_atlas.sdk.address import is_loopback
from agentic_atlas.settings import Settings

_THIS_MACHINE = {4: "127.0.0.1", 6: "::1"}


@dataclass(frozen=True)
class Addresses:
    """Of a network that listens.

    Attributes:
        api_url: of the API, on this machine.
        router_url: of the router, on this machine.
        for_others: of both as other machines see them; empty while only this one is let in.
        exposed: what other machines send here can be read on the way.
        told: what people are told who ask over the API.
    """

    api_url: str
    router_url: str
    for_others: tuple[str, ...]
    exposed: bool
    told: Whereabouts


def addresses(settings: Settings, listening: str, api_port: int, router_port: int) -> Addresses:
    """Return where a network is that listens on this address and these ports."""
    everywhere = _is_unspecified(listening)
    here = _THIS_MACHINE[ip_address(listening).version] if everywhere else settings.host
    open_to_others = everywhere or not is_loopback(here)
    public_api, public_router = settings.public_url or "", settings.public_router_url or ""
    behind_tls = public_api.startswith("https:") and public_router.startswith("wss:")
    router_url = _router(here, router_port)
    elsewhere = socket.gethostname() if everywhere else here
    seen = public_api or f"http://{_at(elsewhere, api_port)}", public_router or _router(elsewhere, router_port)
    return Addresses(
        api_url=f"http://{_at(here, api_port)}",
        router_url=router_url,
        for_others=seen if open_to_others or public_api or public_router else (),
        exposed=open_to_others and not behind_tls,
        told=Whereabouts(
            public_api, public_router or router_url, router_port if everywhere and not public_router else None
        ),
    )


def _is_unspecified(listening: str) -> bool:
    try:
        return ip_address(listening).is_unspecified
    except ValueError:
        return False


def _router(host: str, port: int) -> str:
    return f"ws://{_at(host, port)}{PATH}"


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
