"""Every line that a log may have, from where they are declared."""

from __future__ import annotations

from collections.abc import Iterable

from agentic_atlas.observe.declared import IDS, LogEvent
from agentic_atlas.observe.events import FIELDS, MESSAGES_PASSED
from agentic_atlas.observe.of_agents import AGENT
from agentic_atlas.observe.of_server import BACKEND, PROCESS, ROUTER
from tests.docs.reference.markdown import code, table

PARTS = {
    "The router": ROUTER,
    "The backend": BACKEND,
    "The server's process": PROCESS,
    "An agent": AGENT,
    "Every message": MESSAGES_PASSED,
}


def lines() -> str:
    """Return every line, part by part."""
    return "\n\n".join(f"### {title}\n\n{_table(part)}" for title, part in PARTS.items())


def fields() -> str:
    """Return what each field means."""
    others = {name: meaning for name, meaning in FIELDS.items() if name not in IDS}
    return table(("field", "meaning"), [(code(name), meaning) for name, meaning in others.items()])


def ids() -> str:
    """Return the ids that every line may have."""
    return table(("field", "meaning"), [(code(name), meaning) for name, meaning in IDS.items()])


def _table(part: Iterable[LogEvent]) -> str:
    rows = [
        (code(line.name), line.level, line.meaning, ", ".join(map(code, line.fields)), line.words and code(line.words))
        for line in part
    ]
    return table(("event", "level", "meaning", "fields", "in words"), rows)
