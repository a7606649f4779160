"""A self-hosted network for local agents.

The public names are these. They are imported when they are first used, so `import agentic_atlas` costs next to nothing
and a program that only calls others never loads what only an agent needs.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from agentic_atlas._version import __version__

if TYPE_CHECKING:
    from agentic_atlas.errors import (
        AtlasError,
        Busy,
        ConfigurationError,
        Conflict,
        Forbidden,
        InvalidInput,
        NotFound,
        PayloadTooLarge,
        TaskError,
        Unauthenticated,
        Unavailable,
    )
    from agentic_atlas.sdk.agent import Agent
    from agentic_atlas.sdk.client.asynchronous import AsyncClient, TaskRequest
    from agentic_atlas.sdk.client.blocking import Client
    from agentic_atlas.sdk.client.errors import NotFinished
    from agentic_atlas.sdk.program import run
    from agentic_atlas.sdk.skills.calls import CallEvent
    from agentic_atlas.sdk.skills.content import DataPart, FilePart, LinkPart, TextPart
    from agentic_atlas.sdk.skills.context import Context, Rejected, SyncContext
    from agentic_atlas.sdk.skills.questions import NoAnswer

_HOME: Final = {
    "agentic_atlas.errors": (
        "AtlasError", "Busy", "ConfigurationError", "Conflict", "Forbidden", "InvalidInput", "NotFound",
        "PayloadTooLarge", "TaskError", "Unauthenticated", "Unavailable",
    ),
    "agentic_atlas.sdk.agent": ("Agent",),
    "agentic_atlas.sdk.client.blocking": ("Client",),
    "agentic_atlas.sdk.program": ("run",),
    "agentic_atlas.sdk.skills.calls": ("CallEvent",),
    "agentic_atlas.sdk.client.asynchronous": ("AsyncClient", "TaskRequest"),
    "agentic_atlas.sdk.client.errors": ("NotFinished",),
    "agentic_atlas.sdk.skills.content": ("DataPart", "FilePart", "LinkPart", "TextPart"),
    "agentic_atlas.sdk.skills.context": ("Context", "Rejected", "SyncContext"),
    "agentic_atlas.sdk.skills.questions": ("NoAnswer",),
}  # fmt: skip
_MODULE: Final = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Agent",
    "AsyncClient",
    "AtlasError",
    "Busy",
    "CallEvent",
    "Client",
    "ConfigurationError",
    "Conflict",
    "Context",
    "DataPart",
    "FilePart",
    "Forbidden",
    "InvalidInput",
    "LinkPart",
    "NoAnswer",
    "NotFinished",
    "NotFound",
    "PayloadTooLarge",
    "Rejected",
    "SyncContext",
    "TaskError",
    "TaskRequest",
    "TextPart",
    "Unauthenticated",
    "Unavailable",
    "__version__",
    "run",
]


def __getattr__(name: str) -> Any:
    module = _MODULE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
