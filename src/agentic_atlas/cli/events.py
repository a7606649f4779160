"""A task's events as lines for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from agentic_atlas.cli.times import took
from agentic_atlas.cli.wording import expected

if TYPE_CHECKING:
    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.tasks import EventInfo


def setbacks() -> Callable[[EventInfo], str | None]:
    """Return what gives the sentence for an event of a task that somebody waits for; None for most.

    What they should know of its way: once that it waits again, once that it goes on.
    """
    waits = False

    def told(event: EventInfo) -> str | None:
        nonlocal waits
        state = event.data.get("state") if event.kind == "state" else None
        if state == "submitted" and event.data.get("code") in _SETBACKS and not waits:
            waits = True
            return _SETBACKS[event.data["code"]]
        if state == "working" and event.data.get("accepted") and waits:
            waits = False
            return f"It goes on: attempt {event.data.get('attempt', '')}."
        return None

    return told


_SETBACKS = {
    "agent_lost": "The agent was lost: the task waits for it, or for another instance.",
    "handler_error": "The skill failed and is tried again.",
}


def line(event: EventInfo, clock: TimeFormat) -> str:
    """Return an event on one line, the time first."""
    return f"{clock.of_day(event.at)}  {event.kind:<8}  {' '.join(summary(event).split())}"


def summary(event: EventInfo) -> str:
    """Return what an event says, without its kind and time."""
    shown = {
        "state": _state,
        "progress": _progress,
        "chunk": _chunk,
        "log": _log,
        "artifact": _artifact,
        "question": _question,
        "answer": _answer,
        "connection": _connection,
    }
    describe = shown.get(event.kind)
    return _plain(event.data) if describe is None else describe(event.data)


def chunk_text(value: object) -> str:
    """Return a piece of output as it is printed while it streams: text as it is, anything else as a line of JSON."""
    return value if isinstance(value, str) else f"{_plain(value)}\n"


def _state(data: Mapping[str, object]) -> str:
    parts = [str(data.get("state", ""))]
    if data.get("instance"):
        parts.append(f"{'accepted by' if data.get('accepted') else 'on'} {data['instance']}")
    if data.get("attempt", 1) not in (None, 0, 1):
        parts.append(f"attempt {data['attempt']}")
    fault = ": ".join(str(data[name]) for name in ("code", "message") if data.get(name))
    fault = fault or (f"given back: {data['returned']}" if data.get("returned") else "")
    return ", ".join(parts) + (f" ({fault})" if fault else "")


def _progress(data: Mapping[str, object]) -> str:
    fraction = data.get("fraction")
    percent = f"{fraction:.0%}" if isinstance(fraction, int | float) and 0 <= fraction <= 1 else ""
    return " ".join(part for part in (percent, str(data.get("message") or "")) if part)


def _chunk(data: Mapping[str, object]) -> str:
    return chunk_text(data.get("value")).rstrip("\n")


def _log(data: Mapping[str, object]) -> str:
    fields = data.get("fields")
    pairs = [f"{name}={_word(value)}" for name, value in fields.items()] if isinstance(fields, Mapping) else []
    return " ".join([str(data.get("level", "")), str(data.get("event", "")), *pairs])


def _artifact(data: Mapping[str, object]) -> str:
    return f"{data.get('name', '')} ({data.get('media_type', '')}, {data.get('size', 0)} bytes)"


def _question(data: Mapping[str, object]) -> str:
    schema = data.get("schema")
    wanted = expected(schema) if isinstance(schema, Mapping) else ""
    return f"{data.get('number', '')}: {data.get('question', '')}" + (f" ({wanted})" if wanted else "")


def _answer(data: Mapping[str, object]) -> str:
    if data.get("expired"):
        return f"{data.get('question', '')}: nobody answered in time"
    by = f", by {data['by']}" if data.get("by") else ""
    return f"{data.get('question', '')}: {_plain(data.get('answer'))}{by}"


def _connection(data: Mapping[str, object]) -> str:
    seconds = data.get("seconds", 0)
    after = f" after {took(seconds)}" if isinstance(seconds, int | float) and seconds > 0 else ""
    if data.get("connection") == "resumed":
        return f"resumed{after}"
    return f"lost ({data.get('why', 'cut')}): the attempt waits for {data.get('instance', 'its instance')}"


def _word(value: object) -> str:
    return value if isinstance(value, str) and value and " " not in value else _plain(value)


def _plain(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
