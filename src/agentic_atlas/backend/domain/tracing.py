"""Trace context of tasks: `traceparent` of the W3C Trace Context recommendation, version 00."""

import re
from collections.abc import Callable

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id(traceparent: str) -> str:
    """Return the 32 hexadecimal digits that all tasks of one trace share."""
    return traceparent[3:35]


def child(parent: str | None, entropy: Callable[[int], bytes]) -> str:
    """Return a new span: in the parent's trace when that is well-formed, else in a trace of its own."""
    if parent is not None and _TRACEPARENT.fullmatch(parent):
        return f"00-{trace_id(parent)}-{entropy(8).hex()}-01"
    drawn = entropy(24).hex()
    return f"00-{drawn[:32]}-{drawn[32:]}-01"
