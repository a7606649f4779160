"""Sessions: where one is logged in with a browser, and the end of that."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from agentic_atlas.backend.domain.people import BrowserSession
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import sessions
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import session_info
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.platform.browsers import browser_of
from agentic_atlas.platform.outcome import FormOutcome
from agentic_atlas.platform.page import PageGroup
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, after_form, place_for
from agentic_atlas.platform.templating import plural
from agentic_atlas.protocol.caller.people import SessionInfo

pages = PageGroup(SECTION)

PATH: Final = "/settings/sessions"
_TEMPLATE: Final = "settings_sessions.html"


class SessionsView(SettingsPage, frozen=True):
    """One's own sessions.

    Attributes:
        sessions: that are not over, those that were used last first, each with the browser that it is in.
        others: how many are not the one that asks.
    """

    sessions: Sequence[tuple[SessionInfo, str]]
    others: int


@pages.page("GET", PATH, _TEMPLATE)
async def show(application: Application, who: Principal) -> SessionsView:
    """List one's own sessions."""
    return await _view(application, who)


@pages.page("POST", f"{PATH}/end", _TEMPLATE)
async def end_others(request: Request, application: Application, who: Principal) -> SessionsView | Response:
    """End all one's own sessions but the one that asks."""
    view = partial(_view, application, who)

    async def ended() -> SessionsView:
        count = await sessions.end_others(who, application)
        return await view(FormOutcome("sessions", f"{plural(count, 'session')} ended."))

    return await after_form(request, who, "sessions", ended(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{PATH}/{{session_id}}/end", _TEMPLATE)
async def end(session_id: str, request: Request, application: Application, who: Principal) -> SessionsView | Response:
    """End a session."""
    view = partial(_view, application, who)

    async def ended() -> SessionsView:
        await sessions.end(who, application, session_id)
        return await view(FormOutcome("sessions", "The session ended: whoever had it is logged out."))

    return await after_form(request, who, "sessions", ended(), view=view, template=_TEMPLATE)


def rows(found: Sequence[BrowserSession], user: str, asks: str) -> list[tuple[SessionInfo, str]]:
    """Return sessions of the user of this name as they are listed; `asks` is the id of the one that asks."""
    return [(session_info(one, user, asks), browser_of(one.agent)) for one in found]


async def _view(application: Application, who: Principal, said: FormOutcome | None = None) -> SessionsView:
    found = rows(await sessions.find(who, application), who.user.name, who.credential.id)
    return SessionsView(
        place=place_for(who, PATH),
        said=said,
        sessions=found,
        others=sum(not session.current for session, _ in found),
    )
