"""Account: who one is here, and how one comes in."""

from functools import partial

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import accounts
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import account_info
from agentic_atlas.errors import InvalidInput
from agentic_atlas.http.cookies import Cookies
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.page import PageGroup
from agentic_atlas.platform.pages.settings.page import SECTION, FormOutcome, SettingsPage, after_form, place_for
from agentic_atlas.platform.templating import plural
from agentic_atlas.protocol.caller.accounts import AccountInfo, Password, PasswordChange

pages = PageGroup(SECTION)

PATH = "/settings"
_TEMPLATE = "settings_account.html"


class AccountView(SettingsPage, frozen=True):
    """One's own account, and where the network is.

    Attributes:
        account: what one comes in by.
        api_url: of the API.
        router_url: where agents connect.
    """

    account: AccountInfo
    api_url: str
    router_url: str


class PasswordForm(PasswordChange, frozen=True, kw_only=True):
    """One's own password to be, said twice."""

    again: Password


@pages.page("GET", PATH, _TEMPLATE)
async def show(request: Request, application: Application, who: Principal, where: Whereabouts) -> AccountView:
    """Show one's own account, and where the network is."""
    return await _view(request, application, who, where)


@pages.page("POST", f"{PATH}/password", _TEMPLATE, form=True)
async def change_password(
    body: PasswordForm,
    request: Request,
    application: Application,
    who: Principal,
    where: Whereabouts,
    cookies: Cookies,
) -> AccountView | Response:
    """Have another password, and say what ended with the one before."""

    view = partial(_view, request, application, who, where)

    async def changed() -> AccountView:
        if body.new != body.again:
            raise InvalidInput("the new password and the same again are not the same")
        visitor = cookies.visitor(request)
        found = await accounts.change_password(who, application, body.current, body.new, visitor)
        return await view(FormOutcome("password", f"You have another password. {ended(*found)}"))

    return await after_form(request, who, "password", changed(), view=view, template=_TEMPLATE)


def ended(sessions: int, keys: int) -> str:
    """Say what ended because of how one comes in from now on."""
    if not sessions + keys:
        return "Nobody else was logged in as you."
    found = [plural(sessions, "other session"), plural(keys, "API key from a log-in", "API keys from log-ins")]
    return f"{' and '.join(one for one, count in zip(found, (sessions, keys), strict=True) if count)} ended."


async def _view(
    request: Request,
    application: Application,
    who: Principal,
    where: Whereabouts,
    said: FormOutcome | None = None,
) -> AccountView:
    account = await accounts.show(who, application)
    return AccountView(
        place=place_for(who, PATH),
        said=said,
        account=account_info(account, who.user),
        api_url=where.api_for(request.host),
        router_url=where.router_for(request.hostname),
    )
