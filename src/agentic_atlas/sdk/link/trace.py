"""A line in the agent's log for each message, at level debug: which one, of what, and how long; never what is in it."""

from typing import Final

from agentic_atlas.protocol.messages import NAMES, Call, Message, Result
from agentic_atlas.sdk.logs import Log

_TOLD: Final = (
    "task", "attempt", "n", "id", "skill", "kind", "outcome", "state", "child", "seq", "question",
    "instance", "generation", "recorded",
)  # fmt: skip
"""Fields that say which message it is and what it belongs to; payloads, texts and tokens are none of them."""


def tell(log: Log, direction: str, message: Message, size: int) -> None:
    """Say that a message was `sent` or `received`; `size` is its length in bytes."""
    fields = {name: getattr(message, name) for name in _TOLD if hasattr(message, name)}
    shown = {name: value for name, value in fields.items() if isinstance(value, str | int)}
    if isinstance(message, Call):
        shown["called"] = message.agent
    if isinstance(message, Result) and message.error is not None:
        shown["code"] = message.error.code
    line = f"message {direction}"
    log.debug(line, type=NAMES[type(message)], size=size, **shown)
