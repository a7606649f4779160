"""Which attempt of which task says something, as far as that is certain.

A context variable goes wherever the skill's own code goes: its coroutines, the tasks that those start, the thread of a
plain `def`. A thread or a process pool of somebody else's has none, and nothing is guessed: its lines have no task.
What an attempt started and left behind may work for others by then, so when the attempt has ended nothing is its any
more.
"""

import sys
import threading
from contextvars import ContextVar
from typing import Final

import msgspec

from agentic_atlas.protocol.messages import Task
from agentic_atlas.sdk.lines.line import trace_id


class Origin(msgspec.Struct, eq=False):
    """One attempt, for what is said in it.

    Attributes:
        task: what it is an attempt of.
        outlet: its agent's, which hears no other agent's attempts; None: what it says is heard by nobody.
        over: whether its handler has returned.
        home: the thread of the loop that it runs on.
    """

    task: Task
    outlet: object = None
    over: bool = False
    home: int = 0

    @property
    def trace(self) -> str:
        """Id of its trace (`trace-id` of W3C Trace Context)."""
        return trace_id(self.task.trace)


SKILL_THREAD: Final = "atlas-skill-"
"""What the names of threads begin with that run one attempt and nothing else."""

CURRENT: Final[ContextVar[Origin | None]] = ContextVar("agentic_atlas_attempt", default=None)
"""The attempt that this code runs for."""


def current() -> Origin | None:
    """Return the attempt that this code runs for; None when there is none, or it has ended."""
    origin = CURRENT.get()
    if origin is None or origin.over or (_THREADS_INHERIT and not _at_home(origin)):
        return None
    return origin


_THREADS_INHERIT: Final = bool(getattr(sys.flags, "thread_inherit_context", False))
"""Whether a thread has the variables of whoever started it, be it a pool's that goes on to work for others."""


def _at_home(origin: Origin) -> bool:
    return threading.get_ident() == origin.home or threading.current_thread().name.startswith(SKILL_THREAD)
