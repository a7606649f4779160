"""Groups of users, with whom agents are shared at once: made, filled, and removed with what is shared with them."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from agentic_atlas.backend.rights import Principal, Right, require
from agentic_atlas.backend.usecases import groups, users
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.routes import After
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.outcome import FormOutcome
from agentic_atlas.platform.page import PageGroup, frame_of, html
from agentic_atlas.platform.pages.agents import IN_PAGE
from agentic_atlas.platform.pages.settings import people
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, after_form, place_for
from agentic_atlas.platform.pages.tokens import MOST_NAMES
from agentic_atlas.platform.templating import plural
from agentic_atlas.protocol.caller.people import GroupInfo, GroupRequest

pages = PageGroup(SECTION)

PATH: Final = "/settings/groups"
_MOST_SAID: Final = 5
_ONE: Final = f"{PATH}/{{name}}"
_LIST: Final = "settings_groups.html"
_TEMPLATE: Final = "settings_group.html"


class GroupsView(SettingsPage, frozen=True):
    """Part of the list of groups.

    Attributes:
        groups: by name.
        after: the name after which this part begins; empty: it is the first.
        next: the name after which there are more; empty: there are none.
        asked: name of a group that was asked for and not made.
    """

    groups: Sequence[GroupInfo]
    after: str
    next: str
    asked: str


class GroupView(SettingsPage, frozen=True):
    """One group.

    Attributes:
        group: itself.
        shares: full names of agents that are shared with it, each with what for.
        known: names of users who are not in it.
        asked: name of a user who was to be added and was not.
    """

    group: GroupInfo
    shares: Sequence[tuple[str, str]]
    known: Sequence[str]
    asked: str


@pages.page("GET", PATH, _LIST)
async def show_all(application: Application, who: Principal, turns: Turns, after: After = None) -> GroupsView:
    """List all groups by name; for administrators."""
    async with turns.turn(who.user.id):
        return await _all(application, who, after=after)


@pages.page("POST", PATH, _LIST, form=True)
async def create(
    body: GroupRequest, request: Request, application: Application, who: Principal
) -> GroupsView | Response:
    """Make a group that nobody is in, and show it."""
    view = partial(_all, application, who, asked=body.name)

    async def created() -> Response:
        group, _ = await groups.create(who, application, body.name.strip())
        page = await _one(group.name, application, who, FormOutcome("members", "Nobody is in it yet: add somebody."))
        return html(_TEMPLATE, page, frame_of(who, SECTION))

    return await after_form(request, who, "create", created(), view=view, template=_LIST)


@pages.page("GET", _ONE, _TEMPLATE)
async def show(name: str, application: Application, who: Principal) -> GroupView:
    """Show a group with who is in it, and what is shared with it."""
    return await _one(name, application, who)


@pages.page("POST", f"{_ONE}/members", _TEMPLATE, form=True)
async def add(
    name: str, body: GroupRequest, request: Request, application: Application, who: Principal
) -> GroupView | Response:
    """Have a user in a group."""
    view = partial(_one, name, application, who, asked=body.name)

    async def added() -> GroupView:
        user = body.name.strip()
        await groups.add(who, application, name, user)
        return await _one(name, application, who, FormOutcome("members", f"{user} is in it."))

    return await after_form(request, who, "members", added(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{_ONE}/members/{{user}}/remove", _TEMPLATE)
async def remove(
    name: str, user: str, request: Request, application: Application, who: Principal
) -> GroupView | Response:
    """Have a user not in a group any more."""
    view = partial(_one, name, application, who)

    async def removed() -> GroupView:
        _, group = await groups.remove(who, application, name, user)
        return await view(FormOutcome("members", f"{user} is not in it any more.{_with(group)}"))

    return await after_form(request, who, "members", removed(), view=view, template=_TEMPLATE)


@pages.page("POST", f"{_ONE}/delete", _LIST)
async def delete(name: str, request: Request, application: Application, who: Principal) -> GroupsView | Response:
    """Remove a group, and what is shared with it."""
    view = partial(_all, application, who)

    async def deleted() -> GroupsView:
        _, group = await groups.delete(who, application, name)
        said = f"{name} is gone, and nothing is shared with it any more.{_with(group)}"
        return await view(FormOutcome("groups", said))

    return await after_form(request, who, "groups", deleted(), view=view, template=_LIST)


def _with(group: GroupInfo) -> str:
    """Say which tokens ended with what is shared no more."""
    if not group.ended:
        return ""
    named = ", ".join(f"{one.name or one.id} of {one.made_by}" for one in group.ended[:_MOST_SAID])
    more = f" and {len(group.ended) - _MOST_SAID} more" if len(group.ended) > _MOST_SAID else ""
    return f" With it ended {plural(len(group.ended), 'token')}: {named}{more}."


async def _all(
    application: Application,
    who: Principal,
    said: FormOutcome | None = None,
    *,
    after: str | None = None,
    asked: str = "",
) -> GroupsView:
    # Others see those that they are in (`groups.find`), and share with them where an agent's settings are.
    require(who, Right.MANAGE_USERS)
    found = await groups.find(who, application, limit=IN_PAGE + 1, after=after)
    shown = found[:IN_PAGE]
    return GroupsView(
        place=place_for(who, people.PATH, PATH),
        said=said,
        groups=shown,
        after=after or "",
        next=shown[-1].name if len(found) > IN_PAGE else "",
        asked=asked,
    )


async def _one(
    name: str, application: Application, who: Principal, said: FormOutcome | None = None, *, asked: str = ""
) -> GroupView:
    group, shares = await groups.show(who, application, name)
    known = [user.name for user, _ in await users.find(who, application, limit=MOST_NAMES, after=None)]
    return GroupView(
        place=place_for(who, people.PATH, f"{PATH}/{name}"),
        said=said,
        group=group,
        shares=[(agent, access.value) for agent, access in shares],
        known=[one for one in known if one not in group.members],
        asked=asked,
    )
