"""Where a request comes from: set by the door that it comes through, known to all that is done for it."""

from contextvars import ContextVar
from typing import Final

ADDRESS: Final[ContextVar[str]] = ContextVar("asked_from", default="")
"""The network address of whoever asks, without the port; empty: nobody does, or it is not known."""
