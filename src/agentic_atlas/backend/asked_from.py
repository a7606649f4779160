"""Where a request comes from: set by the door that it comes through, known to all that is done for it."""

from contextvars import ContextVar
from typing import Final

_ADDRESS: Final[ContextVar[str]] = ContextVar("asked_from", default="")


def address() -> str:
    """Return the network address of whoever asks, without the port; empty: nobody does, or it is not known."""
    return _ADDRESS.get()


def note(peer: str) -> None:
    """What this task does from here on is asked from there."""
    _ADDRESS.set(peer)
