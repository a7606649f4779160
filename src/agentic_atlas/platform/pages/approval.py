"""Where a machine's login is approved: who is logged in is shown who asks with a code, and lets them in or not.

The code comes typed, or behind `#` of the address that `atlas login` prints: a script puts it into the form, for no
request and so no log has it otherwise.
"""

from functools import partial
from typing import Final

from agentic_atlas.auth.errors import span
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import logins
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.forms import UnfitForm
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.whereabouts import APPROVAL_PAGE
from agentic_atlas.platform.outcome import FormOutcome, fit, typed
from agentic_atlas.platform.page import PageGroup, View
from agentic_atlas.platform.pages.settings.page import after_form
from agentic_atlas.platform.starting import on_loopback
from agentic_atlas.protocol.caller.people import LoginInfo, UserCode

pages = PageGroup()

_TEMPLATE: Final = "approval.html"


class ApprovalView(View, frozen=True, kw_only=True):
    """A machine's login, from its code to what was decided.

    Attributes:
        said: what came of the form that was sent; None: the page was only asked for.
        code: that was typed.
        asks: who asks with it; None: that is not known yet, or was just decided.
        lasts: for how long the API key is good that they would get, in words.
        hidden: the address may be that of a proxy, which hides where it was asked from.
        approved: who was let in by it; empty: nobody.
        refused: who was turned away; empty: nobody.
    """

    said: FormOutcome | None = None
    code: str = ""
    asks: LoginInfo | None = None
    lasts: str = ""
    hidden: bool = False
    approved: str = ""
    refused: str = ""


@pages.page("GET", APPROVAL_PAGE, _TEMPLATE)
async def ask(who: Principal) -> ApprovalView:
    """Ask for the code that a machine shows."""
    return ApprovalView()


@pages.page("POST", APPROVAL_PAGE, _TEMPLATE, form=True)
async def show(
    body: UserCode | UnfitForm, request: Request, application: Application, who: Principal
) -> ApprovalView | Response:
    """Show who asks with a code, and what they would get."""
    view = partial(_at_code, typed(body, UserCode).user_code)
    work = _asking(application, who, body)
    return await after_form(request, who, "code", work, view=view, template=_TEMPLATE, section="")


@pages.page("POST", f"{APPROVAL_PAGE}/approve", _TEMPLATE, form=True)
async def approve(
    body: UserCode | UnfitForm, request: Request, application: Application, who: Principal
) -> ApprovalView | Response:
    """Let who asks with a code act as oneself."""

    async def approved() -> ApprovalView:
        asked = await logins.approve(who, application, fit(body).user_code)
        return ApprovalView(said=FormOutcome("decided", ""), approved=asked.host)

    view = partial(_at_code, typed(body, UserCode).user_code)
    return await after_form(request, who, "code", approved(), view=view, template=_TEMPLATE, section="")


@pages.page("POST", f"{APPROVAL_PAGE}/deny", _TEMPLATE, form=True)
async def deny(
    body: UserCode | UnfitForm, request: Request, application: Application, who: Principal
) -> ApprovalView | Response:
    """Turn away who asks with a code."""

    async def denied() -> ApprovalView:
        asked = await logins.deny(who, application, fit(body).user_code)
        return ApprovalView(said=FormOutcome("decided", ""), refused=asked.host)

    view = partial(_at_code, typed(body, UserCode).user_code)
    return await after_form(request, who, "code", denied(), view=view, template=_TEMPLATE, section="")


async def _asking(application: Application, who: Principal, body: UserCode | UnfitForm) -> ApprovalView:
    code = fit(body).user_code
    asks = await logins.show(who, application, code)
    return ApprovalView(
        said=FormOutcome("shown", ""),
        code=code,
        asks=asks,
        lasts=span(asks.lasts),
        hidden=on_loopback(f"//[{asks.address}]" if ":" in asks.address else f"//{asks.address}"),
    )


async def _at_code(code: str, said: FormOutcome) -> ApprovalView:
    return ApprovalView(said=said, code=code)
