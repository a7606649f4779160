"""The events of a task as lines for people: what its agent reports, and what became of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import msgspec

from agentic_atlas.platform.page import View
from agentic_atlas.platform.wording import duration, size, visible
from agentic_atlas.protocol.caller.tasks import EventInfo

MOST_LINE: Final = 2_000
"""Characters of an event that are shown, of each of a hundred or fewer."""
MOST_TEXT: Final = 400_000
"""Characters of all events that are shown on a page."""
_LEAST_LINE: Final = 100
_MOST_FIELDS: Final = 12
_MOST_WORD: Final = 200
RETURNED: Final[Mapping[str, str]] = {
    "busy": "given back: the instance had no time for it",
    "draining": "given back: the instance is about to end",
    "unknown_skill": "given back: the instance does not have this skill",
    "guard": "given back: the skill's guard did not take it there",
}
"""Why an instance has not begun an attempt."""


class EventLine(View, frozen=True):
    """One event, or pieces of an output that followed each other.

    Attributes:
        seq: its number; of several the first.
        last: of several the number of the last.
        at: when it happened.
        since: how long after the task was made.
        kind: `state`, `progress`, `output`, `log`, `artifact`, `question`, `answer` or
            `connection`.
        tone: `good`, `bad`, `warn` or empty.
        text: what it says.
        fields: what a line of a log has besides, in the order in which it was said.
        percent: how far a progress is.
        left_out: characters of it that are not shown.
    """

    seq: int
    last: int
    at: datetime
    since: str
    kind: str
    tone: str
    text: str
    fields: Sequence[tuple[str, str]]
    percent: int | None
    left_out: int


class _Told(msgspec.Struct):
    text: str
    tone: str = ""
    fields: Sequence[tuple[str, str]] = ()
    percent: int | None = None


def characters(events: int) -> int:
    """Return how many characters of each of so many events are shown."""
    return max(_LEAST_LINE, min(MOST_LINE, MOST_TEXT // events))


def event_lines(events: Iterable[EventInfo], begun: datetime, most: int = MOST_LINE) -> list[EventLine]:
    """Return events as they are shown, `most` characters of each; pieces of an output in a row are one."""
    lines = []
    before = ""  # the state of the task; of one whose first events are not among these nobody knows it
    for (kind, _), found in groupby(events, lambda one: (one.kind, one.seq if one.kind != "chunk" else -one.attempt)):
        several = list(found)
        first = several[0]
        data = data_of(first)
        if kind == "state":
            told, before = _state(data, before or ("" if first.seq == 1 else "unknown")), str(data.get("state", ""))
        else:
            told = _chunks(several) if kind == "chunk" else _TOLD.get(kind, _other)(data)
        lines.append(
            EventLine(
                seq=first.seq,
                last=several[-1].seq,
                at=first.at,
                since=f"+{duration((first.at - begun).total_seconds())}",
                kind="output" if kind == "chunk" else kind,
                tone=told.tone,
                text=visible(told.text[:most], lines=True)[: 2 * most],
                fields=list(_first(told.fields, 2 * most)),
                percent=told.percent,
                left_out=max(0, len(told.text) - most),
            )
        )
    return lines


def _first(fields: Sequence[tuple[str, str]], most: int) -> Iterator[tuple[str, str]]:
    """Yield the first fields that have no more characters together."""
    for name, value in fields:
        most -= len(name) + len(value)
        if most < 0:
            return
        yield name, value


def data_of(event: EventInfo) -> Mapping[str, Any]:
    """Return what an event says, by name."""
    data = msgspec.json.decode(event.data)
    return data if isinstance(data, dict) else {"value": data}


def _word(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return visible(text if len(text) <= _MOST_WORD else f"{text[:_MOST_WORD]}…")


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _state(data: Mapping[str, Any], before: str) -> _Told:
    """Tell what a task became that was in the state `before`; empty: nobody knows."""
    state = str(data.get("state", ""))
    words = _words(state, before, begun=bool(data.get("accepted")))
    if data.get("attempt"):
        words += f", attempt {data['attempt']}"
    fault = ": ".join(str(data[name]) for name in ("code", "message") if data.get(name))
    if data.get("returned"):
        return _Told(RETURNED.get(str(data["returned"]), "given back"), "warn")
    tone = {"completed": "good", "failed": "bad", "rejected": "bad", "input_required": "warn"}.get(state, "")
    return _Told(f"{words}. {fault}" if fault else words, tone or ("warn" if fault else ""))


def _words(state: str, before: str, *, begun: bool) -> str:
    if state == "working":
        return "runs" if begun else "goes on" if before == "input_required" else "given to an instance"
    if state == "submitted":
        return "waits for another attempt" if before else "submitted"
    return {"input_required": "waits for a person"}.get(state, state.replace("_", " "))


def _progress(data: Mapping[str, Any]) -> _Told:
    fraction = data.get("fraction")
    known = isinstance(fraction, int | float) and 0 <= fraction <= 1
    percent = round(fraction * 100) if known and fraction is not None else None
    return _Told(str(data.get("message") or ""), percent=percent)


def _chunks(events: Sequence[EventInfo]) -> _Told:
    values = [data_of(event).get("value") for event in events]
    return _Told("".join(one if isinstance(one, str) else f"{_plain(one)}\n" for one in values).rstrip("\n"))


def _log(data: Mapping[str, Any]) -> _Told:
    level = str(data.get("level", ""))
    fields = data.get("fields")
    pairs = list(fields.items())[:_MOST_FIELDS] if isinstance(fields, Mapping) else []
    tone = {"error": "bad", "warning": "warn"}.get(level, "")
    return _Told(str(data.get("event", "")), tone, [(_word(name), _word(value)) for name, value in pairs])


def _artifact(data: Mapping[str, Any]) -> _Told:
    bytes_ = data.get("size")
    told = [str(data.get("media_type", "")), size(bytes_) if isinstance(bytes_, int) else ""]
    return _Told(f"{data.get('name', '')} ({', '.join(one for one in told if one)})")


def _question(data: Mapping[str, Any]) -> _Told:
    return _Told(f"{data.get('number', '')}. {data.get('question', '')}", "warn")


def _answer(data: Mapping[str, Any]) -> _Told:
    number = data.get("question", "")
    if data.get("expired"):
        return _Told(f"{number}. nobody answered in time", "bad")
    by = f" (by {data['by']})" if data.get("by") else ""
    return _Told(f"{number}. {_plain(data.get('answer'))}{by}")


def _connection(data: Mapping[str, Any]) -> _Told:
    seconds = data.get("seconds", 0)
    lasted = duration(seconds) if isinstance(seconds, int | float) and seconds > 0 else ""
    if data.get("connection") == "resumed":
        return _Told(f"resumed after {lasted}" if lasted else "resumed on a new connection, before the cut was noticed")
    why = _LOST.get(str(data.get("why", "")), _LOST["cut"])
    for_long = f", for {lasted} by now" if lasted else ""
    return _Told(f"lost: {why}{for_long}; the attempt is kept for its instance", "warn")


_LOST: Final[Mapping[str, str]] = {
    "cut": "it was cut, or the process was killed",
    "silent": "the instance was not heard any more",
    "left": "the instance closed it",
    "absent": "the server was started anew, and the instance is not back yet",
    "shut_out": "its token had ended or its agent was disabled",
    "replaced": "another process with its token took its place",
}
"""Why the connection of an instance ended."""


def _other(data: Mapping[str, Any]) -> _Told:
    return _Told(_plain(data))


_TOLD: Final[Mapping[str, Callable[[Mapping[str, Any]], _Told]]] = {
    "progress": _progress,
    "log": _log,
    "artifact": _artifact,
    "question": _question,
    "answer": _answer,
    "connection": _connection,
}
