"""Where a network is, for programs on this machine and for others: addresses that lead somewhere."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.http.whereabouts import LOGIN_PAGE, Whereabouts
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

    @property
    def page(self) -> str:
        """Return where whoever is at this machine finds the pages."""
        return self.told.api_url or self.api_url

    def invitation(self, secret: str) -> str:
        """Return the link of an invitation, for whoever is at this machine."""
        return f"{self.page}{LOGIN_PAGE}#invitation={secret}"


def addresses(
    settings: Settings, listening: str, api_port: int, router_port: int, certified: Sequence[str] | None = None
) -> Addresses:
    """Return where a network is that listens on this address and these ports.

    `certified`: names and addresses that its certificate is for; None: it speaks no TLS itself.
    """
    everywhere = _is_unspecified(listening)
    here = _THIS_MACHINE[ip_address(listening).version] if everywhere else settings.host
    open_to_others = everywhere or not is_loopback(here)
    public_api, public_router = settings.public_url or "", settings.public_router_url or ""
    tls = certified is not None
    elsewhere = _named(socket.gethostname() if everywhere else here, certified or ())
    own = _named(here, certified or ())
    api_url, router_url = _api(own, api_port, tls=tls), _router(own, router_port, tls=tls)
    seen = public_api or _api(elsewhere, api_port, tls=tls), public_router or _router(elsewhere, router_port, tls=tls)
    return Addresses(
        api_url=api_url,
        router_url=router_url,
        for_others=seen if open_to_others or public_api or public_router else (),
        exposed=open_to_others and not _behind_tls(settings) and not tls,
        told=Whereabouts(
            public_api,
            public_router or router_url,
            router_port if everywhere and not public_router else None,
            secure=tls,
        ),
    )


def check_exposure(settings: Settings, *, tls: bool) -> None:
    """See that nobody on the way can read what other machines send here.

    Raises:
        ConfigurationError: other machines are let in, neither this network nor a proxy in front of it speaks TLS, and
            nobody said that this is meant (`plaintext_refused`).
    """
    if settings.allow_plaintext or tls or _behind_tls(settings) or is_loopback(settings.host):
        return
    raise ConfigurationError(
        f"listening on {settings.host} lets other machines in, and keys and tokens would travel to it unencrypted: "
        "give it a certificate (--tls-cert, --tls-key), or put a proxy with TLS in front of it and set "
        "ATLAS_PUBLIC_URL and ATLAS_PUBLIC_ROUTER_URL to its https:// and wss:// addresses; ATLAS_ALLOW_PLAINTEXT=1 "
        "starts it all the same",
        code="plaintext_refused",
    )


def _behind_tls(settings: Settings) -> bool:
    """Tell whether a proxy that speaks TLS is where others come to."""
    return (settings.public_url or "").startswith("https:") and (settings.public_router_url or "").startswith("wss:")


def _named(host: str, certified: Sequence[str]) -> str:
    """Return the name by which a host is reached whose certificate is for these: its own where that is among them."""
    same = (host, "localhost") if is_loopback(host) else (host,)
    covered = (name for name in same if any(_covers(one, name) for one in certified))
    others = sorted((name for name in certified if not name.startswith("*.")), key=is_loopback)
    return next(covered, (others or [host])[0])


def _covers(certified: str, name: str) -> bool:
    """Tell whether a name in a certificate is for this host (RFC 9525 section 6.3)."""
    if certified.startswith("*."):
        return name.partition(".")[2].lower() == certified[2:].lower()
    return certified.lower() == name.lower()


def _is_unspecified(listening: str) -> bool:
    try:
        return ip_address(listening).is_unspecified
    except ValueError:
        return False


def _api(host: str, port: int, *, tls: bool) -> str:
    return f"http{'s' * tls}://{_at(host, port)}"


def _router(host: str, port: int, *, tls: bool) -> str:
    return f"ws{'s' * tls}://{_at(host, port)}{PATH}"


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
