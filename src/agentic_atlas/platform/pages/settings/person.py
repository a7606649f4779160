"""One user, as administrators see them: what they may do, what they come in by, where they are logged in."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import accounts, identities, sessions, users
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import identity_info, listed_user
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.platform.outcome import FormOutcome
from agentic_atlas.platform.page import PageGroup
from agentic_atlas.platform.pages.settings.account import ended
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, after_form, place_for
from agentic_atlas.platform.pages.settings.people import PATH, people, standing_of
from agentic_atlas.platform.pages.settings.sessions import rows
from agentic_atlas.platform.templating import plural
from agentic_atlas.protocol.caller.accounts import IdentityInfo
from agentic_atlas.protocol.caller.people import ListedUser, SessionInfo, UserChange

pages = PageGroup(SECTION)

_ONE: Final = f"{PATH}/{{name}}"
_TEMPLATE: Final = "settings_person.html"


class PersonView(SettingsPage, frozen=True):
    """One user.

    Attributes:
        user: as they are now.
        standing: whether they can come in, in a word.
        oneself: it is whoever looks.
        groups: names of those that they are in.
        agents: full names of agents that they own.
        sessions: that are not over, those that were used last first, each with the browser that it is in.
        identities: what they are known by at identity providers.
    """

    user: ListedUser
    standing: str
    oneself: bool
    groups: Sequence[str]
    agents: Sequence[str]
    sessions: Sequence[tuple[SessionInfo, str]]
    identities: Sequence[IdentityInfo]


@pages.page("GET", _ONE, _TEMPLATE)
async def show(name: str, application: Application, who: Principal) -> PersonView:
    """Show one user."""
    return await _view(name, application, who)


@pages.page("POST", _ONE, _TEMPLATE, form=True)
async def change(
    name: str, body: UserChange, request: Request, application: Application, who: Principal
) -> PersonView | Response:
    """Give a user another role, disable or enable them."""
    view = partial(_view, name, application, who)
    form = "role" if body.disabled is None else "admission"

    async def changed() -> PersonView:
        role = None if body.role is None else Role(body.role)
        user = await users.update(who, application, name, role=role, disabled=body.disabled)
        enabled = "enabled" if user.disabled_at is None else "disabled"
        return await view(
            FormOutcome(form, f"{name} is {user.role} now." if form == "role" else f"{name} is {enabled}.")
        )

    return await after_form(request, who, form, changed(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{_ONE}/sessions/end", _TEMPLATE)
async def end_sessions(name: str, request: Request, application: Application, who: Principal) -> PersonView | Response:
    """Log a user out everywhere."""
    view = partial(_view, name, application, who)

    async def out() -> PersonView:
        count = await sessions.end_of(who, application, name)
        return await view(FormOutcome("sessions", f"{plural(count, 'session')} ended."))

    return await after_form(request, who, "sessions", out(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{_ONE}/totp/end", _TEMPLATE)
async def reset_totp(name: str, request: Request, application: Application, who: Principal) -> PersonView | Response:
    """Let the log-ins of a user who has lost their authenticator need no one-time passwords any more."""
    view = partial(_view, name, application, who)

    async def reset() -> PersonView:
        await accounts.reset_totp(who, application, name)
        return await view(FormOutcome("ways", f"The log-ins of {name} need no one-time password any more."))

    return await after_form(request, who, "ways", reset(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{_ONE}/identities/{{identity_id}}/remove", _TEMPLATE)
async def unlink(
    name: str, identity_id: str, request: Request, application: Application, who: Principal
) -> PersonView | Response:
    """Have a user known no more by what an identity provider calls them."""
    view = partial(_view, name, application, who)

    async def removed() -> PersonView:
        found = await identities.remove_of(who, application, name, identity_id)
        return await view(FormOutcome("ways", f"It lets nobody in as {name} any more. {ended(*found)}"))

    return await after_form(request, who, "ways", removed(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{_ONE}/delete", _TEMPLATE)
async def delete(name: str, request: Request, application: Application, who: Principal) -> PersonView | Response:
    """Remove a user."""

    async def removed() -> Response:
        await users.delete(who, application, name)
        return await people(application, who, FormOutcome("users", f"{name} is not in this network any more."))

    view = partial(_view, name, application, who)
    return await after_form(request, who, "delete", removed(), view=view, template=_TEMPLATE)


async def _view(name: str, application: Application, who: Principal, said: FormOutcome | None = None) -> PersonView:
    user, ways, groups, agents = await users.show(who, application, name)
    shown = listed_user(user, ways)
    return PersonView(
        place=place_for(who, PATH, f"{PATH}/{name}"),
        said=said,
        user=shown,
        standing=standing_of(shown),
        oneself=user.id == who.user.id,
        groups=[one.name for one in groups],
        agents=agents,
        sessions=rows(await sessions.find_of(who, application, name), name, who.credential.id),
        identities=[identity_info(one, name) for one in await identities.find_of(who, application, name)],
    )
