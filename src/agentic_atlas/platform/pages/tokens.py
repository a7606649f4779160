"""Generate Token, and what becomes of a token: how its agent is started, whether it has come, rotating and revoking."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from pydantic import Field

from agentic_atlas.auth import AGENT_SCOPES, Scope, parse_scopes
from agentic_atlas.backend.domain.names import MAX_DESCRIPTION
from agentic_atlas.backend.rights import Principal, Right, role_allows
from agentic_atlas.backend.usecases import agents, tokens
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import Conflict, InvalidInput, NotFound
from agentic_atlas.http.errors import status_of
from agentic_atlas.http.forms import UnfitForm
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform import starting
from agentic_atlas.platform.arrival import Arrival, arrival
from agentic_atlas.platform.outcome import FormOutcome, fit, typed, wrong
from agentic_atlas.platform.page import PageGroup, View, frame_of, html, see_other
from agentic_atlas.protocol.caller.agents import AgentInfo, NewToken, TokenInfo

pages = PageGroup("agents")

MOST_NAMES: Final = 200
"""Agents that are offered to be chosen from, and users for a group."""
_HOUR, _DAY = 3_600, 86_400
_SPANS: Final = {
    _HOUR: "1 hour",
    _DAY: "1 day",
    7 * _DAY: "7 days",
    30 * _DAY: "30 days",
    90 * _DAY: "90 days",
    180 * _DAY: "180 days",
    365 * _DAY: "1 year",
}
USUAL: Final = 90 * _DAY
"""Seconds for which a token is good unless somebody chooses otherwise, or the network allows less."""

AgentParameter = Annotated[str, Field(max_length=150, description="The agent that the token is for.")]


class Choice(msgspec.Struct, frozen=True):
    """One of several things to choose from.

    Attributes:
        value: that is sent.
        label: for people.
        chosen: it is.
    """

    value: str
    label: str
    chosen: bool = False


class TokenForm(msgspec.Struct, frozen=True, kw_only=True):
    """A token to be, as the page says it."""

    agent: Annotated[str, Meta(min_length=1, max_length=150)] = ""
    name: Annotated[str, Meta(max_length=200)] = ""
    description: Annotated[str, Meta(max_length=2 * MAX_DESCRIPTION)] = ""
    expires_in: Annotated[float, Meta(gt=0)] = USUAL
    calls: Literal["all", "some", "none"] = "all"
    """Which agents its own may call."""
    only: Annotated[str, Meta(max_length=2_000)] = ""
    """Those that it may, with spaces between."""
    renewable: bool = False

    def scopes_of(self, user: str) -> list[str] | None:
        """What it is good for besides connecting; an agent that is named without its owner is this user's.

        Raises:
            InvalidInput: nobody is named, or something that is not called so.
        """
        if self.calls != "some":
            return None if self.calls == "all" else []
        named = self.only.replace(",", " ").split()
        if not named:
            raise InvalidInput("name the agents that it may call, or choose another answer")
        return [_call_scope(one if "/" in one else f"{user}/{one}") for one in named]


class RotateForm(msgspec.Struct, frozen=True, kw_only=True):
    """A token to be in place of another one."""

    overlap: Annotated[float, Meta(ge=0)] = _DAY
    expires_in: Annotated[float, Meta(gt=0)] | None = None


class NewTokenView(View, frozen=True):
    """What is asked of whoever generates a token.

    Attributes:
        form: as it was filled in.
        known: names of agents to choose from.
        spans: for how long it may be good.
        said: what was wrong with what was sent; None: nothing was.
    """

    form: TokenForm
    known: Sequence[str]
    spans: Sequence[Choice]
    said: FormOutcome | None = None


class TokenView(View, frozen=True):
    """A token without its secret, and how it stands with its agent.

    Attributes:
        token: as it is now.
        agent: that it is for.
        arrival: whether the agent has come with it.
        calls: whom its agent may call, in words.
        changes: whoever looks may rotate and revoke it.
        spans: for how long one in its place may be good.
    """

    token: TokenInfo
    agent: AgentInfo
    arrival: Arrival
    calls: str
    changes: bool
    spans: Sequence[Choice]


class IssuedView(View, frozen=True):
    """A token with its secret: this once.

    Attributes:
        token: that was made.
        agent: that it is for.
        arrival: whether the agent has come with it.
        env: the `.env` of the agent.
        shell: how to start it beside its `.env`.
        container: how to start it in a container.
        code: the smallest agent of this name.
        made: the agent was new.
        replaces: id of the token whose place it takes; empty: none.
    """

    token: NewToken
    agent: AgentInfo
    arrival: Arrival
    env: str
    shell: str
    container: str
    code: str
    made: bool = False
    replaces: str = ""


@pages.page("GET", "/agents/token", "token_new.html")
async def new(application: Application, who: Principal, turns: Turns, agent: AgentParameter = "") -> NewTokenView:
    """Ask what a token shall be."""
    async with turns.turn(who.user.id):
        return await _form(application, who, TokenForm(agent=agent, renewable=True))


@pages.page("POST", "/agents/token", "token_issued.html", form=True)
async def issue(
    request: Request, body: TokenForm | UnfitForm, application: Application, who: Principal, where: Whereabouts
) -> IssuedView | Response:
    """Make a token, and its agent where there is none of this name; its secret is in this answer and nowhere else."""
    try:
        made, token = await _issued(application, who, fit(body))
    except (InvalidInput, Conflict) as error:
        view = await _form(application, who, typed(body, TokenForm), wrong("token", error))
        return html("token_new.html", view, frame_of(who, "agents"), status=status_of(error))
    return await _handed_over(request, application, who, where, token, made=made)


@pages.page("GET", "/tokens/{token_id}", "token.html")
async def show(token_id: str, application: Application, who: Principal, turns: Turns) -> TokenView:
    """Show a token, and how it stands with its agent."""
    async with turns.turn(who.user.id):
        token = await tokens.show(who, application, token_id)
        agent = await agents.show(who, application, token.agent)
        found = await tokens.of_agent(who, application, token.agent)
    return TokenView(
        token=token,
        agent=agent,
        arrival=arrival(token, agent, lineage_of(token, found)),
        calls=calls_of(token),
        changes=role_allows(who.user.role, Right.WRITE_TOKENS),
        spans=[Choice("", "as long as this one was made for", chosen=True), *spans(application.longest_token, 0)],
    )


@pages.page("POST", "/tokens/{token_id}/rotate", "token_issued.html", form=True)
async def rotate(
    request: Request, token_id: str, body: RotateForm, application: Application, who: Principal, where: Whereabouts
) -> IssuedView:
    """Make a token in place of another one, which stays good for a while."""
    made = await tokens.rotate(who, application, token_id, overlap=body.overlap, lifetime=body.expires_in)
    return await _handed_over(request, application, who, where, made, replaces=token_id)


@pages.at("POST", "/tokens/{token_id}/revoke", listed=False)
async def revoke(token_id: str, application: Application, who: Principal) -> Response:
    """Make a token worthless, with all of its lineage, and show it."""
    await tokens.revoke(who, application, token_id)
    return see_other(f"/tokens/{token_id}")


def spans(longest: float, chosen: float) -> list[Choice]:
    """Return for how long a token may be good where it may be for so many seconds at the most."""
    allowed = {seconds: label for seconds, label in _SPANS.items() if seconds <= longest}
    if not allowed:
        allowed = {int(longest): f"{longest:g} seconds"}
    default = chosen if chosen in allowed or not chosen else max(allowed)
    return [Choice(str(seconds), label, chosen=seconds == default) for seconds, label in allowed.items()]


def calls_of(token: TokenInfo) -> str:
    """Return whom a token's agent may call, in words."""
    called = [one.partition("agent:call")[2].lstrip(":") for one in token.scopes if one.startswith("agent:call")]
    if not called:
        return "nobody"
    return "every agent that its owner may" if "" in called else ", ".join(called)


def lineage_of(token: TokenInfo, found: Sequence[TokenInfo]) -> list[str]:
    """Return the ids of the tokens that came out of the same one."""
    root = token.lineage or token.id
    return [one.id for one in found if root in (one.id, one.lineage)]


def _call_scope(called: str) -> str:
    word = f"{Scope.AGENT_CALL}:{called}"
    try:
        parse_scopes(word, AGENT_SCOPES)
    except InvalidInput:
        raise InvalidInput(
            f"it may call OWNER/AGENT, or one skill: OWNER/AGENT/SKILL; {called[:64]!r} is neither"
        ) from None
    return word


async def _form(
    application: Application, who: Principal, form: TokenForm, said: FormOutcome | None = None
) -> NewTokenView:
    found = await agents.find(who, application, limit=MOST_NAMES, after=None)
    known = [one.name if one.owner == who.user.name else one.full_name for one in found if one.access != "call"]
    longest = application.longest_token
    return NewTokenView(form=form, known=known, spans=spans(longest, form.expires_in), said=said)


async def _issued(application: Application, who: Principal, said: TokenForm) -> tuple[bool, NewToken]:
    """Return the token, and whether its agent was made for it."""
    make = partial(
        tokens.issue,
        who,
        application,
        said.agent,
        name=said.name,
        description=said.description.replace("\r\n", "\n").strip(),
        lifetime=said.expires_in,
        scopes=said.scopes_of(who.user.name),
        renews=said.renewable,
    )
    try:
        return False, await make()
    except NotFound:
        if "/" in said.agent:
            raise
    await agents.create(who, application, said.agent)
    return True, await make()


async def _handed_over(
    request: Request,
    application: Application,
    who: Principal,
    where: Whereabouts,
    token: NewToken,
    *,
    made: bool = False,
    replaces: str = "",
) -> IssuedView:
    agent = await agents.show(who, application, token.agent)
    router_url = where.router_for(request.hostname)
    return IssuedView(
        token=token,
        agent=agent,
        arrival=arrival(token, agent),
        env=starting.env_file(token.token, router_url, where.api_for(request.host)),
        shell=starting.shell(),
        container=starting.container(router_url),
        code=starting.code(agent.name),
        made=made,
        replaces=replaces,
    )
