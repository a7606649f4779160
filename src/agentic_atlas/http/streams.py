"""Answers in server-sent events (WHATWG HTML section 9.2)."""

from typing import Final

import msgspec

from agentic_atlas.errors import AtlasError
from agentic_atlas.http.errors import error_info
from agentic_atlas.protocol.caller.values import ErrorAnswer

KEEP_ALIVE = 15.0
"""Seconds of silence after which a stream of events sends a comment, for idle timers in between."""
SILENCE: Final = b": keep-alive\n\n"
OF_STREAM: Final = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-store"),
    ("x-accel-buffering", "no"),
    ("x-content-type-options", "nosniff"),
)
"""Fields of the head of such an answer."""


def refused(error: AtlasError) -> bytes:
    """Return the last event of a stream that ends in an error, for its head was sent long ago."""
    return b"event: refused\ndata: %b\n\n" % msgspec.json.encode(ErrorAnswer(error=error_info(error)))
