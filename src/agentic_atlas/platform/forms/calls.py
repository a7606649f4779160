"""The call that a form makes, for a terminal, a program, and whatever speaks HTTP. Pure."""

import shlex
from typing import Final

import msgspec

from agentic_atlas.platform.forms.json_text import Numeral, written
from agentic_atlas.protocol.caller.values import Json

LONG: Final = 2_000
"""Characters of an input that is not written into a command, but taken from a file."""


class CallText(msgspec.Struct, frozen=True):
    """A call as somebody writes it.

    Attributes:
        name: of what it is written for.
        text: to be copied.
    """

    name: str
    text: str


def calls(url: str, agent: str, skill: str, value: Json, *, long: bool = False) -> list[CallText]:
    """Return the call of a skill with this input, `url` is where the API is; `long`: it is known to be."""
    text = "" if long else written(value)
    long = long or len(text) > LONG
    request = {"agent": agent, "skill": skill, "input": value}
    given = "@input.json" if long else shlex.quote(text)
    body = "@request.json" if long else shlex.quote(written(request))
    where = shlex.quote(f"{url}/api/v1/tasks?wait=60")
    names = f"{_python(agent)}, {_python(skill)}"
    said = 'json.load(open("input.json"))' if long else _python(value)
    first = ("import json\n\n" if long else "") + "from agentic_atlas import Client"
    run = f"with Client() as atlas:\n    print(atlas.call({names}, {said}))"
    return [
        CallText("atlas", f"atlas call {shlex.quote(agent)} {shlex.quote(skill)} --input {given}"),
        CallText("Python", f"{first}\n\n{run}"),
        CallText("curl", f'key=$(atlas platforms key)\ncurl -s -H "Authorization: Bearer $key" --json {body} {where}'),
    ]


def _python(value: Json) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(name)}: {_python(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_python(one) for one in value) + "]"
    if isinstance(value, Numeral):
        return value.text
    return written(value) if isinstance(value, str) else repr(value)
