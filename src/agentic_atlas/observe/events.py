"""All lines that logs may have, and what their fields mean. The reference is made from it; nothing else is logged."""

from collections.abc import Mapping
from typing import Final

from agentic_atlas.observe.declared import IDS, LogEvent, by_name, declared
from agentic_atlas.observe.of_agents import AGENT
from agentic_atlas.observe.of_server import BACKEND, PROCESS, ROUTER

MESSAGES_PASSED: Final[list[LogEvent]] = declared(
    "trace",
    (
        "message_passed",
        "A message between an agent and its router, or between router and backend (`ATLAS_LOG_LEVEL=trace`). `payload` "
        "is there with `ATLAS_LOG_PAYLOADS=1` only.",
        "direction type of size number n generation call called skill kind outcome state child seq question recorded "
        "code first up_to payload",
        "{direction} {type}",
    ),
)
"""What every part tells in the same way."""

LINES: Final[Mapping[str, LogEvent]] = by_name(MESSAGES_PASSED, ROUTER, BACKEND, PROCESS, AGENT)
"""Every line by its name."""

FIELDS: Final[Mapping[str, str]] = {
    **IDS,
    "action": "what was asked for, as the audit log calls it",
    "address": "where it came from, or where it leads",
    "at": "when",
    "call": "id of the call at its agent",
    "called": "name of the agent that is called",
    "child": "id of the task that a call became",
    "code": "an error code, or the close code of a connection",
    "connections": "how many are open",
    "count": "how many",
    "days": "days",
    "direction": "`sent` or `received`, as the process sees it that writes the line; `to_router` or `to_backend`",
    "error": "what the skill raised, in a line",
    "exception": "the traceback",
    "expires_at": "when it ends",
    "files": "files it is in",
    "first": "number of the first line of a log",
    "fix": "what to do",
    "generation": "which connection of this instance it is",
    "grace": "seconds it had to stop",
    "invariant": "what is wrong",
    "kept": "attempts that the instance has still",
    "kept_until": "when the old one ends",
    "kind": "kind of an event or of a reply",
    "library": "name of the logger",
    "message": "the sentence that a person reads, of lines that have one",
    "method": "method of the request",
    "n": "number of the event or of the beat",
    "name": "name of the agent, with that of its owner",
    "names": "names and addresses it is for",
    "newest": "address of the newest connection",
    "number": "number by which router and backend answer each other",
    "of": "type of the message within it, or of the task",
    "outcome": "how the task has ended",
    "path": "path of the request",
    "payload": "the message itself, cut and without secrets",
    "question": "number of the question",
    "reason": "why",
    "recorded": "whether it was stored",
    "rows": "how many rows",
    "running": "skills that run",
    "seconds": "by how many",
    "sent_again": "attempts that it was given again",
    "seq": "number of an event of the task",
    "setting": "variable that is set",
    "size": "its length in bytes",
    "skill": "name of the skill",
    "skills": "names of skills",
    "state": "state of a task",
    "status": "status of the answer",
    "strangers": "addresses of connections that have not said who they are",
    "subject": "id of what it is about",
    "token": "id of a token, which is none itself",
    "took": "seconds from when it was begun",
    "type": "which message",
    "until": "until when",
    "up_to": "number of the last line of a log that was kept",
    "url": "address of the router",
    "what": "what has happened",
    "why": "why",
}
"""What a field means; the same in every line that has it."""
