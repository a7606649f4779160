"""What all pages of the settings have in common: the way from one to another, and what came of a form that was sent."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from agentic_atlas.backend.rights import Principal, Right, may
from agentic_atlas.errors import Busy, Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from agentic_atlas.http.accept import prefers
from agentic_atlas.http.errors import status_of
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.platform.outcome import FormOutcome, wrong
from agentic_atlas.platform.page import View, frame_of, html

SECTION: Final = "settings"
"""Of the navigation."""

_AT_FORMS: Final = (Busy, Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated)
"""Errors that are said at the form that caused them."""


class Part(NamedTuple):
    """One page of the settings, and the right without which nobody is led there."""

    path: str
    name: str
    right: Right


PARTS: Final = (
    Part("/settings", "Account", Right.MANAGE_OWN_KEYS),
    Part("/settings/sessions", "Sessions", Right.MANAGE_OWN_KEYS),
    Part("/settings/people", "People", Right.MANAGE_USERS),
    Part("/settings/keys", "API keys", Right.MANAGE_OWN_KEYS),
    Part("/settings/signing-keys", "Signing keys", Right.MANAGE_SIGNING_KEYS),
    Part("/settings/audit", "Audit log", Right.READ_AUDIT),
    Part("/settings/limits", "Limits", Right.BE_KNOWN),
    Part("/settings/about", "About", Right.BE_KNOWN),
)
"""The pages of the settings, in the order in which they are shown."""


class Place(msgspec.Struct, frozen=True):
    """Where in the settings somebody is.

    Attributes:
        here: path of the page of `links` that is lit.
        at: path of the page itself, which may be one below that.
        links: pages that they may see: each with its path and its name.
    """

    here: str
    at: str
    links: Sequence[tuple[str, str]]


class SettingsPage(View, frozen=True, kw_only=True):
    """What every page of the settings shows.

    Attributes:
        place: where it is among the others.
        said: what came of the form that was sent to it; None: it was only asked for.
    """

    place: Place
    said: FormOutcome | None = None


Shown = TypeVar("Shown", bound=View)


def parts_for(who: Principal) -> list[Part]:
    """Return the pages of the settings that there are for somebody."""
    return [one for one in PARTS if may(who, one.right)]


def place_for(who: Principal, here: str, at: str = "") -> Place:
    """Return where somebody is who looks at this page, or `at` one below it."""
    return Place(here, at or here, [(one.path, one.name) for one in parts_for(who)])


async def after_form(
    request: Request,
    who: Principal,
    form: str,
    work: Awaitable[Shown | Response],
    *,
    view: Callable[[FormOutcome], Awaitable[Shown]],
    template: str,
    section: str = SECTION,
) -> Shown | Response:
    """Do what a form asks for, and return what is shown then: the page again, which says at this form what was wrong.

    Args:
        request: that brought the form.
        who: sent it.
        form: its name.
        work: does it, and returns what is shown when it is done.
        view: makes the page as it is now, with what was wrong.
        template: that shows that.
        section: of the navigation, that the page is in.

    Raises:
        AtlasError: it was none of ours to say at a form, they do not see the page, or a program asks.
    """
    try:
        return await work
    except _AT_FORMS as error:
        if not _wants_page(request):
            raise
        page = await view(wrong(form, error))
        return html(template, page, frame_of(who, section), status=status_of(error))


def _wants_page(request: Request) -> bool:
    return prefers(request.all("accept"), "text/html", "application/json")
