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
from agentic_atlas.http.messages import MAX_BODY, Request, Response
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts
from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.forms.calls import CallText, calls
from agentic_atlas.platform.forms.draft import TEXT, Draft, begun, continued
from agentic_atlas.platform.forms.reading import NOTHING
from agentic_atlas.platform.forms.schema import Schema
from agentic_atlas.platform.forms.showing import SkillForm
from agentic_atlas.platform.page import PageGroup, View, frame_of, html, see_other
from agentic_atlas.platform.run import SkillRun, run_of
from agentic_atlas.protocol.caller.agents import AgentInfo, SkillInfo
from agentic_atlas.protocol.caller.tasks import SubmitRequest, TaskInfo
from agentic_atlas.protocol.caller.values import Json

pages = PageGroup("agents")

MOST_FIELDS: Final = 5_000
"""Fields of the form of a skill."""
MOST_SHOWN: Final = 512 * 1024
"""Bytes of an input that is filled into a form."""

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
        faults: what is wrong with the input, beside what is told in the form.
        calls: the same for programs.
        run: what became of it; None: it is not run yet.
    """

    agent: AgentInfo
    skill: SkillInfo
    path: str
    form: SkillForm | None
    text: str
    note: str
    faults: Sequence[str]
    calls: Sequence[CallText]
    run: SkillRun | None


@pages.page("GET", PATH, "skill.html")
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
    if ran is not None and ran.input_bytes > MOST_SHOWN:
        draft = Draft({}, "{}", {}, note="The input of that task is too large to be filled in here.")
    else:
        draft = begun(schema, NOTHING if ran is None else _value(ran))
    return _view(agent, declared, draft, {}, where.api_for(request.host), run)


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
    agent, declared = await _skill(who, application, owner, name, skill)
    draft = continued(_schema(declared), said, do)
    url = where.api_for(request.host)
    if do != "run":
        return _view(agent, declared, draft, {}, url, None)
    if draft.faults or draft.value is NOTHING:
        return _refusing(
            _view(agent, declared, draft, {}, url, None), who, application, HTTPStatus.UNPROCESSABLE_ENTITY
        )
    try:
        made, _ = await tasks.submit(who, application, _wish(agent, skill, draft.value))
    except (InvalidInput, PayloadTooLarge, Busy, Unavailable) as error:
        view = _view(agent, declared, draft, _refused(error), url, None)
        return _refusing(view, who, application, answer(error).status)
    return see_other(f"{_path(owner, name, skill)}?task={quote(made.id)}#run")


def _wish(agent: AgentInfo, skill: str, value: Json) -> SubmitRequest:
    return SubmitRequest(agent.full_name, skill, msgspec.Raw(json_text.written(value).encode()))


def _refusing(view: SkillView, who: Principal, application: Application, status: int) -> Response:
    return html("skill.html", view, frame_of(who, "agents", application.seq()), status=status)


def _view(
    agent: AgentInfo, skill: SkillInfo, draft: Draft, refused: Mapping[str, str], url: str, run: SkillRun | None
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
        text=draft.text or "",
        note=draft.note,
        faults=faults if form is None else form.faults,
        calls=calls(url, agent.full_name, skill.name, value),
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


def _value(task: TaskInfo) -> Json:
    return json_text.parse(bytes(task.input).decode())


def _refused(error: AtlasError) -> dict[str, str]:
    """Return what is wrong, by paths in the input; what is wrong with all of it has the empty one."""
    listed = error.detail if isinstance(error.detail, list) else []
    found = {
        str(one["path"]): str(one["message"])
        for one in listed
        if isinstance(one, dict) and {"path", "message"} <= one.keys()
    }
    return found or {"": error.message}


def _path(owner: str, name: str, skill: str) -> str:
    return f"/agents/{quote(owner, safe='')}/{quote(name, safe='')}/skills/{quote(skill, safe='')}"
