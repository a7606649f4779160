"""What became of a skill that somebody runs from its page. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.readable import readable
from agentic_atlas.platform.task.event_lines import EventLine, data_of, event_lines
from agentic_atlas.platform.wording import visible
from agentic_atlas.protocol.caller.tasks import EventInfo, TaskInfo
from agentic_atlas.protocol.caller.values import Json

MOST_SHOWN: Final = 20_000
"""Characters of an output that are shown."""
MOST_LINES: Final = 200
"""Things that happened that are shown, the last ones."""
MOST_READ: Final = 512 * 1024
"""Bytes of an output that is written in lines; how a longer one begins is shown as it is."""
_LINE: Final = 500
_ELSEWHERE: Final = ("chunk", "progress")
"""Kinds of events that are shown in another way."""


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
    lines: Sequence[EventLine]
    streamed: str
    shown: int
    output: str
    failure: str
    cut: bool


def run_of(task: TaskInfo, events: Sequence[EventInfo], *, more: bool) -> SkillRun:
    """Return what there is to be seen of a task; `more`: there are more events than these."""
    streamed = output_of(events)
    progress: Mapping[str, Any] = next((data_of(one) for one in reversed(events) if one.kind == "progress"), {})
    happened = event_lines((one for one in events if one.kind not in _ELSEWHERE), task.created_at, _LINE)
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
        lines=happened[-MOST_LINES:],
        streamed=streamed[:MOST_SHOWN],
        shown=events[-1].seq if events else 0,
        output=output[:MOST_SHOWN],
        failure="" if task.failure is None else _visible(f"{task.failure.code}: {task.failure.message}", _LINE * 4),
        cut=more or len(happened) > MOST_LINES or max(len(streamed), len(output)) > MOST_SHOWN,
    )


def output_of(events: Sequence[EventInfo]) -> str:
    """Return what these events gave back, as text; of much no more than is shown and one character."""
    return _streamed(data_of(one) for one in events if one.kind == "chunk")


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


def _visible(text: str, most: int | None = _LINE) -> str:
    shown = visible((text if most is None else text[: 2 * most]).replace("\r\n", "\n"), lines=True)
    return shown if most is None or len(shown) <= most else f"{shown[:most]}…"
