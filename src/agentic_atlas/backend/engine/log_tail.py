"""Lines of agents' logs as they are kept, for whoever watches them: only what fits, and is seen, waits for them.

Who reads slower than agents say something loses lines, the oldest first, and is told how many.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from agentic_atlas.backend.domain.logs import FoundLine, LogFilter, LoggedLine, TaskOwner
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord
from agentic_atlas.backend.engine.feed import Watch
from agentic_atlas.backend.rights import Visible

WATCHED: Final = "logs"
"""Stands in place of a task's id for whoever watches logs; see `engine.feed`."""
MOST_BYTES: Final = 1024 * 1024
"""Bytes of log lines that wait for one who watches them; of more the oldest are left out, and counted."""
EVERY: Final = 0.1
"""Seconds between two tellings at least."""
_LINE: Final = 256
"""Bytes counted for a line besides its texts."""


class LogWatch:
    """What waits for one watcher.

    Attributes:
        visible: what they see.
        manages: whether they are shown all that agents say which they manage, and not what is said to tasks alone.
    """

    def __init__(self, bell: Watch, which: LogFilter, visible: Visible, *, manages: bool) -> None:
        self.bell = bell
        self.visible = visible
        self.manages = manages
        self._which = which
        self._waiting: deque[FoundLine] = deque()
        self._bytes = 0
        self._lost = 0

    def offer(self, agent_id: str, instance_id: str, lines: Sequence[LoggedLine], seen: Sequence[bool]) -> None:
        """Have those of these lines wait that fit and are seen."""
        if self._which.agent_ids is not None and agent_id not in self._which.agent_ids:
            return
        for line, is_seen in zip(lines, seen, strict=True):
            if is_seen and self._which.fits(line):
                self._waiting.append(FoundLine(agent_id, instance_id, line))
                self._bytes += _size(line)
        while self._bytes > MOST_BYTES:
            self._bytes -= _size(self._waiting.popleft().line)
            self._lost += 1

    def take(self) -> tuple[list[FoundLine], int]:
        """Return what waits, and how many lines were left out before."""
        lines, lost = list(self._waiting), self._lost
        self._waiting.clear()
        self._bytes = self._lost = 0
        return lines, lost

    @property
    def waits(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)


class LogTail:
    """Those who watch logs. For one event loop."""

    def __init__(self) -> None:
        self._watches: set[LogWatch] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watches)

    @contextmanager
    def watch(self, bell: Watch, which: LogFilter, visible: Visible, *, manages: bool) -> Iterator[LogWatch]:
        """Have what fits and is seen wait from now on; the bell rings when something does."""
        watch = LogWatch(bell, which, visible, manages=manages)
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def tell(
        self,
        agent: AgentRecord | None,
        found: tuple[str, str],
        lines: Sequence[LoggedLine],
        owners: Mapping[str, TaskOwner],
    ) -> None:
        """Tell of lines that are kept; `found` are the ids of their agent and instance."""
        for watch in self._watches:
            watch.offer(*found, lines, [_sees(watch, agent, line, owners.get(line.task)) for line in lines])
        if self._timer is None and any(watch.waits for watch in self._watches):
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._ring)

    def _ring(self) -> None:
        self._timer = None
        for watch in self._watches:
            if watch.waits:
                watch.bell.ring(WATCHED, b"")


def _sees(watch: LogWatch, agent: AgentRecord | None, line: LoggedLine, owner: TaskOwner | None) -> bool:
    """Tell whether a watcher sees a line, by the agent as it is now; None: it is gone."""
    visible = watch.visible
    everything = visible.user_id is None or (agent is not None and visible.may(agent, AccessLevel.MANAGE))
    if watch.manages and visible.key_id is None and everything:
        return True
    return line.source == "task" and owner is not None and visible.task(owner.caller_id, owner.owner_id, agent)


def _size(line: LoggedLine) -> int:
    return _LINE + len(line.message) + len(line.exception) + len(bytes(line.fields))
