"""The wire protocol as pure values: messages, codec, and the life-cycles of connection and task as tables.

No event loop, clock, log, socket or environment. Agent and router drive the same `Session`; a client in another
language can be written from `messages` and the reference page made from it.
"""

from agentic_atlas.protocol.closing import CloseCode, comes_back
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits, Message, Side
from agentic_atlas.protocol.session import Session
from agentic_atlas.protocol.tasks import TaskState, Trigger

__all__ = [
    "CloseCode",
    "Limits",
    "Message",
    "ProtocolError",
    "Session",
    "Side",
    "TaskState",
    "Trigger",
    "comes_back",
]
