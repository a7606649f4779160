"""What changed, for whoever has pages open: gathered while somebody watches, and told a few times a second.

A change is told as the last that is known of what changed, so that ten changes of a task are one. While nobody watches
nothing is gathered: changes are counted only, and who comes back is told that everything may be different.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from agentic_atlas.backend.domain.records import AgentRecord, Task
from agentic_atlas.backend.engine.feed import EVERYTHING, Feed, Watch
from agentic_atlas.backend.ports import Agents
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import Busy
from agentic_atlas.protocol.tasks import TaskState

EVERY = 0.2
"""Seconds between two tellings at least; half of it after one of a few changes, for somebody watches these."""
_FEW: Final = 3
SETTLED: Final = 0.5
"""Seconds after which an agent is told of again whose tasks have changed: by then its slots are counted."""
STREAMS_PER_USER = 32
"""Streams of changes that one user may have at the same time, of all their browsers; more are answered 429
(`too_many_watchers`)."""
MOST_TOLD = 500
"""Changes that are told at once; of more it is only told that everything may be different."""
MOST_KEPT = 20_000
"""Changes that are kept for who comes back after a cut; who was away for longer is told that everything may be
different."""
_MOST_RECORDS: Final = 10_000
_LATER: Final = 30.0
"""Seconds after which one who found no place may try again."""


class TaskSeen(msgspec.Struct, frozen=True):
    """What is told of a task, and by what it is decided who may know."""

    id: str
    agent_id: str
    agent: str
    skill: str
    state: TaskState
    seq: int
    caller_id: str
    owner_id: str
    asked: bool
    """It has asked people something."""


class Told(msgspec.Struct, frozen=True):
    """What changed from one telling to the next.

    Attributes:
        seq: number of the last change.
        everything: all may be different, for there is too much to say.
        tasks: by id.
        agents: by id; each as it was before, where that decides who may know of it.
        tokens: ids of the agents whose tokens changed.
        accounts: ids of the users who come in by something else, or may do something else; empty: of none, but what
            administrators see of all of them.
        audited: the audit log has further rows.
    """

    seq: int
    everything: bool = False
    tasks: dict[str, TaskSeen] = {}
    agents: dict[str, AgentRecord | None] = {}
    tokens: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    audited: bool = False

    @property
    def size(self) -> int:
        """How many changes these are."""
        return len(self.tasks) + len(self.agents) + len(self.tokens) + len(self.accounts) + self.audited


class Changes:
    """What changed lately. For one event loop."""

    def __init__(self, feed: Feed, agents: Agents, every: float = EVERY) -> None:
        self._feed = feed
        self._agents = agents
        self._every = every
        self._watching: Counter[str] = Counter()
        self._tasks: dict[str, TaskSeen] = {}
        self._changed: dict[str, AgentRecord | None] = {}
        self._tokens: set[str] = set()
        self._accounts: set[str] = set()
        self._audited = False
        self._everything = False
        self._busy: tuple[set[str], set[str]] = set(), set()
        """Agents whose tasks changed: before the last look at them, and since."""
        self._timer: asyncio.TimerHandle | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._log: deque[Told] = deque()
        self._kept = 0
        self._since = 0
        self._records: dict[str, AgentRecord | None] = {}
        self._version = 0

    def __len__(self) -> int:
        return self._watching.total()

    @property
    def seq(self) -> int:
        """Number as high as that of the last change there was; it tells nobody when that was."""
        return self._feed.now()

    # -- what changes

    def agent(self, agent_id: str, was: AgentRecord | None = None) -> None:
        """An agent is there or gone, or what is shown of it is different; `was`: it may have been seen by more."""
        self._feed.count()
        if self._watching:
            self._version += 1
            self._records.pop(agent_id, None)
            self._changed[agent_id] = was or self._changed.get(agent_id)
            self._gather()

    def tokens(self, agent_id: str) -> None:
        """An agent has other tokens, or they are good for something else."""
        self._feed.count()
        if self._watching:
            self._tokens.add(agent_id)
            self._gather()

    def account(self, *user_ids: str) -> None:
        """What these users come in by, or may, is different; none of them: something that administrators alone see."""
        self._feed.count()
        if self._watching:
            self._accounts.update(user_ids or ("",))
            self._gather()

    def audited(self) -> None:
        """The audit log has further rows."""
        self._feed.count()
        if self._watching:
            self._audited = True
            self._gather()

    def everything(self) -> None:
        """There is no saying what has changed."""
        self._feed.count()
        if self._watching:
            self._version += 1
            self._records.clear()
            self._everything = True
            self._gather()

    # -- whoever watches

    @contextmanager
    def place(self, user_id: str) -> Iterator[None]:
        """Take a user's place until the end of the block; raises Busy (`too_many_watchers`) when all are taken."""
        if self._watching[user_id] >= STREAMS_PER_USER:
            raise Busy(
                f"{STREAMS_PER_USER} pages of yours watch what changes already: close some",
                code="too_many_watchers",
                retry_after=_LATER,
            )
        if not self._watching.total():
            self._begin()
        self._watching[user_id] += 1
        try:
            yield
        finally:
            self._watching[user_id] -= 1
            if not self._watching[user_id]:
                del self._watching[user_id]
            if not self._watching:
                self._end()

    @contextmanager
    def watch(self, who: Principal) -> Iterator[Watch]:
        """Have a bell that rings when there is something to be told; waiting raises once they may not wait any more."""
        with self._feed.watch(EVERYTHING, who) as watch:
            yield watch

    def after(self, seq: int) -> Told | None:
        """Return what was told after this number; None when that is not known any more, or never was."""
        if self._watching and self._since <= seq <= self._feed.given:
            return _together([told for told in self._log if told.seq > seq], seq)
        return Told(seq) if self._feed.told <= seq <= self._feed.given else None

    async def record(self, agent_id: str) -> AgentRecord | None:
        """Return an agent; None: it is gone."""
        if agent_id not in self._records:
            version = self._version
            found = await self._agents.get(agent_id)
            if version != self._version:
                return found  # What was read before a change must not outlive it.
            if len(self._records) >= _MOST_RECORDS:
                self._records.clear()
            self._records[agent_id] = found
        return self._records[agent_id]

    # -- in between

    def _begin(self) -> None:
        self._since = self._feed.told
        self._feed.hear = self._task

    def _end(self) -> None:
        self._feed.hear = None
        for timer in (self._timer, self._settling):
            if timer is not None:
                timer.cancel()
        self._timer = self._settling = None
        self._take()
        self._log.clear()
        self._kept = 0
        self._records.clear()
        self._busy = set(), set()

    def _task(self, task: Task) -> None:
        self._tasks[task.id] = TaskSeen(
            task.id,
            task.agent_id,
            task.agent,
            task.skill,
            task.state,
            task.last_seq,
            task.caller.id,
            task.owner_id,
            bool(task.dialogue.questions),
        )
        self._busy[1].add(task.agent_id)
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SETTLED, self._settle)
        self._gather()

    def _settle(self) -> None:
        """Tell of the agents whose tasks changed a while ago: how many slots are used was not known then."""
        before, since = self._busy
        self._busy = since, set()
        self._settling = asyncio.get_running_loop().call_later(SETTLED, self._settle) if since else None
        for agent_id in before:
            self._changed.setdefault(agent_id)
        if before:
            self._feed.count()
            self._gather()

    def _gather(self) -> None:
        if len(self._tasks) + len(self._changed) + len(self._tokens) + len(self._accounts) > MOST_TOLD:
            self._take()
            self._everything = True
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._next), self._tell)

    def _tell(self) -> None:
        self._timer = None
        told = self._take()
        pause = self._every if told.everything or told.size > _FEW else self._every / 2
        self._next = asyncio.get_running_loop().time() + pause
        self._log.append(told)
        self._kept += told.size + 1
        while self._kept > MOST_KEPT:
            oldest = self._log.popleft()
            self._kept -= oldest.size + 1
            self._since = oldest.seq
        self._feed.ring()

    def _take(self) -> Told:
        """Return what was gathered, and begin anew."""
        told = Told(
            self._feed.told,
            self._everything,
            self._tasks,
            self._changed,
            frozenset(self._tokens),
            frozenset(self._accounts),
            self._audited,
        )
        self._tasks, self._changed, self._tokens, self._accounts = {}, {}, set(), set()
        self._everything = self._audited = False
        return told


def _together(found: Sequence[Told], seq: int) -> Told:
    """Return several tellings as one: of each thing the last that was said of it."""
    if len(found) == 1:
        return found[0]
    tasks: dict[str, TaskSeen] = {}
    agents: dict[str, AgentRecord | None] = {}
    tokens, accounts = set[str](), set[str]()
    for one in found:
        tasks |= one.tasks
        agents |= {agent_id: was or agents.get(agent_id) for agent_id, was in one.agents.items()}
        tokens |= one.tokens
        accounts |= one.accounts
    everything, audited = any(one.everything for one in found), any(one.audited for one in found)
    seq = found[-1].seq if found else seq
    return Told(seq, everything, tasks, agents, frozenset(tokens), frozenset(accounts), audited)
