"""Settings: who one is here, and what this network is."""

from datetime import UTC, datetime

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import accounts
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Request
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.page import PageGroup, View

pages = PageGroup("settings")


class SettingsView(View, frozen=True):
    """One's own account, and where the network is.

    Attributes:
        password_at: when the password was set; None: there is none.
        totp_at: since when a log-in needs a one-time password; None: it needs none.
        api_url: of the API.
        router_url: where agents connect.
    """

    password_at: datetime | None
    totp_at: datetime | None
    api_url: str
    router_url: str


@pages.page("GET", "/settings", "settings.html")
async def settings(request: Request, application: Application, who: Principal, where: Whereabouts) -> SettingsView:
    """Show one's own account, and where the network is."""
    account = await accounts.show(who, application)
    return SettingsView(
        password_at=_time(account.password_at),
        totp_at=_time(account.totp_at),
        api_url=where.api_for(request.host),
        router_url=where.router_for(request.hostname),
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
