"""A log line that fits into its bounds: the middle of what is too long is left out, and no token is in it."""

import math
import time
import traceback
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.observe.redaction import shortened
from agentic_atlas.protocol.messages import LINE_BYTES, LogLevel, LogLine, Task
from agentic_atlas.sdk.text import describe, presentable, type_name

FIELDS: Final = 32
"""Most fields of a log line."""

NO_FIELDS: Final = Raw(b"{}")
_LEFT_OUT: Final = Raw(b'{"left_out":"the fields, which are too long"}')
_LEAST: Final = 64
_EXACT: Final = 2**53


def clean(text: str, most: int = LINE_BYTES // 2) -> str:
    """Return a text without tokens and lone surrogates, and without its middle when it is longer than `most`."""
    text = shortened(text, most)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def of_task(task: Task, level: LogLevel, message: str, fields: Raw = NO_FIELDS) -> LogLine:
    """Return what a skill says of its task, now."""
    now = time.time()  # noqa: TID251 - a line says when by the clock of its machine
    trace = trace_id(task.trace)
    return LogLine(now, level, message, "task", task=task.task, attempt=task.attempt, trace=trace, fields=fields)


def trace_id(traceparent: str) -> str:
    """Return the trace's part of a `traceparent`."""
    return traceparent[3:35]


def fitting(line: LogLine) -> tuple[LogLine, int]:
    """Return the line, cut until it fits into `LINE_BYTES` of JSON, and the bytes that it takes."""
    size, room = len(msgspec.json.encode(line)), LINE_BYTES // 2
    while size > LINE_BYTES and room > _LEAST:
        line = replace(
            line,
            message=_cut(line.message, room // 2),
            exception=_cut(line.exception, room),
            fields=line.fields if memoryview(line.fields).nbytes <= room // 2 else _LEFT_OUT,
        )
        size, room = len(msgspec.json.encode(line)), room // 2
    return line, size


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an error, with those that led to it."""
    try:
        return clean("".join(traceback.format_exception(error))).rstrip()
    except Exception:  # noqa: BLE001 - the error is the program's object, and may fail to describe itself
        return f"{type_name(error)}, whose traceback cannot be told"


def encoded_fields(fields: Mapping[str, object]) -> Raw:
    """Return the fields of a line as JSON (`plain_fields`)."""
    return Raw(msgspec.json.encode(plain_fields(fields))) if fields else NO_FIELDS


def plain_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a log line as bounded JSON values: numbers and short texts stay, the rest is described."""
    kept = list(fields.items())[:FIELDS]
    return {presentable(name, 100): _plain(value) for name, value in kept}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and not abs(value) > _EXACT:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return describe(value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"
