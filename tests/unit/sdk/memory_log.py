"""A log that remembers what a person would read."""

from __future__ import annotations

from typing import Any

from agentic_atlas.observe.logs import sentence


class MemoryLog:
    """Implements `logs.Log`; fields are not kept."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    payloads = False

    def bind(self, **_: Any) -> MemoryLog:
        return self

    def is_enabled_for(self, _level: int) -> bool:
        return True

    def at(self, level: str) -> list[str]:
        """Return what was said at this level."""
        return [event for said_at, event in self.lines if said_at == level]

    def trace(self, event: str, **fields: Any) -> None:
        self.lines.append(("trace", sentence(event, fields)))

    def debug(self, event: str, *_: Any, **fields: Any) -> None:
        self.lines.append(("debug", sentence(event, fields)))

    def info(self, event: str, *_: Any, **fields: Any) -> None:
        self.lines.append(("info", sentence(event, fields)))

    def warning(self, event: str, *_: Any, **fields: Any) -> None:
        self.lines.append(("warning", sentence(event, fields)))

    def error(self, event: str, *_: Any, **fields: Any) -> None:
        self.lines.append(("error", sentence(event, fields)))
