"""People: who is in the network, and links that let others in."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final, TypeAlias

from pydantic import Field

from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import invitations, users
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import invitation_info, listed_user
from agentic_atlas.http.forms import UnfitForm
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.routes import After
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.outcome import FormOutcome, fit, typed
from agentic_atlas.platform.page import PageGroup, frame_of, html
from agentic_atlas.platform.pages.agents import IN_PAGE
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, after_form, place_for
from agentic_atlas.protocol.caller.accounts import InvitationInfo, InvitationRequest, NewInvitation
from agentic_atlas.protocol.caller.people import ListedUser
from agentic_atlas.protocol.codec import passed_on

pages = PageGroup(SECTION)

PATH: Final = "/settings/people"
Sought: TypeAlias = Annotated[str, Field(max_length=64)]
"""A part of a name."""
_TEMPLATE: Final = "settings_people.html"


class PeopleView(SettingsPage, frozen=True, kw_only=True):
    """Who is in the network.

    Attributes:
        users: by name, each with how they stand.
        after: the name after which this part begins; empty: it is the first.
        next: the name after which there are more; empty: there are none.
        invitations: links that can still be used, newest first.
        sought: a part of the names of those that are looked for; empty: of all.
        made: the one that was just made, with its link, this once; None: none was.
        asked: whom a link was asked for that was not made.
    """

    users: Sequence[tuple[ListedUser, str]]
    after: str
    next: str
    invitations: Sequence[InvitationInfo]
    sought: str = ""
    made: NewInvitation | None = None
    asked: str = ""


@pages.page("GET", PATH, _TEMPLATE)
async def show(
    application: Application, who: Principal, turns: Turns, after: After = None, q: Sought = ""
) -> PeopleView:
    """List users by name, or those who have a part in it, and links that let others in."""
    async with turns.turn(who.user.id):
        return await view_of(application, who, after=after, sought=q.strip().lower())


@pages.page("POST", "/settings/invitations", _TEMPLATE, form=True)
async def invite(
    body: InvitationRequest | UnfitForm, request: Request, application: Application, who: Principal, where: Whereabouts
) -> PeopleView | Response:
    """Make a link with which somebody sets their password, and show it, this once."""

    async def invited() -> PeopleView:
        asked = fit(body)
        role = None if asked.role is None else Role(asked.role)
        made, user, secret = await invitations.create(
            who, application, asked.user.strip(), role, lifetime=asked.expires_in
        )
        link = where.invitation(secret, request.host)
        said = FormOutcome("invite", f"{user.name} comes in with this link.")
        shown = passed_on(NewInvitation, invitation_info(made, user), link=link)
        return await view_of(application, who, said, made=shown)

    view = partial(view_of, application, who, asked=typed(body, InvitationRequest).user)
    return await after_form(request, who, "invite", invited(), view=view, template=_TEMPLATE)


@pages.page("POST", "/settings/invitations/{invitation_id}/withdraw", _TEMPLATE)
async def withdraw(
    invitation_id: str, request: Request, application: Application, who: Principal
) -> PeopleView | Response:
    """Make a link worthless."""
    view = partial(view_of, application, who)

    async def withdrawn() -> PeopleView:
        ended = await invitations.revoke(who, application, invitation_id)
        return await view(FormOutcome("invitations", f"The link for {ended.user} is worth nothing any more."))

    return await after_form(request, who, "invitations", withdrawn(), view=view, template=_TEMPLATE)


async def view_of(
    application: Application,
    who: Principal,
    said: FormOutcome | None = None,
    *,
    after: str | None = None,
    sought: str = "",
    made: NewInvitation | None = None,
    asked: str = "",
) -> PeopleView:
    """Return who is in the network."""
    matching = await users.find(who, application, limit=IN_PAGE + 1, after=after, part=sought)
    found = [listed_user(*one) for one in matching]
    shown = found[:IN_PAGE]
    return PeopleView(
        place=place_for(who, PATH),
        said=said,
        users=[(user, standing_of(user)) for user in shown],
        after=after or "",
        next=shown[-1].name if len(found) > IN_PAGE else "",
        invitations=[invitation_info(*one) for one in await invitations.find(who, application)],
        sought=sought,
        made=made,
        asked=asked,
    )


async def people(application: Application, who: Principal, said: FormOutcome) -> Response:
    """Return the list after something was done to one who is not there any more."""
    return html(_TEMPLATE, await view_of(application, who, said), frame_of(who, SECTION))


def standing_of(user: ListedUser) -> str:
    """Return in a word whether somebody can come in."""
    if user.disabled:
        return "disabled"
    if user.password_at is not None or user.identities:
        return "active"
    return "invited" if user.invited_until is not None else "keys_alone"
