"""Where people are told that the network is."""

from dataclasses import dataclass

from agentic_atlas.protocol.versions import PATH

LOGIN_PAGE = "/login"
"""Where people log in, and accept invitations."""
APPROVAL_PAGE = f"{LOGIN_PAGE}/code"
"""Where they approve the login of a machine that shows a code."""
HOME_PAGE = "/overview"
"""Where they are led then."""


@dataclass(frozen=True)
class Whereabouts:
    """Addresses for whoever asks."""

    api_url: str = ""
    """Of the API, as others see it; empty: where they ask is where it is."""
    router_url: str = ""
    """Where agents connect."""
    router_port: int | None = None
    """Where the router listens on every address of this machine, as the API does: agents connect at this port of the
    host that their people asked at. None: at `router_url` alone."""
    secure: bool = False
    """API and router speak TLS themselves."""

    def invitation(self, secret: str, host: str) -> str:
        """Return the link of an invitation, for somebody who asked at this host: what is secret is never sent along."""
        return f"{self.api_for(host)}{LOGIN_PAGE}#invitation={secret}"

    def approval(self, host: str, user_code: str = "") -> str:
        """Return where somebody approves a machine's login, which asked at this host; with its code, as a link."""
        return f"{self.api_for(host)}{APPROVAL_PAGE}{f'#code={user_code}' if user_code else ''}"

    def callback(self, host: str) -> str:
        """Return where an identity provider sends somebody back who asked at this host."""
        return f"{self.api_for(host)}{LOGIN_PAGE}/oidc/callback"

    def api_for(self, host: str) -> str:
        """Return where somebody finds the API who asked at this host, which may have a port."""
        return self.api_url or f"http{'s' * self.secure}://{host}"

    def router_for(self, host: str | None) -> str:
        """Return where agents of somebody connect who asked at this host."""
        if self.router_port is None or not host:
            return self.router_url
        return f"ws{'s' * self.secure}://{f'[{host}]' if ':' in host else host}:{self.router_port}{PATH}"
