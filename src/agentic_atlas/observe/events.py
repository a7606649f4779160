"""All lines that logs may have, and what their fields mean. The reference is made from it; nothing else is logged."""

from collections.abc import Mapping
from typing import Final

from agentic_atlas.observe.declared import IDS, LogEvent, by_name
from agentic_atlas.observe.of_server import BACKEND, PROCESS, ROUTER

LINES: Final[Mapping[str, LogEvent]] = by_name(ROUTER, BACKEND, PROCESS)
"""Every line by its name."""

FIELDS: Final[Mapping[str, str]] = {
    **IDS,
    "action": "what was asked for, as the audit log calls it",
    "address": "where it came from, or where it leads",
    "at": "when",
    "call": "number of the call at its agent",
    "code": "an error code, or the close code of a connection",
    "connections": "how many are open",
    "count": "how many",
    "exception": "the traceback",
    "expires_at": "when it ends",
    "files": "files it is in",
    "fix": "what to do",
    "generation": "which connection of this instance it is",
    "invariant": "what is wrong",
    "kept": "attempts that the instance has still",
    "kept_until": "when the old one ends",
    "library": "name of the logger",
    "method": "method of the request",
    "names": "names and addresses it is for",
    "newest": "address of the newest connection",
    "path": "path of the request",
    "reason": "why",
    "rows": "how many rows",
    "says": "a sentence",
    "seconds": "by how many",
    "sent_again": "attempts that it was given again",
    "setting": "variable that is set",
    "strangers": "addresses of connections that have not said who they are",
    "subject": "id of what it is about",
    "why": "why",
}
"""What a field means; the same in every line that has it."""
