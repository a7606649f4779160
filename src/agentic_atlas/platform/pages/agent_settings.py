"""Settings of an agent: its name and description, with whom it is shared, whether it is let in, and its end."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agentic_atlas.backend.domain.records import AccessLevel
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import Conflict, InvalidInput, NotFound
from agentic_atlas.http.errors import status_of
from agentic_atlas.http.forms import UnfitForm
from agentic_atlas.http.messages import Response
from agentic_atlas.platform.outcome import FormOutcome, fit, typed, wrong
from agentic_atlas.platform.page import PageGroup, frame_of, html, see_other
from agentic_atlas.platform.pages.agent import AgentPage, changes, head
from agentic_atlas.protocol.caller.agents import AgentInfo

pages = PageGroup("agents")


class AboutForm(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is called, and what it is for."""

    name: Annotated[str, Meta(max_length=64)] | None = None
    description: Annotated[str, Meta(max_length=4_000)] = ""


class AgentSettingsView(AgentPage, frozen=True, kw_only=True):
    """What may be changed of an agent.

    Attributes:
        owns: it is their own, to be renamed, shared and deleted.
        seen_by: who sees it, in words.
        about: its name and description, as they are or were typed.
        shared: with whom it was to be shared, and was not.
        said: what was wrong with what was sent; None: nothing was.
    """

    owns: bool
    seen_by: str
    about: AboutForm
    shared: str = ""
    said: FormOutcome | None = None


class AdmissionForm(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an agent is let in."""

    disabled: bool


class ShareForm(msgspec.Struct, frozen=True, kw_only=True):
    """With whom to share an agent."""

    subjects: Annotated[str, Meta(max_length=2_000)] = ""
    """Names, with spaces or commas between."""
    access: Literal["call", "manage"] = "call"


class UnshareForm(msgspec.Struct, frozen=True, kw_only=True):
    """With whom to share an agent no more."""

    subject: Annotated[str, Meta(min_length=1, max_length=100)]


class DeleteForm(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody wants it."""

    sure: Literal["yes"]


@pages.page("GET", "/agents/{owner}/{name}/settings", "agent_settings.html")
async def show(owner: str, name: str, application: Application, who: Principal) -> AgentSettingsView:
    """Show what may be changed of an agent."""
    return await _view(owner, name, application, who)


@pages.page("POST", "/agents/{owner}/{name}/settings", "agent_settings.html", form=True)
async def change(
    owner: str, name: str, body: AboutForm | UnfitForm, application: Application, who: Principal
) -> AgentSettingsView | Response:
    """Change what an agent is called, and what it is for."""
    try:
        said = fit(body)
        rename = None if said.name in (None, name) else said.name
        changed = await agents.update(who, application, f"{owner}/{name}", description=said.description, rename=rename)
    except (Conflict, InvalidInput) as error:
        about = typed(body, AboutForm)
        view = await _view(owner, name, application, who, about=about, said=wrong("about", error))
        return html("agent_settings.html", view, frame_of(who, "agents"), status=status_of(error))
    return see_other(f"/agents/{changed.full_name}/settings")


@pages.at("POST", "/agents/{owner}/{name}/admission", listed=False, form=True)
async def admit(owner: str, name: str, body: AdmissionForm, application: Application, who: Principal) -> Response:
    """Disable an agent, whose connections are closed, or enable it."""
    await agents.update(who, application, f"{owner}/{name}", disabled=body.disabled)
    return see_other(f"/agents/{owner}/{name}/settings")


@pages.page("POST", "/agents/{owner}/{name}/shares", "agent_settings.html", form=True)
async def share(
    owner: str, name: str, body: ShareForm | UnfitForm, application: Application, who: Principal
) -> AgentSettingsView | Response:
    """Share an agent with users, groups or everyone."""
    try:
        said = fit(body)
        subjects = said.subjects.replace(",", " ").split()
        if not subjects:
            raise InvalidInput("say with whom")
        await agents.share(who, application, f"{owner}/{name}", subjects, AccessLevel(said.access))
    except (Conflict, InvalidInput, NotFound) as error:
        if error.code == "agent_not_found":
            raise
        shared = typed(body, ShareForm).subjects
        view = await _view(owner, name, application, who, shared=shared, said=wrong("share", error))
        return html("agent_settings.html", view, frame_of(who, "agents"), status=status_of(error))
    return see_other(f"/agents/{owner}/{name}/settings#sharing")


@pages.at("POST", "/agents/{owner}/{name}/shares/end", listed=False, form=True)
async def unshare(owner: str, name: str, body: UnshareForm, application: Application, who: Principal) -> Response:
    """Share an agent with somebody no more."""
    await agents.unshare(who, application, f"{owner}/{name}", [body.subject])
    return see_other(f"/agents/{owner}/{name}/settings#sharing")


@pages.at("POST", "/agents/{owner}/{name}/delete", listed=False, form=True)
async def delete(owner: str, name: str, body: DeleteForm, application: Application, who: Principal) -> Response:
    """Remove an agent with its tokens."""
    await agents.delete(who, application, f"{owner}/{name}")
    return see_other("/agents")


async def _view(
    owner: str,
    name: str,
    application: Application,
    who: Principal,
    *,
    about: AboutForm | None = None,
    shared: str = "",
    said: FormOutcome | None = None,
) -> AgentSettingsView:
    agent = await agents.show(who, application, f"{owner}/{name}")
    return AgentSettingsView(
        **head(who, agent, "settings"),
        owns=agent.access == "own" and changes(who, agent),
        seen_by=seen_by(agent, [share.subject for share in agent.shares]),
        about=about or AboutForm(name=agent.name, description=agent.description),
        shared=shared,
        said=said,
    )


def seen_by(agent: AgentInfo, subjects: Sequence[str]) -> str:
    """Return who sees an agent, in words."""
    if "everyone" in subjects:
        return "everyone on this network"
    return ", ".join([agent.owner, *subjects]) + ", and administrators"
