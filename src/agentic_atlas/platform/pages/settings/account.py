"""Account: who one is here, and what one comes in by."""

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec

from agentic_atlas.backend.accounts import SIGN_ON_LIFETIME
from agentic_atlas.backend.domain.people import Account
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import accounts, groups, identities, single_sign_on
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import account_info, identity_info
from agentic_atlas.errors import InvalidInput
from agentic_atlas.http.cookies import BACK, SIGN_ON, Cookies
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.outcome import FormOutcome
from agentic_atlas.platform.page import PageGroup, frame_of, html
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, after_form, place_for
from agentic_atlas.platform.qr_code import QrCode, qr_code
from agentic_atlas.platform.templating import plural
from agentic_atlas.protocol.caller.accounts import (
    AccountInfo,
    Confirmation,
    IdentityChange,
    IdentityInfo,
    Password,
    PasswordChange,
    TotpCode,
    TotpEnrolment,
)

pages = PageGroup(SECTION)

PATH: Final = "/settings"
MOST_GROUPS: Final = 500
"""Groups among which one's own are looked for: administrators see all."""
_TEMPLATE: Final = "settings_account.html"

Totp: TypeAlias = Literal["off", "waiting", "on"]


class AccountView(SettingsPage, frozen=True, kw_only=True):
    """One's own account.

    Attributes:
        account: what one comes in by.
        groups: names of those that one is in.
        totp: log-ins need one-time passwords, or will once a code is confirmed.
        enrolment: a secret for an authenticator, this once; None: none was just made.
        qr: the same for cameras.
        recovery: codes for who loses the authenticator, one in each line, this once; empty: none were just made.
        identities: what one is known by at identity providers.
        provider: more can be linked.
        departure: where one logs in at the provider, to be linked; empty: that was not just begun.
    """

    account: AccountInfo
    groups: Sequence[str]
    totp: Totp
    enrolment: TotpEnrolment | None = None
    qr: QrCode | None = None
    recovery: str = ""
    identities: Sequence[IdentityInfo]
    provider: bool
    departure: str = ""


class PasswordForm(PasswordChange, frozen=True, kw_only=True):
    """One's own password to be, said twice."""

    again: Password


@pages.page("GET", PATH, _TEMPLATE)
async def show(application: Application, who: Principal) -> AccountView:
    """Show one's own account."""
    return await _view(application, who)


@pages.page("POST", f"{PATH}/password", _TEMPLATE, form=True)
async def change_password(
    body: PasswordForm,
    request: Request,
    application: Application,
    who: Principal,
    cookies: Cookies,
) -> AccountView | Response:
    """Have another password, and say what ended with the one before."""
    view = partial(_view, application, who)

    async def changed() -> AccountView:
        if body.new != body.again:
            raise InvalidInput("the new password and the same again are not the same")
        visitor = cookies.visitor(request)
        found = await accounts.change_password(who, application, body.current, body.new, visitor)
        return await view(FormOutcome("password", f"You have another password. {ended(*found)}"))

    return await after_form(request, who, "password", changed(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{PATH}/totp", _TEMPLATE, form=True)
async def enrol(
    body: Confirmation,
    request: Request,
    application: Application,
    who: Principal,
    cookies: Cookies,
) -> AccountView | Response:
    """Show a secret for an authenticator, this once; nothing changes until a code of it is confirmed."""
    view = partial(_view, application, who)

    async def begun() -> AccountView:
        visitor = cookies.visitor(request)
        made = await accounts.enrol(who, application, body.password, visitor, request.hostname)
        said = FormOutcome("totp", "Nothing changes until you have confirmed a code.")
        return msgspec.structs.replace(await view(said), enrolment=made, qr=qr_code(made.uri))

    return await after_form(request, who, "totp", begun(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{PATH}/totp/confirm", _TEMPLATE, form=True)
async def confirm(body: TotpCode, request: Request, application: Application, who: Principal) -> AccountView | Response:
    """Let one's log-ins need one-time passwords, and show codes for who loses the authenticator, this once."""
    view = partial(_view, application, who)

    async def confirmed() -> AccountView:
        codes = await accounts.confirm(who, application, body.code)
        said = FormOutcome("totp", "Your log-ins need a one-time password from now on.")
        return msgspec.structs.replace(await view(said), recovery="\n".join(codes))

    return await after_form(request, who, "totp", confirmed(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{PATH}/totp/end", _TEMPLATE, form=True)
async def disenrol(
    body: Confirmation,
    request: Request,
    application: Application,
    who: Principal,
    cookies: Cookies,
) -> AccountView | Response:
    """Let one's log-ins need no one-time passwords any more."""
    view = partial(_view, application, who)

    async def off() -> AccountView:
        await accounts.disenrol(who, application, body.password, cookies.visitor(request))
        return await view(FormOutcome("totp", "Your log-ins need no one-time password any more."))

    return await after_form(request, who, "totp", off(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{PATH}/identities", _TEMPLATE, form=True)
async def link(
    body: IdentityChange,
    request: Request,
    application: Application,
    who: Principal,
    where: Whereabouts,
    cookies: Cookies,
) -> AccountView | Response:
    """Say where one logs in at the identity provider, to be known here by what that calls one.

    A form leads to no other host than ours, which the policy of pages sees to: a link does.
    """
    view = partial(_view, application, who)

    async def begun() -> Response:
        back, visitor = where.callback(request.host), cookies.visitor(request)
        address, secret = await single_sign_on.begin_link(who, application, body.password, back, visitor)
        said = FormOutcome("identities", "Log in there now: whoever you are there comes in as you from then on.")
        page = msgspec.structs.replace(await view(said), departure=address)
        kept = [(SIGN_ON, secret), (BACK, quote(PATH))]
        fields = [cookies.kept(request, name, value, SIGN_ON_LIFETIME) for name, value in kept]
        return html(_TEMPLATE, page, frame_of(who, SECTION), *fields)

    return await after_form(request, who, "identities", begun(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{PATH}/identities/{{identity_id}}/remove", _TEMPLATE, form=True)
async def unlink(
    identity_id: str,
    body: IdentityChange,
    request: Request,
    application: Application,
    who: Principal,
    cookies: Cookies,
) -> AccountView | Response:
    """Be known no more by what an identity provider calls one."""
    view = partial(_view, application, who)

    async def removed() -> AccountView:
        visitor = cookies.visitor(request)
        found = await identities.remove(who, application, identity_id, body.password, visitor)
        return await view(FormOutcome("identities", f"It lets nobody in as you any more. {ended(*found)}"))

    return await after_form(request, who, "identities", removed(), view=view, template=_TEMPLATE)


def ended(sessions: int, keys: int) -> str:
    """Say what ended because one comes in by something else from now on."""
    if not sessions + keys:
        return "Nobody else was logged in as you."
    found = [plural(sessions, "other session"), plural(keys, "API key from a log-in", "API keys from log-ins")]
    return f"{' and '.join(one for one, count in zip(found, (sessions, keys), strict=True) if count)} ended."


def totp_of(account: Account) -> Totp:
    """Return how it stands with somebody's one-time passwords."""
    if account.totp_at is not None:
        return "on"
    return "waiting" if account.totp else "off"


async def _view(application: Application, who: Principal, said: FormOutcome | None = None) -> AccountView:
    account = await accounts.show(who, application)
    found = await groups.find(who, application, limit=MOST_GROUPS, after=None)
    return AccountView(
        place=place_for(who, PATH),
        said=said,
        account=account_info(account, who.user),
        groups=[one.name for one in found if who.user.name in one.members],
        totp=totp_of(account),
        identities=[identity_info(one, who.user.name) for one in await identities.find(who, application)],
        provider=application.signs_on,
    )
