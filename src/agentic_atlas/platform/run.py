"""What became of a skill that somebody runs from its page. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

import msgspec

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.readable import readable
from agentic_atlas.protocol.caller.tasks import EventInfo, TaskInfo
from agentic_atlas.protocol.caller.values import Json

MOST_SHOWN: Final = 20_000
"""Characters of an output that are shown."""
MOST_LINES: Final = 200
"""Things that happened that are shown, the last ones."""
MOST_READ: Final = 512 * 1024
"""Bytes of an output that is written in lines; how a longer one begins is shown as it is."""
_LINE: Final = 500
_MOST_FIELDS: Final = 50


class RunLine(msgspec.Struct, frozen=True):
    """Something that happened.

    Attributes:
        seq: its number.
        at: when.
        kind: of event.
        text: what.
    """

    seq: int
    at: datetime
    kind: str
    text: str


class OutputPart(msgspec.Struct, frozen=True):
    """What a task's skill gave back between two of its events.

    Attributes:
        seq: number of the event up to which it goes.
        text: as it is shown.
        more: there is more by now.
    """

    seq: int
    text: str
    more: bool


class SkillRun(msgspec.Struct, frozen=True):
    """A task as it is now.

    Attributes:
        id: of the task.
        state: its own.
        done: it has ended.
        note: why it waits; empty: it does not.
        question: that it asks; empty: none.
        progress: in percent; None: it does not say.
        message: what it says to that.
        lines: what happened, in order.
        streamed: what it gave back so far, piece by piece.
        shown: number of the event up to which that goes.
        output: what it gave back.
        failure: why it failed; empty: it did not.
        cut: not all of it is shown.
    """

    id: str
    state: str
    done: bool
    note: str
    question: str
    progress: int | None
    message: str
    lines: Sequence[RunLine]
    streamed: str
    shown: int
    output: str
    failure: str
    cut: bool


def run_of(task: TaskInfo, events: Sequence[EventInfo], *, more: bool) -> SkillRun:
    """Return what there is to be seen of a task; `more`: there are more events than these."""
    told = [(one, _data(one)) for one in events]
    streamed = output_of(events)
    progress: Mapping[str, Any] = next((data for one, data in reversed(told) if one.kind == "progress"), {})
    happened = [(one, data) for one, data in told if one.kind in _WORDS]
    lines = [RunLine(one.seq, one.at, one.kind, _words(one.kind, data)) for one, data in happened[-MOST_LINES:]]
    output = "" if task.output is None else _json(bytes(task.output))
    question = task.question
    fraction = progress.get("fraction")
    return SkillRun(
        id=task.id,
        state=task.state,
        done=task.done,
        note=task.note or "",
        question="" if question is None else _visible(question.question),
        progress=round(fraction * 100) if isinstance(fraction, int | float) and 0 <= fraction <= 1 else None,
        message=_visible(str(progress.get("message") or "")),
        lines=lines,
        streamed=streamed[:MOST_SHOWN],
        shown=events[-1].seq if events else 0,
        output=output[:MOST_SHOWN],
        failure="" if task.failure is None else _visible(f"{task.failure.code}: {task.failure.message}", _LINE * 4),
        cut=more or len(happened) > MOST_LINES or max(len(streamed), len(output)) > MOST_SHOWN,
    )


def output_of(events: Sequence[EventInfo]) -> str:
    """Return what these events gave back, as text; of much no more than is shown and one character."""
    return _streamed(_data(one) for one in events if one.kind == "chunk")


def _data(event: EventInfo) -> Mapping[str, Any]:
    data = msgspec.json.decode(bytes(event.data))
    return data if isinstance(data, dict) else {"value": data}


def _json(text: bytes) -> str:
    """Return an output in lines, or how it begins where it is long; one character more than is shown tells that."""
    if len(text) > MOST_READ or not readable(text):
        return _visible(text[: 4 * MOST_SHOWN].decode(errors="replace"), None)[: MOST_SHOWN + 1]
    try:
        return json_text.written(json_text.parse(text.decode()), lines=True)
    except InvalidInput:
        return _visible(text.decode())


def _streamed(chunks: Iterable[Mapping[str, Json]]) -> str:
    """Return what was given back so far, up to one character more than is shown of it."""
    text = ""
    for data in chunks:
        value = data.get("value")
        text += _visible(value[: MOST_SHOWN + 1], None) if isinstance(value, str) else f"{_written(value)}\n"
        if len(text) > MOST_SHOWN:
            break
    return text[: MOST_SHOWN + 1]


def _written(value: Json) -> str:
    """Write a value for people; of a long one, which would take long, as machines do."""
    text = msgspec.json.encode(value)
    if len(text) <= _LINE:
        return json_text.written(value)
    return _visible(text[: 4 * MOST_SHOWN].decode(errors="replace"), None)


def _words(kind: str, data: Mapping[str, Json]) -> str:
    return _visible(_WORDS[kind](data))


def _state(data: Mapping[str, Json]) -> str:
    why = ": ".join(str(data[name]) for name in ("code", "message") if data.get(name))
    word = str(data.get("state", "")).replace("_", " ")
    return f"{word} ({why})" if why else word


def _log(data: Mapping[str, Json]) -> str:
    fields = data.get("fields")
    pairs = (
        [f"{name}={_written(one)}" for name, one in islice(fields.items(), _MOST_FIELDS)]
        if isinstance(fields, dict)
        else []
    )
    return " ".join([str(data.get("level", "")), str(data.get("event", "")), *pairs])


def _artifact(data: Mapping[str, Json]) -> str:
    return f"{data.get('name', '')} ({data.get('media_type', '')}, {data.get('size', 0)} bytes)"


def _question(data: Mapping[str, Json]) -> str:
    return str(data.get("question", ""))


def _answer(data: Mapping[str, Json]) -> str:
    return "nobody answered in time" if data.get("expired") else _written(data.get("answer"))


def _connection(data: Mapping[str, Json]) -> str:
    return "there again" if data.get("connection") == "resumed" else "lost: the attempt waits for its instance"


_WORDS: Final = {
    "state": _state,
    "log": _log,
    "artifact": _artifact,
    "question": _question,
    "answer": _answer,
    "connection": _connection,
}


def _visible(text: str, most: int | None = _LINE) -> str:
    text = text if most is None else text[: 2 * most]
    shown = json_text.HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))
    return shown if most is None or len(shown) <= most else f"{shown[:most]}…"
