"""A skill of an agent: the form of its input, what becomes of it when it runs, and the same call for programs."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

import msgspec
from pydantic import BaseModel, Field

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, tasks
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import event_info
from agentic_atlas.errors import AtlasError, Busy, InvalidInput, NotFound, PayloadTooLarge, Unavailable
from agentic_atlas.http.errors import answer
from agentic_atlas.http.forms import read_fields
from agentic_atlas.http.messages import MAX_BODY, Request, Response, json
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.forms.calls import CallText, calls
from agentic_atlas.platform.forms.draft import TEXT, TOO_LONG, Draft, begun, continued, resumed
from agentic_atlas.platform.forms.reading import NOTHING
from agentic_atlas.platform.forms.schema import Schema
from agentic_atlas.platform.forms.showing import SkillForm
from agentic_atlas.platform.page import PageGroup, View, frame_of, html, see_other
from agentic_atlas.platform.page_actions import on_pages
from agentic_atlas.platform.run import MOST_SHOWN as MOST_OUTPUT
from agentic_atlas.platform.run import OutputPart, SkillRun, output_of, run_of
from agentic_atlas.protocol.caller.agents import AgentInfo, SkillInfo
from agentic_atlas.protocol.caller.tasks import SubmitRequest

pages = PageGroup("agents")

MOST_FIELDS: Final = 5_000
"""Fields of the form of a skill."""

TaskId = Annotated[str, Field(max_length=64)]

PATH: Final = "/agents/{owner}/{name}/skills/{skill}"


class WantedRun(BaseModel):
    """What is to be seen of a skill besides its form: what became of a task, or only its input, to be changed."""

    task: TaskId = ""
    input_of: TaskId = ""


class SkillView(View, frozen=True):
    """A skill with its form.

    Attributes:
        agent: whose it is.
        skill: as it is declared now.
        path: of this page.
        form: of the input; None where it is written as JSON.
        text: that JSON.
        note: what there is to say to it.
        whole: where all of the JSON is; empty: here.
        faults: what is wrong with the input, beside what is told in the form.
        calls: the same for programs.
        run: what became of it; None: it is not run yet.
        most: characters of an output that are shown.
    """

    agent: AgentInfo
    skill: SkillInfo
    path: str
    form: SkillForm | None
    text: str
    note: str
    whole: str
    faults: Sequence[str]
    calls: Sequence[CallText]
    run: SkillRun | None
    most: int = MOST_OUTPUT


@pages.page("GET", PATH, "skill.html", in_turn=True)
async def skill_form(
    owner: str,
    name: str,
    skill: str,
    request: Request,
    application: Application,
    who: Principal,
    where: Whereabouts,
    wanted: WantedRun,
) -> SkillView:
    """Show the form of a skill; with a task, its input filled in, and what became of it unless it is to run again."""
    agent, declared = await _skill(who, application, owner, name, skill)
    task = wanted.task
    of = task or wanted.input_of
    ran = await tasks.show(who, application, of) if of else None
    events, more = await tasks.page(who, application, task, 0) if task else ([], None)
    run = None
    if task and ran is not None:
        run = run_of(ran, [event_info(one) for one in events], more=more is not None)
    schema = _schema(declared)
    draft = begun(schema) if ran is None else resumed(schema, bytes(ran.input).decode())
    whole = "" if ran is None else f"/api/v1/tasks/{quote(ran.id)}"
    return _view(agent, declared, draft, {}, where.api_for(request.host), run=run, whole=whole)


@pages.page("POST", PATH, "skill.html", form=True)
async def skill_run(
    owner: str,
    name: str,
    skill: str,
    request: Request,
    application: Application,
    who: Principal,
    where: Whereabouts,
    turns: Turns,
) -> SkillView | Response:
    """Run a skill with what its form says; or add to the form, take from it, and write it as JSON."""
    said = await read_fields(request, turns, most=MAX_BODY, most_fields=MOST_FIELDS)
    who = await application.again(who)
    do = said.get("do", "")
    if do == "cancel":
        canceled = await tasks.cancel(who, application, said.get("task", ""), "canceled by the caller")
        return see_other(f"{_path(owner, name, skill)}?task={quote(canceled.id)}")
    url = where.api_for(request.host)
    async with turns.turn(who.user.id):
        frame = frame_of(who, "agents", application.seq())
        agent, declared = await _skill(who, application, owner, name, skill)
        draft = continued(_schema(declared), said, do)
        given = draft.input()
        if draft.long and (do != "run" or given is None):
            return _not_shown(draft, do)
        if do != "run" or given is None:
            status = HTTPStatus.OK if do != "run" else HTTPStatus.UNPROCESSABLE_ENTITY
            return html("skill.html", _view(agent, declared, draft, {}, url), frame, status=status)
    try:
        made, _ = await tasks.submit(who, application, SubmitRequest(agent.full_name, skill, msgspec.Raw(given)))
    except (InvalidInput, PayloadTooLarge, Busy, Unavailable) as error:
        if draft.long:
            raise
        async with turns.turn(who.user.id):
            view = _view(agent, declared, draft, _refused(error), url)
            return html("skill.html", view, frame, status=answer(error).status)
    return see_other(f"{_path(owner, name, skill)}?task={quote(made.id)}#run")


@pages.at("GET", "/tasks/{task_id}/output", listed=False)
async def output(
    task_id: str,
    application: Application,
    who: Principal,
    turns: Turns,
    after: Annotated[int, Field(ge=0, le=2**53)] = 0,
) -> Response:
    """What the skill of a task gave back after this event, for a page that shows it as it comes."""
    async with turns.turn(who.user.id):
        events, more = await tasks.page(who, application, task_id, after)
        seq = events[-1].seq if events else after
        return json(OutputPart(seq, output_of([event_info(one) for one in events]), more is not None))


def _not_shown(draft: Draft, do: str) -> Response:
    """Answer what is too long to be shown again, and not to be run; raises PayloadTooLarge, for the page stays then."""
    if do:
        raise PayloadTooLarge(next(iter(draft.faults.values()), TOO_LONG))
    return Response(HTTPStatus.NO_CONTENT, [])


def _view(
    agent: AgentInfo,
    skill: SkillInfo,
    draft: Draft,
    refused: Mapping[str, str],
    url: str,
    *,
    run: SkillRun | None = None,
    whole: str = "",
) -> SkillView:
    form = draft.form(_schema(skill), refused)
    written = [f"{path}: {why}" if path else why for path, why in refused.items()]
    faults = [*([draft.faults[TEXT]] if TEXT in draft.faults else []), *written]
    value = {} if draft.value is NOTHING else draft.value
    return SkillView(
        agent=agent,
        skill=skill,
        path=_path(agent.owner, agent.name, skill.name),
        form=form,
        text="" if draft.long else draft.text or "",
        note=draft.note,
        whole=whole if draft.long else "",
        faults=faults if form is None else form.faults,
        calls=calls(url, agent.full_name, skill.name, value, long=draft.unread),
        run=run,
    )


async def _skill(
    who: Principal, application: Application, owner: str, name: str, skill: str
) -> tuple[AgentInfo, SkillInfo]:
    """Return an agent and a skill of it; raises NotFound."""
    agent = await agents.show(who, application, f"{owner}/{name}")
    found = next((one for one in agent.skills if one.name == skill), None)
    if found is None:
        raise NotFound(f"{agent.full_name} has no skill {skill[:64]}", code="skill_not_found")
    return agent, found


def _schema(skill: SkillInfo) -> Schema:
    schema = msgspec.json.decode(bytes(skill.input_schema))
    return schema if isinstance(schema, dict) else {}


def _refused(error: AtlasError) -> dict[str, str]:
    """Return what is wrong, by paths in the input; what is wrong with all of it has the empty one."""
    listed = error.detail if isinstance(error.detail, list) else []
    found = {
        str(one["path"]): str(one["message"])
        for one in listed
        if isinstance(one, dict) and {"path", "message"} <= one.keys()
    }
    return found or {"": on_pages(error.message)}


def _path(owner: str, name: str, skill: str) -> str:
    return f"/agents/{quote(owner, safe='')}/{quote(name, safe='')}/skills/{quote(skill, safe='')}"
