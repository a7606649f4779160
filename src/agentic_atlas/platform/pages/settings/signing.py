"""Signing keys: what agents' tokens are signed with, what rests on each, and how one is replaced or withdrawn."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final, Literal

import msgspec

from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import audit, signing
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import NotFound
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.outcome import FormOutcome
from agentic_atlas.platform.page import PageGroup, see_other
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, after_form, place_for
from agentic_atlas.platform.templating import plural
from agentic_atlas.protocol.caller import audit_words
from agentic_atlas.protocol.caller.audit import AuditEntry
from agentic_atlas.protocol.caller.people import SigningKeyInfo

pages = PageGroup(SECTION)

PATH = "/settings/signing-keys"
_TEMPLATE = "settings_signing_keys.html"

MOST_WITHDRAWN = 20
"""Keys that are listed of those that were withdrawn, as the audit log tells."""
MOST_NAMED: Final = 20
"""Agents that are named of those whose tokens rest on a key."""


class WithdrawnKey(msgspec.Struct, frozen=True):
    """A key that verifies nothing any more.

    Attributes:
        id: its own.
        at: when it was withdrawn.
        by: by whom.
        ended: what ended with it, in words.
    """

    id: str
    at: datetime
    by: str
    ended: str


class SigningKeysView(SettingsPage, frozen=True):
    """The keys that verify tokens.

    Attributes:
        keys: the one that signs first.
        withdrawn: those that were, the last one first.
        key_set: where programs find the public halves.
    """

    keys: Sequence[SigningKeyInfo]
    withdrawn: Sequence[WithdrawnKey]
    key_set: str


class WithdrawView(SettingsPage, frozen=True):
    """What ends when a key is withdrawn.

    Attributes:
        key: that would be.
        rests: what rests on it, in words.
        agents: names of agents whose tokens end.
        more: there are others.
    """

    key: SigningKeyInfo
    rests: str
    agents: Sequence[str]
    more: bool


class WithdrawForm(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody wants it."""

    sure: Literal["yes"]


@pages.page("GET", PATH, _TEMPLATE)
async def show(request: Request, application: Application, who: Principal, where: Whereabouts) -> SigningKeysView:
    """Show the keys that agents' tokens are signed with."""
    return await _view(request, application, who, where)


@pages.page("POST", PATH, _TEMPLATE)
async def rotate(
    request: Request, application: Application, who: Principal, where: Whereabouts
) -> SigningKeysView | Response:
    """Have a new key sign from now on."""
    view = partial(_view, request, application, who, where)

    async def rotated() -> SigningKeysView:
        key = await signing.rotate(who, application)
        return await view(FormOutcome("rotate", f"Tokens are signed with {key.id} now."))

    return await after_form(request, who, "rotate", rotated(), view=view, template=_TEMPLATE)


@pages.page("GET", f"{PATH}/{{key_id}}/withdraw", "settings_withdraw.html")
async def ask(key_id: str, application: Application, who: Principal) -> WithdrawView:
    """Say what ends when a key is withdrawn, and ask."""
    key = next((one for one in await signing.find(who, application) if one.id == key_id), None)
    if key is None:
        raise NotFound("there is no signing key of this id any more", code="signing_key_not_found")
    return WithdrawView(
        place=place_for(who, PATH),
        key=key,
        rests=rests_on(key.tokens, key.connected),
        agents=key.agents[:MOST_NAMED],
        more=len(key.agents) > MOST_NAMED,
    )


@pages.at("POST", f"{PATH}/{{key_id}}/withdraw", listed=False, form=True)
async def withdraw(key_id: str, body: WithdrawForm, application: Application, who: Principal) -> Response:
    """Make every token worthless that rests on a key, and show what that ended."""
    await signing.withdraw(who, application, key_id)
    return see_other(PATH)


def rests_on(tokens: int, connected: int) -> str:
    """Return in words what rests on a key: some tokens, and the instances that are connected with one."""
    if not tokens:
        return "no token"
    return f"{plural(tokens, 'token')}, and {plural(connected, 'instance')} connected with one"


def withdrawn(entries: Sequence[AuditEntry]) -> list[WithdrawnKey]:
    """Return the keys that the audit log says were withdrawn."""
    return [
        WithdrawnKey(one.object.id, one.at, audit_words.who(one), audit_words.details(one))
        for one in entries
        if one.outcome == "ok"
    ]


async def _view(
    request: Request, application: Application, who: Principal, where: Whereabouts, said: FormOutcome | None = None
) -> SigningKeysView:
    found = await signing.find(who, application)
    which = AuditFilter(action="signing.withdraw")
    return SigningKeysView(
        place=place_for(who, PATH),
        said=said,
        keys=found,
        withdrawn=withdrawn(await audit.find(who, application, which, limit=MOST_WITHDRAWN)),
        key_set=f"{where.api_for(request.host)}/.well-known/jwks.json",
    )
