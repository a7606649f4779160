"""A log that remembers."""

from __future__ import annotations

from typing import Any


class MemoryLog:
    """Implements `logs.Log`; fields are not kept."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def bind(self, **_: Any) -> MemoryLog:
        return self

    def is_enabled_for(self, _level: int) -> bool:
        return True

    def at(self, level: str) -> list[str]:
        """Return what was said at this level."""
        return [event for said_at, event in self.lines if said_at == level]

    def debug(self, event: str, *_: Any, **__: Any) -> None:
        self.lines.append(("debug", event))

    def info(self, event: str, *_: Any, **__: Any) -> None:
        self.lines.append(("info", event))

    def warning(self, event: str, *_: Any, **__: Any) -> None:
        self.lines.append(("warning", event))

    def error(self, event: str, *_: Any, **__: Any) -> None:
        self.lines.append(("error", event))
