"""Lines of agents' logs: which are kept of those that come, and which of those that are kept are looked for. Pure.

An agent is not trusted with what decides who sees a line: whose task it belongs to is looked up, and its time is never
after that at which it came, nor before that of the line before it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, get_args

import msgspec
from msgspec import Raw

from agentic_atlas.protocol.messages import LogLevel, LogLine, LogSource

LEVELS: Final[tuple[LogLevel, ...]] = get_args(LogLevel)
"""All levels, the least severe first."""
_NUMBER_OF: Final[Mapping[str, int]] = {level: number for number, level in enumerate(LEVELS)}
_DAY: Final = 86_400.0
_WRITTEN_OTHERWISE: Final = re.compile(r"[\\\n\r]")


class LogLimits(msgspec.Struct, frozen=True):
    """How much is kept of agents' logs; what is over goes, the oldest first. Sizes are bytes, as lines are stored."""

    logs_age: float = 7 * _DAY
    """Seconds for which lines of agents' logs are kept."""
    logs_agent_bytes: int = 100_000_000
    """Bytes of log lines that are kept of one agent, about; of more the oldest go."""
    logs_bytes: int = 2_000_000_000
    """Bytes of log lines that are kept of all agents together, about; of more the oldest go, whosever they are."""


class TaskOwner(msgspec.Struct, frozen=True):
    """What decides who sees the lines of a task."""

    agent_id: str
    owner_id: str
    caller_id: str
    trace_id: str


class LoggedLine(msgspec.Struct, frozen=True, array_like=True):
    """A line as it is kept."""

    n: int
    """Its number among those of its instance."""
    at: float
    level: LogLevel
    message: str
    source: LogSource
    task: str = ""
    attempt: int = 0
    trace: str = ""
    logger: str = ""
    fields: Raw = Raw(b"{}")
    exception: str = ""
    missing: int = 0
    """Lines directly before it that never came, and that no line tells of."""


class LogBatch(NamedTuple):
    """Lines of one instance, as they come.

    Attributes:
        first: number of the first of them.
        dropped: how many the instance has dropped so far.
        owners: whose the tasks are that are its agent's, by id; others are not this agent's to speak of.
    """

    agent_id: str
    instance_id: str
    first: int
    lines: Sequence[LogLine]
    dropped: int = 0
    owners: Mapping[str, TaskOwner] = {}


class LogFence(NamedTuple):
    """What is known of the lines of an instance that are kept: up to which number, and when the last of them was.

    Attributes:
        dropped: how many the instance had dropped by then.
    """

    up_to: int = 0
    dropped: int = 0
    last_at: float = -math.inf
    known: bool = False


def kept_lines(batch: LogBatch, fence: LogFence, now: float, oldest: float) -> list[LoggedLine]:
    """Return those of a batch that are not kept yet, as they are to be; none is from before `oldest`."""
    return list(_kept(batch, fence, now, oldest))


def _kept(batch: LogBatch, fence: LogFence, now: float, oldest: float) -> Iterator[LoggedLine]:
    last_at, gap = fence.last_at, _gap(batch, fence)
    for n, line in enumerate(batch.lines, batch.first):
        if n <= fence.up_to:
            continue
        # A clock that is days behind would have its lines removed at once.
        at = line.at if oldest <= line.at <= now else now
        last_at = max(at, last_at)
        owner = batch.owners.get(line.task)
        yield LoggedLine(
            n,
            last_at,
            line.level,
            line.message,
            line.source,
            line.task if owner else "",
            line.attempt if owner else 0,
            owner.trace_id if owner else "",
            line.logger,
            _plain(line.fields),
            line.exception,
            gap,
        )
        gap = 0


def _gap(batch: LogBatch, fence: LogFence) -> int:
    """Return how many lines before a batch never came without a line that tells of them."""
    gap, dropped = batch.first - fence.up_to - 1, batch.dropped - fence.dropped
    told = dropped > 0 and bool(batch.lines) and batch.lines[0].source == "agent"
    if gap <= 0 or told:
        return 0
    # Of an instance that is not known any more all that it has said was removed, but for what it says was dropped.
    return gap if fence.known else min(gap, max(dropped, 0))


def _plain(fields: Raw) -> Raw:
    """Return fields in the one form in which text is looked for, on one line: they come as their sender wrote them."""
    try:
        text = bytes(fields).decode()
        plain = not _WRITTEN_OTHERWISE.search(text)
        return fields if plain else Raw(msgspec.json.encode(msgspec.json.decode(text)))
    except ValueError:  # no UTF-8, or characters that are none
        return Raw(b"{}")


class LogSight(msgspec.Struct, frozen=True):
    """Which lines somebody sees: all of some agents, and besides what was said to tasks that they see (`ctx.log`)."""

    managed: frozenset[str] | None = None
    """Ids of agents of which all is seen; None: of all agents."""
    owner_id: str | None = None
    """In whose name tasks were asked for whose lines are seen besides; None: in anybody's."""
    caller_id: str | None = None
    """With which credential they were; None: with any."""

    def sees(self, agent_id: str, line: LoggedLine, owner: tuple[str, str] | None) -> bool:
        """Tell whether a line is seen; `owner` are owner and caller of its task, None without a task."""
        if self.managed is None or agent_id in self.managed:
            return True
        if line.source != "task" or owner is None:
            return False
        return self.owner_id in (None, owner[0]) and self.caller_id in (None, owner[1])


class LogFilter(msgspec.Struct, frozen=True):
    """Which lines to look for; every field that is set narrows."""

    agent_ids: tuple[str, ...] | None = None
    """Only those of these agents."""
    tasks: tuple[str, ...] | None = None
    """Only those said in one of these tasks."""
    level: LogLevel | None = None
    """Only those of this level, or of a more severe one."""
    sources: tuple[LogSource, ...] = ()
    """Only those from one of these."""
    since: float | None = None
    """Seconds since the epoch: only what was said from then on."""
    until: float | None = None
    """The same: only what was said before then."""
    text: str = ""
    """Only those that have this in what they say, whether in capitals or not."""

    def levels(self) -> int:
        """Return the levels that are looked for as bits, the least severe one's first."""
        every = (1 << len(LEVELS)) - 1
        return every if self.level is None else every & ~((1 << _NUMBER_OF[self.level]) - 1)

    def fits(self, line: LoggedLine) -> bool:
        """Tell whether a line is looked for, whosever it is."""
        return (
            (self.level is None or _NUMBER_OF[line.level] >= _NUMBER_OF[self.level])
            and (not self.sources or line.source in self.sources)
            and (self.tasks is None or line.task in self.tasks)
            and (self.since is None or line.at >= self.since)
            and (self.until is None or line.at < self.until)
            and (not self.text or says(line, self.text))
        )


def says(line: LoggedLine, text: str) -> bool:
    """Tell whether this is in a line's message, logger, traceback or fields, whether in capitals or not.

    In fields it is looked for as JSON has it: a quote in it stands for one within a text.
    """
    wanted = text.lower()
    if any(wanted in part.lower() for part in (line.message, line.exception, line.logger)):
        return True
    return as_json(wanted) in bytes(line.fields).decode().lower()


def as_json(text: str) -> str:
    """Return a text as it stands within one in JSON."""
    return msgspec.json.encode(text).decode()[1:-1]


def level_bits(lines: Iterable[LoggedLine]) -> int:
    """Return the levels of lines as bits."""
    bits = 0
    for line in lines:
        bits |= 1 << _NUMBER_OF[line.level]
    return bits


class FoundLine(NamedTuple):
    """A line that was found, and whose it is."""

    agent_id: str
    instance_id: str
    line: LoggedLine


class LogFinds(NamedTuple):
    """What was found, newest first.

    Attributes:
        next: cursor of the part that follows; None: there is no more.
        searched_to: back to when all was looked at, in seconds since the epoch; None: there is nothing before.
    """

    lines: list[FoundLine]
    next: str | None
    searched_to: float | None


class KeptBatch(NamedTuple):
    """What became of a batch.

    Attributes:
        up_to: number up to which all of its instance is kept.
        lines: those of it that were not kept before.
    """

    up_to: int
    lines: list[LoggedLine]
