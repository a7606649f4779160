"""API keys: what people and programs call the network with, what each is good for, and when it was used."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from pydantic import BaseModel, Field

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.rights import Principal, Right, may
from agentic_atlas.backend.usecases import keys
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import api_key_info
from agentic_atlas.errors import InvalidInput, NotFound
from agentic_atlas.http.forms import UnfitForm
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.routes import After
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.outcome import FormOutcome, fit, typed
from agentic_atlas.platform.page import PageGroup
from agentic_atlas.platform.page_actions import on_pages
from agentic_atlas.platform.pages.settings.page import SECTION, SettingsPage, after_form, place_for
from agentic_atlas.platform.pages.tokens import USUAL, Choice, spans
from agentic_atlas.protocol.caller.people import ApiKeyInfo, NewApiKey
from agentic_atlas.protocol.caller.values import LONGEST

pages = PageGroup(SECTION)

PATH = "/settings/keys"
_LIST, _NEW = "settings_keys.html", "settings_key_new.html"

KEYS_IN_PAGE = 50
"""Keys in one page of everybody's."""
MOST_ENDED = 50
"""Of one's own, those that are shown of what has ended."""
_EVERYBODYS: Final = "all"
_OWN: Final = f"{Scope.TASKS_READ}:own"

MEANINGS: Final = {
    Scope.TASKS_READ: "See tasks: what was asked, what came of it, and what happens meanwhile.",
    _OWN: "See tasks, but only those that were asked for with this key.",
    Scope.TASKS_CALL: "Ask agents for tasks, and see, answer and cancel those.",
    Scope.TASKS_WRITE: "Ask for tasks, and answer, cancel and repeat every one that its user may.",
    Scope.AGENTS_READ: "See agents, their skills and who is connected.",
    Scope.AGENTS_WRITE: "Make, change, share and delete agents.",
    Scope.TOKENS_READ: "See the tokens of agents, without their secrets.",
    Scope.TOKENS_WRITE: "Make, rotate and revoke tokens of agents.",
    Scope.USERS_ADMIN: "Make and change users, groups and their keys.",
    Scope.AUDIT_READ: "Read the audit log, and have it checked.",
    Scope.METRICS_READ: "Read what the whole network does, as Prometheus has it.",
}
"""What a key may be good for, by the word that says so."""
_READING: Final = (Scope.TASKS_READ, _OWN, Scope.AGENTS_READ, Scope.TOKENS_READ)
_OF_ADMINISTRATORS: Final = (Scope.USERS_ADMIN, Scope.AUDIT_READ, Scope.METRICS_READ)


class SoughtKeys(BaseModel):
    """Whose keys somebody looks for; their own without any."""

    whose: Annotated[str, Field(max_length=10)] = ""
    user: Annotated[str, Field(max_length=64)] = ""

    @property
    def everybodys(self) -> bool:
        """They are others' too."""
        return self.whose == _EVERYBODYS or bool(self.user.strip())


class KeyRow(msgspec.Struct, frozen=True):
    """An API key in a list.

    Attributes:
        key: itself.
        state: `active`, `expired` or `revoked`.
        good_for: words of its scopes; none: everything.
    """

    key: ApiKeyInfo
    state: str
    good_for: Sequence[str]


class KeyForm(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be, as the page says it."""

    name: Annotated[str, Meta(max_length=200)] = ""
    user: Annotated[str, Meta(max_length=64)] = ""
    """For whom; oneself when it is empty."""
    reach: Literal["all", "some"] = "some"
    """It is good for everything, or for some of it."""
    scopes: list[Annotated[str, Meta(max_length=64)]] = []
    only: Annotated[str, Meta(max_length=1_500)] = ""
    """The agents and skills that it may ask for tasks, with spaces between; all when it is empty."""
    lasts: Annotated[str, Meta(max_length=12)] = str(USUAL)
    """Seconds; empty: until it is revoked."""

    @property
    def asked(self) -> list[str] | None:
        """What it shall be good for, None: everything; raises InvalidInput where that is nothing."""
        if self.reach == "all":
            return None
        named = self.only.replace(",", " ").split()
        if named and Scope.TASKS_CALL not in self.scopes:
            raise InvalidInput(f"it names agents to ask for tasks: tick {Scope.TASKS_CALL} as well")
        if not self.scopes:
            raise InvalidInput("a key that is good for nothing is no use: tick what it is good for")
        calls = [f"{Scope.TASKS_CALL}:{one}" for one in named] or [str(Scope.TASKS_CALL)]
        return [word for one in self.scopes for word in (calls if one == Scope.TASKS_CALL else [one])]

    @property
    def lifetime(self) -> float | None:
        """For how many seconds; None: until it is revoked."""
        if not self.lasts:
            return None
        if not self.lasts.isascii() or not self.lasts.isdigit():
            raise InvalidInput("choose for how long it is good")
        return float(self.lasts)


class RevokeKeyForm(msgspec.Struct, frozen=True, kw_only=True):
    """From which list a key is revoked."""

    whose: Annotated[str, Meta(max_length=10)] = ""
    user: Annotated[str, Meta(max_length=64)] = ""


class KeysView(SettingsPage, frozen=True):
    """API keys, the newest first.

    Attributes:
        rows: those that can be used; of everybody's, all.
        ended: of one's own, those that can't any more.
        sees_all: whoever looks may see everybody's.
        everybodys: these are.
        whose: what may be looked for.
        user: whose are looked for.
        fault: why none can be found; empty: they can.
        after: the cursor of this part; empty: it is the newest.
        next: the cursor of the part that follows; empty: there is none.
    """

    rows: Sequence[KeyRow]
    ended: Sequence[KeyRow] = ()
    sees_all: bool = False
    everybodys: bool = False
    whose: Sequence[Choice] = ()
    user: str = ""
    fault: str = ""
    after: str = ""
    next: str = ""


class NewKeyView(SettingsPage, frozen=True):
    """What is asked of whoever makes a key, and then the key, this once.

    Attributes:
        form: as it was filled in.
        for_others: whoever makes it may make it for others.
        scopes: what it may be good for: each word, what it means, and whether it is chosen.
        spans: for how long.
        made: it was; None: not yet.
        env: how a program finds it in its environment.
        curl: how it is tried.
        login: how commands are made to use it.
    """

    form: KeyForm
    for_others: bool
    scopes: Sequence[tuple[str, str, bool]]
    spans: Sequence[Choice]
    made: NewApiKey | None = None
    env: str = ""
    curl: str = ""
    login: str = ""


@pages.page("GET", PATH, _LIST)
async def show(
    application: Application, who: Principal, turns: Turns, wanted: SoughtKeys, after: After = None
) -> KeysView:
    """List one's own API keys, or everybody's."""
    async with turns.turn(who.user.id):
        return await _list(application, who, wanted, after)


@pages.page("GET", f"{PATH}/new", _NEW)
async def new(who: Principal) -> NewKeyView:
    """Ask what a key shall be."""
    usual = Scope.TASKS_CALL if Scope.TASKS_CALL in offered(who.user.role) else Scope.TASKS_READ
    return _form(who, KeyForm(scopes=[str(usual)]))


@pages.page("POST", f"{PATH}/new", _NEW, form=True)
async def create(
    body: KeyForm | UnfitForm, request: Request, application: Application, who: Principal, where: Whereabouts
) -> NewKeyView | Response:
    """Make a key; its secret is in this answer and nowhere else."""
    filled = typed(body, KeyForm)

    async def made() -> NewKeyView:
        asked = fit(body)
        user = asked.user.strip()
        make = partial(keys.create_for, user=user) if user not in ("", who.user.name) else keys.create
        key = await make(who, application, name=asked.name, lifetime=asked.lifetime, scopes=asked.asked)
        api_url = where.api_for(request.host)
        return msgspec.structs.replace(
            _form(who, filled),
            said=FormOutcome("made", ""),
            made=key,
            env=f"ATLAS_API_URL={api_url}\nATLAS_API_KEY={key.key}",
            curl=f'curl -H "Authorization: Bearer {key.key}" {api_url}/api/v1/whoami',
            login=f"atlas login {api_url}",
        )

    async def again(said: FormOutcome) -> NewKeyView:
        return msgspec.structs.replace(_form(who, filled), said=said)

    return await after_form(request, who, "make", made(), view=again, template=_NEW)


@pages.page("POST", f"{PATH}/{{key_id}}/revoke", _LIST, form=True)
async def revoke(
    key_id: str, body: RevokeKeyForm, request: Request, application: Application, who: Principal
) -> KeysView | Response:
    """Make a key worthless."""
    wanted = SoughtKeys(whose=body.whose, user=body.user)
    view = partial(_list, application, who, wanted, None)

    async def revoked() -> KeysView:
        key = await keys.revoke(who, application, key_id)
        return await view(FormOutcome("keys", f"{key.name or key.id} is worthless now."))

    return await after_form(request, who, "keys", revoked(), view=view, template=_LIST)


def key_row(key: ApiKeyInfo, now: float) -> KeyRow:
    """Return how a key stands at a time."""
    if key.revoked_at is not None:
        state = "revoked"
    else:
        state = "expired" if key.expires_at is not None and key.expires_at.timestamp() <= now else "active"
    return KeyRow(key, state, () if Scope.EVERYTHING in key.scopes else key.scopes)


def offered(role: Role) -> Sequence[str]:
    """Return for what somebody of this role may make keys that are good for some things."""
    if role is Role.VIEWER:
        return _READING
    return [word for word in MEANINGS if role is Role.ADMIN or word not in _OF_ADMINISTRATORS]


async def _list(
    application: Application, who: Principal, wanted: SoughtKeys, after: str | None, said: FormOutcome | None = None
) -> KeysView:
    now, user = application.now(), wanted.user.strip()
    view = KeysView(
        place=place_for(who, PATH),
        said=said,
        rows=(),
        sees_all=may(who, Right.MANAGE_LOGINS),
        everybodys=wanted.everybodys,
        whose=[
            Choice("", "My own", chosen=not wanted.everybodys),
            Choice(_EVERYBODYS, "Everybody's", chosen=wanted.everybodys),
        ],
        user=user,
        after=after or "",
    )
    if not wanted.everybodys:
        own = [key_row(api_key_info(key), now) for key in await keys.find(who, application)]
        usable, ended = ([one for one in own if (one.state == "active") is good] for good in (True, False))
        return msgspec.structs.replace(view, rows=usable, ended=ended[:MOST_ENDED])
    try:
        found = await keys.find_all(who, application, limit=KEYS_IN_PAGE, user=user or None, after=after)
    except NotFound as error:
        return msgspec.structs.replace(view, fault=on_pages(error.message))
    following = found[-1].id if len(found) == KEYS_IN_PAGE else ""
    return msgspec.structs.replace(view, rows=[key_row(key, now) for key in found], next=following)


def _form(who: Principal, form: KeyForm) -> NewKeyView:
    lasts = int(form.lasts) if form.lasts.isascii() and form.lasts.isdigit() else 0
    return NewKeyView(
        place=place_for(who, PATH),
        form=form,
        for_others=may(who, Right.MANAGE_USERS),
        scopes=[(word, MEANINGS[word], word in form.scopes) for word in offered(who.user.role)],
        spans=[*spans(LONGEST, lasts), Choice("", "until it is revoked", chosen=not lasts)],
    )
