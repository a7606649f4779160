"""What the backend needs of the world, one protocol a neighbour; the contract of each is in its docstring.

Implementations live elsewhere (`store`, the router behind `compose`), one conformance suite tests each kind.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Collection, Generator, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from agentic_atlas.backend.accounts import Accounts, Sessions
from agentic_atlas.backend.domain.audit import AuditEvent, ChainHead
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.logs import (
    KeptBatch,
    LogBatch,
    LogFilter,
    LogFinds,
    LogLimits,
    LogSight,
    TaskOwner,
)
from agentic_atlas.backend.domain.people import Entry, Invitation
from agentic_atlas.backend.domain.records import (
    AccessLevel,
    AgentRecord,
    ApiKey,
    CallerRef,
    ConnectedProcess,
    Group,
    InputFault,
    Instance,
    Payload,
    Role,
    Share,
    SkillRecord,
    Submitted,
    Task,
    TaskEvent,
    TaskEventKind,
    Token,
    User,
)
from agentic_atlas.backend.domain.resources import InstanceFigures, SpanFigures
from agentic_atlas.backend.domain.statistics import Tallies
from agentic_atlas.backend.rights import Visible
from agentic_atlas.observe.series import SeriesSample
from agentic_atlas.protocol.caller.audit import AuditAnchor, AuditArchive, AuditEntry, AuditHead
from agentic_atlas.protocol.caller.backups import BackupInfo
from agentic_atlas.protocol.caller.system import LimitInfo, ServerInfo
from agentic_atlas.protocol.inside.messages import InstanceRef, ToRouter
from agentic_atlas.protocol.schemas import Cost
from agentic_atlas.protocol.tasks import TaskState

if TYPE_CHECKING:
    from agentic_atlas.auth import KeyRing, SigningKey

Decide = Callable[[Task], Change | None]
"""A pure decision about a task: the change, or None when nothing is to be changed."""

MOST_SECRETS = 1_000
"""Tokens of an agent, or keys of a user, in a list."""

MOST_OF_LINEAGE = 20
"""Tokens of a lineage that are remembered after they have expired."""

MOST_SHARES = 100
"""Users and groups that one agent is shared with; more are answered 409 (`too_many_shares`)."""

MOST_MEMBERSHIPS = 100
"""Groups that one user is in; more are answered 409 (`too_many_memberships`)."""

MOST_MEMBERS = 1_000
"""Users in one group; more are answered 409 (`too_many_memberships`)."""

MOST_INSTANCES = 100
"""Instances that are remembered of an agent; of more, those that left first are forgotten."""

MOST_MESSAGE = 500
"""Characters of an error's message in a summary."""

EVENT_PAGE_BYTES = 1024 * 1024
"""Data of the events of one page, but for a single one that is longer."""


T = TypeVar("T")


class Write(Generic[T]):
    """A write that was asked of the store, and what becomes of it, in the loop in which it was asked.

    It is carried out whether or not anybody waits: whoever awaits it may be cancelled, and others still wait.
    """

    __slots__ = ("_done", "_error", "_loop", "_then", "_value")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = False
        self._value: T | None = None
        self._error: Exception | None = None
        self._then: list[Callable[[Write[T]], object]] = []

    def __await__(self) -> Generator[object, None, T]:
        try:
            yield from self.over().__await__()
            return self.result()
        finally:
            del self  # The traceback of the error has this frame, and the write has the error.

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it belongs to."""
        return self._loop

    @property
    def done(self) -> bool:
        """True when it is known what became of it."""
        return self._done

    @property
    def value(self) -> T | None:
        """What the store said; None before, and when it failed."""
        return self._value

    @property
    def error(self) -> Exception | None:
        """Why it failed; None before, and when it did not."""
        return self._error

    async def over(self) -> None:
        """Return when it is done, whatever became of it."""
        if not self._done:
            waiter = self._loop.create_future()
            self.then(partial(_wake, waiter))
            await waiter

    def result(self) -> T:
        """Return what the store said of one that is done; raises its error."""
        try:
            if self._error is not None:
                raise self._error
            return self._value  # type: ignore[return-value]  # None is a value too
        finally:
            del self

    def then(self, told: Callable[["Write[T]"], object]) -> None:
        """Call this when it is done, in the order of these calls: at once when it is."""
        if self._done:
            told(self)
        else:
            self._then.append(told)

    def settle(self, outcome: T | Exception) -> None:
        """The store has carried it out, or could not; once."""
        self._done = True
        if isinstance(outcome, Exception):
            self._error = outcome
        else:
            self._value = outcome
        waiting, self._then = self._then, []
        for told in waiting:
            try:
                told(self)
            except Exception as fault:  # noqa: BLE001  # a fault in what follows one write must not reach the next
                self._loop.call_exception_handler({"message": "what follows a write failed", "exception": fault})


def _wake(waiter: "asyncio.Future[None]", _: object) -> None:
    if not waiter.done():
        waiter.set_result(None)


Clock: TypeAlias = Callable[[], float]
"""The server's wall clock: seconds since the epoch."""

Ids: TypeAlias = Callable[[str], str]
"""A source of ids `prefix_…`, unique for ever; ids of one prefix sort by the time of their making."""


Pace: TypeAlias = Callable[[str, int], float]
"""Counts that a user asks so many times; returns the seconds until they may, when that is too often: then none counts.
0: they may now."""


class FaultLog(Protocol):
    """A structured log, as structlog's: an event's name, and facts. No payload and no token is ever among them."""

    def warning(self, event: str, **facts: object) -> object:
        """What an operator should know."""

    def error(self, event: str, **facts: object) -> object:
        """What is a fault of ours; `exc_info` may be among the facts."""


class Changed(msgspec.Struct, frozen=True):
    """What `Tasks.change` did."""

    task: Task | None
    """The task as it is now; None when there is none with this id."""
    events: tuple[TaskEvent, ...] = ()
    """The new events; empty when the decision was to change nothing."""
    changed: bool = False


class Summary(msgspec.Struct, frozen=True):
    """A task without its payloads, which are not even read for it."""

    task: Task
    """Without input, output, the error's detail and what it asked; the error's message may be cut."""
    input_bytes: int
    output_bytes: int | None
    """None without an output."""

    def __hash__(self) -> int:
        return hash(self.task.id)  # of all its fields it would take as long as to show it


class TaskFilter(msgspec.Struct, frozen=True):
    """Which tasks to list; every field that is set narrows."""

    visible: Visible = Visible(None)
    """Only what this shows."""
    agent_id: str | None = None
    states: tuple[TaskState, ...] = ()
    parent_id: str | None = None
    trace_id: str | None = None
    """The 32 hexadecimal digits in the middle of `traceparent`."""
    skill: str | None = None
    prefix: str | None = None
    """How the id begins."""
    since: float | None = None
    """Seconds since the epoch: only what was made from then on."""
    until: float | None = None
    """The same: only what was made before then."""
    caller_ids: tuple[str, ...] = ()
    """Only what one of these asked for: API keys, agents, or users in their browsers."""
    owner_id: str | None = None
    """Only what was asked for in the name of this user, and what that led to."""
    error: str | None = None
    """The code of its error."""


class Tasks(Protocol):
    """The tasks and their events.

    `add`, `change` and `claim` queue a write and return at once; writes are carried out in the order of these calls,
    many in one commit. A write is done after the commit that holds it is on disk, and fails with `Unavailable` when
    that can't be had (`Busy` when too many writes wait already). Decisions run on the loop or on the writer's
    thread; they see every earlier write.
    """

    def add(self, change: Change) -> Write[Submitted]:
        """Store a new task with its events.

        When its idempotency key is taken by the same caller, nothing is stored, and it is what the write returns.
        """

    def change(self, task_id: str, decide: Decide) -> Write[Changed]:
        """Let `decide` see the task, and store what it decides."""

    def claim(
        self, agent_id: str, slots: Sequence[InstanceRef], now: float, skills: Collection[str] | None = None
    ) -> Write[list[Changed]]:
        """Give the agent's next waiting tasks to these slots, those of all skills or of some.

        Next are those in `submitted` whose `not_before` is over: highest priority, then lowest position. Returns at
        most one a slot, in the order of the slots; fewer mean that nothing more waits now.
        """

    def shift(self, seconds: float) -> Write[None]:
        """The wall clock was set by so many seconds: move with it what open tasks count from a moment.

        That is: how long they wait in the queue or before a retry, when they were accepted or asked to stop, and since
        when and until when a question is open. A deadline is a time of day, and stays.
        """

    async def get(self, task_id: str) -> Task | None:
        """Return the task."""

    async def summary(self, task_id: str) -> Summary | None:
        """Return the task without its payloads: for who asks what became of it, or whether they may see it."""

    async def with_key(self, caller: CallerRef, idempotency_key: str) -> Task | None:
        """Return the task that this caller submitted with this idempotency key."""

    async def find(
        self, which: TaskFilter, *, limit: int, after: str | None = None
    ) -> tuple[list[Summary], str | None]:
        """Return tasks, newest first, and the cursor of the part that follows, None at the end.

        Where many are looked at for few that fit, a part may have less than `limit`, or nothing, and more may follow.
        `after` is such a cursor. Raises InvalidInput for one that is not ours.
        """

    async def events(
        self, task_id: str, *, after: int = 0, limit: int = 1000, most_bytes: int = EVENT_PAGE_BYTES
    ) -> list[TaskEvent]:
        """Return the task's events with a `seq` above `after`, in order.

        At most `limit`, and only the first of them when the next would make their data more than `most_bytes`: an
        empty list means that there are none.
        """

    async def open(self) -> list[Task]:
        """Return every task that is not terminal, for the start of a process.

        Without their inputs, which are left empty: all of them together may be more than memory has room for.
        """

    async def held_by(self, *instance_ids: str) -> list[Task]:
        """Return the tasks whose current attempt one of these instances holds."""


class Agents(Protocol):
    """Agents, their skills and instances."""

    async def add(self, agent: AgentRecord) -> None:
        """Store a new agent. Raises Conflict (`agent_exists`) when the owner has one of this name."""

    async def get(self, agent_id: str) -> AgentRecord | None:
        """Return the agent."""

    async def by_name(self, owner: str, name: str) -> AgentRecord | None:
        """Return the owner's agent of this name; `owner` is a user's name."""

    async def find(
        self, visible: Visible, *, limit: int, after: str | None = None, part: str = "", names: Sequence[str] = ()
    ) -> list[AgentRecord]:
        """Return the agents that are seen and have this part in their full name, by it, from the one after `after`.

        With names: no others than those of these full names.
        """

    async def update(
        self,
        agent_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        disabled_at: float | None = None,
    ) -> AgentRecord | None:
        """Change what is given; `disabled_at=0` enables again.

        With another name its tokens remember the one that it had. Raises Conflict (`agent_exists`) when the owner has
        one of this name.
        """

    async def delete(self, agent_id: str) -> bool:
        """Remove the agent with its skills, tokens and instances; its tasks stay. False: there was none."""

    async def skills(self, agent_id: str) -> list[SkillRecord]:
        """Return the agent's skills by name."""

    async def skill_counts(self, agent_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many skills each of these agents has that has any."""

    async def instances(self, agent_id: str) -> list[Instance]:
        """Return the agent's instances, connected ones first, then by the time they left."""

    async def departed(self, agent_id: str, lineage: str, instance_ids: Sequence[str]) -> list[str]:
        """Return which of these are instances of this agent, with tokens of this lineage, that are not connected."""

    async def register(self, instance: Instance, description: str, skills: Sequence[SkillRecord]) -> Instance:
        """An instance connects: store it, what its agent offers from now on, and mark its token used.

        It holds the one seat of its token's lineage, so no other instance with any of these is connected any more. A
        process may go on with a token of another lineage of its agent once it can't come back with its old one: that is
        over, or another instance has its seat. Until then Conflict (`instance_exists`): nobody takes its place by that.
        Returns it with its generation: one more than it has here, and two more than its last one that is stored, for
        the one after that may have been given to a connection that was not (`come_back`).
        """

    def come_back(self, instance: Instance) -> Write[None]:
        """An instance of which all but the connection is stored as it is connects again, with this generation.

        Queues the write and returns at once, as `Tasks` does. It fails with Conflict (`instance_changed`), and nothing
        is stored, when the generation is not the next one of the instance, or the instance is not that of this agent
        and token.
        """

    async def go_on(self, instance_id: str, generation: int, token: Token) -> None:
        """The instance's connection of this generation is one of this token from now on, which is marked used.

        Nothing when a newer one is there.
        """

    async def declare(self, agent_id: str, skills: Sequence[SkillRecord]) -> None:
        """Store what the agent offers, in place of what it did; nothing when there is no such agent."""

    async def depart(self, instance_id: str, generation: int, now: float, seen: float | None = None) -> None:
        """The instance's connection of this generation ended; nothing when a newer one is there.

        It was heard last at `seen`; None: now.
        """

    async def seen(self, heard: Mapping[str, float]) -> None:
        """Store when these agents, by id, were heard last."""

    async def depart_all(self, now: float) -> list[str]:
        """Nobody is connected: the process has just started. Returns the agents that were when the last one ended."""


class Shares(Protocol):
    """With whom agents are shared besides their owners. `AgentRecord` has them too."""

    async def put(self, agent_id: str, shares: Sequence[Share], now: float) -> list[Token]:
        """Share an agent, in place of what was shared with the same subjects; with all of these or with none.

        Returns the tokens that this ended (`Tokens`). Raises NotFound without the agent, Conflict (`too_many_shares`)
        for one of more than `MOST_SHARES`.
        """

    async def drop(self, agent_id: str, subjects: Sequence[str], now: float) -> list[Token]:
        """Share it with these subjects no more, as far as it was; return the tokens that this ended."""

    async def named(self, agent_id: str) -> list[tuple[Share, str]]:
        """Return with whom an agent is shared, and the names of those users and groups, by name.

        Those that are gone are left out.
        """

    async def counted(self, visible: Visible) -> Mapping[str, int]:
        """Return how many agents are seen of each owner, by the owner's name."""

    async def seen(self, visible: Visible, agent_ids: Collection[str]) -> Mapping[str, str]:
        """Return the full names of those of these agents that are seen, by their ids."""


class Groups(Protocol):
    """Groups of users. `User` has theirs too."""

    async def add(self, group: Group) -> None:
        """Store a new group. Raises Conflict (`group_exists`) when the name is taken."""

    async def by_name(self, name: str) -> Group | None:
        """Return the group of this name."""

    async def find(self, *, user_id: str | None, limit: int, after: str | None = None) -> list[Group]:
        """Return groups by name, from the one after `after`: those that a user is in, or all with None."""

    async def delete(self, group_id: str, now: float) -> list[Token]:
        """Remove a group, and what is shared with it; return the tokens that this ended (`Tokens`)."""

    async def put_member(self, group_id: str, user_id: str) -> None:
        """Have a user in a group.

        Raises NotFound without either, Conflict (`too_many_memberships`) for one of more than `MOST_MEMBERS` or
        `MOST_MEMBERSHIPS`.
        """

    async def drop_member(self, group_id: str, user_id: str, now: float) -> list[Token]:
        """Have a user not in a group; return the tokens that this ended (`Tokens`)."""

    async def members(self, group_id: str) -> list[User]:
        """Return who is in a group, by name."""

    async def levels(self, group_id: str) -> set[AccessLevel]:
        """Return what agents are shared with a group for."""


NamedToken: TypeAlias = tuple[Token, str]
"""A token, and the full name of its agent."""


class Tokens(Protocol):
    """Agent tokens, without the tokens themselves.

    Of those that were made by a share (`Token.by_share`) none is stored, and none is good, while who made it may not
    manage the agent (`rights.manages`): the write that ends this revokes them, and returns those that were good.
    """

    async def add(self, token: Token) -> None:
        """Store an issued token; raises NotFound (`agent_not_found`) where who made it may not manage the agent."""

    async def get(self, token_id: str) -> Token | None:
        """Return it."""

    async def bearer(self, token_id: str) -> tuple[Token, AgentRecord, User] | None:
        """Return it with the agent that it is for, and that one's owner, in one look."""

    async def of_agent(self, agent_id: str) -> list[Token]:
        """Return the agent's tokens, newest first; of more than `MOST_SECRETS` the revoked ones are left out first."""

    async def of_lineage(self, lineage: str) -> list[Token]:
        """Return the tokens of this lineage, newest first, as `of_agent` does."""

    async def renew(self, token: Token, of: str) -> bool:
        """Store a token that an agent has in place of the one with the id `of`; False, and it is not stored, when that
        was revoked, or is about to retire.

        Of those of the lineage that have expired, and that no known instance has, the oldest are forgotten
        (`MOST_OF_LINEAGE`).
        """

    async def rotate(self, token: Token, of: str, at: float) -> list[Token] | None:
        """Store a token in place of all others of its lineage, which end then, at the latest; in one step.

        Returns those that had not ended; None, and nothing is stored, when the one with the id `of` was revoked. Raises
        as `add`.
        """

    async def revoke(self, token_id: str, now: float) -> Token | None:
        """Mark it and its whole lineage revoked (once: the first time stays) and return it."""

    async def resting_on(self, key_id: str, now: float) -> list[NamedToken]:
        """Return the tokens that rest on this signing key (`Token.rests_on`), and have not ended."""

    async def withdraw(self, key_id: str, now: float) -> list[NamedToken]:
        """Mark as revoked and withdrawn all that rest on this signing key and are not revoked, in one step.

        Returns those that had not ended, as they were.
        """

    async def withdraw_others(self, key_ids: Collection[str], now: float) -> None:
        """Mark likewise those that are signed with none of these keys, and have not expired: nobody can use them."""


KeyUse: TypeAlias = tuple[float, str]
"""When a key was used, and from which address."""


Ended: TypeAlias = tuple[list[Token], list[ApiKey], list[Invitation]]
"""What ended because of a user: tokens (`Tokens`), and what they made for others while they administered."""


class Users(Protocol):
    """Users and their API keys.

    Keys and invitations that an administrator made for others end in the write in which they administer no more.
    """

    async def add(self, user: User) -> None:
        """Store a new user. Raises Conflict (`user_exists`) when the name is taken."""

    async def get(self, user_id: str) -> User | None:
        """Return the user."""

    async def by_name(self, name: str) -> User | None:
        """Return the user of this name."""

    async def find(self, *, limit: int, after: str | None = None, part: str = "") -> list[User]:
        """Return users who have this part in their name, by it, from the one after `after`."""

    async def update(
        self, user_id: str, now: float, *, role: Role | None = None, disabled_at: float | None = None
    ) -> tuple[User | None, Ended]:
        """Change what is given; `disabled_at=0` enables again. With another role their invitations end, in one step.

        Returns the user, and what this ended.

        Raises Conflict (`last_administrator`), and changes nothing, where nobody would be left who administers.
        """

    async def delete(self, user_id: str, now: float) -> Ended | None:
        """Remove a user with their keys, sessions, and what they log in with; their tasks stay. None: there was none.

        Returns what this ended besides.

        Raises Conflict, and removes nothing, while they own agents (`user_has_agents`), or where no administrator would
        be left who is enabled (`last_administrator`).
        """

    async def add_key(self, key: ApiKey, entry: Entry | None = None) -> bool:
        """Store an API key; False, and nothing is stored, when its user may not come in. Raises NotFound without them.

        None: whoever makes it has come in already. Raises Forbidden when who made it for them administers no more.
        """

    async def key_by_digest(self, digest: bytes) -> tuple[ApiKey, User] | None:
        """Return the key with this SHA-256 and its user, whatever their state."""

    async def keys_of(self, user_id: str) -> list[ApiKey]:
        """Return the user's keys, newest first; of more than `MOST_SECRETS` the revoked ones are left out first."""

    async def find_keys(
        self, *, limit: int, user_id: str | None = None, after: str | None = None
    ) -> list[tuple[ApiKey, User]]:
        """Return the keys of this user, else everybody's, newest first, with their users; from the one after `after`.

        That is the id of a key; it need not be there any more. Keys are in the order of their ids, as they are made.
        """

    async def revoke_key(self, key_id: str, user_id: str | None, now: float) -> ApiKey | None:
        """Mark the key revoked and return it; with `user_id`, only when it is that user's."""

    async def keys_used(self, uses: Mapping[str, KeyUse]) -> None:
        """Store the last use of these keys, by id, in one step; those that are gone meanwhile stay gone."""


class AuditFilter(msgspec.Struct, frozen=True):
    """Which rows of the audit log to list; every field that is set narrows."""

    action: str | None = None
    """Of this action, or of all of this noun."""
    who: str | None = None
    """By whoever has this id or name, or in the name of the user with this id, or with a key of the one of this
    name; `system` and `nobody` are those that have none."""
    object: str | None = None
    """To what has this id or name."""
    since: float | None = None
    """Seconds since the epoch: only what was done from then on."""
    until: float | None = None
    """Likewise: only what was done before."""
    address: str | None = None
    """Only what was asked from there."""


class AuditLog(Protocol):
    """Who did what to what: rows are added to it, never changed, and removed only from its beginning."""

    def append(self, events: Sequence[AuditEvent]) -> Write[tuple[ChainHead, str | None]]:
        """Queue rows behind the last one and return at once, as `Tasks` does; the write has the last of them.

        Where the log is not as this process left it, a row that says so stands before them, and the write has that too.
        """

    async def find(self, which: AuditFilter, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return rows, newest first, from the one before the row with this number."""

    async def after(self, seq: int, *, limit: int) -> list[AuditEntry]:
        """Return the rows that follow the one with this number, in their order."""

    async def head(self) -> ChainHead:
        """Return the last row, and of an empty log what its first one follows."""

    async def older(self, before: float) -> int:
        """Return the number of the last row with none of this time or later in front of it; 0 when there is none.

        The log's last row is never among them: the next one follows it.
        """

    def drop(self, until: int) -> Write[int]:
        """Queue that some of the oldest rows are removed, of those up to this one, which is not the last.

        The write has how many were: 0 once all are.
        """


class AuditHeads(Protocol):
    """Where the head of the audit log is kept outside of the store, signed."""

    async def keep(self, head: ChainHead, now: float) -> None:
        """Keep this one in the place of the one before; where that can't be done, it is tried with the next one."""

    def kept(self) -> AuditHead | None:
        """Return the one that is kept; raises ConfigurationError where it can't be read."""

    def signed(self, head: AuditHead | AuditAnchor) -> bool:
        """Tell whether a head or an anchor is signed by this network."""

    def anchor(self) -> AuditAnchor | None:
        """Return the anchor of what was archived; raises ConfigurationError where it can't be read."""

    async def archives(self, most: int) -> list[AuditArchive]:
        """Return the newest files with archived rows, the newest first.

        Raises Unavailable (`archives_unreadable`), or ConfigurationError (`file_refused`) when one is no file of ours.
        """

    async def archive(
        self, first: AuditAnchor | None, rows: AsyncIterable[Sequence[AuditEntry]], now: float
    ) -> AuditArchive:
        """Put rows, at least one, that follow `first` into a file, and keep the anchor of the last one of them.

        Both are on the disk when this returns. Raises Unavailable (`archive_failed`), and what `rows` raises: nothing
        was archived then.
        """


class Attention(Protocol):
    """What somebody should look at who manages agents."""

    async def unseen(self, visible: Visible, since: float, until: float, *, limit: int) -> list[AgentRecord]:
        """Return agents that they manage, and that are not disabled, that were seen last in this time, the last first.

        One that is connected is seen once a minute.
        """

    async def ending(
        self, visible: Visible, since: float, until: float, *, limit: int
    ) -> list[tuple[Token, AgentRecord]]:
        """Return tokens of such agents that end in this time, the first first, unless another has their place."""


STEPS = frozenset(set(TaskEventKind) - {TaskEventKind.PROGRESS, TaskEventKind.CHUNK, TaskEventKind.LOG})
"""Events that say what became of a task; the others are what its agent reported meanwhile."""
MOST_TOLD = 4_096
"""Bytes of what is said of an artifact; of one with more it is told only that there is one."""
SAYING = frozenset((TaskEventKind.STATE, TaskEventKind.CONNECTION))
"""Those of them that attempts are told by. What others say may be long, and is not read for a trace."""


class Traces(Protocol):
    """What happened to tasks that belong together."""

    async def steps(self, lasts: Sequence[tuple[str, int]], cuts_of: str = "") -> list[TaskEvent]:
        """Return the events that say what became of these tasks, each given with the number of its last event.

        Those of a task stand in their order. Of one with very many the first and the last are looked at, and those in
        between for the cuts and artifacts of the task with the id `cuts_of`. Only of those that are `SAYING`, and
        of that task's artifacts with no more than `MOST_TOLD`, it is told what they say; the data of others is an empty
        object.
        """

    async def owners(self, task_ids: Collection[str]) -> Mapping[str, TaskOwner]:
        """Return whose these tasks are, by id; those that there are."""


class Statistics(Protocol):
    """Counts of tasks that have ended, kept for 31 days; of each minute for 3 hours, then of each hour for a week."""

    async def roll(self, now: float) -> None:
        """Count what ended before the minute of `now` and is not counted yet; at any time, any number of times."""

    async def read(
        self, visible: Visible, since: float, until: float, *, step: int, agent_id: str | None = None
    ) -> Tallies:
        """Return what ended in this time of what is seen, up to now, by spans of `step` seconds.

        What `visible` says of credentials is not known here. Minutes, hours and days (UTC) count where they begin. Of
        skills and callers those of the busiest may be told alone, of each span that is kept; of all else all.
        """

    async def of_agents(
        self, visible: Visible, since: float, until: float, names: Sequence[str]
    ) -> Mapping[str, Mapping[str, int]]:
        """Return how many tasks of each agent of these full names ended in which state, likewise; without a task none.

        Unlike what `read` tells of skills, this is of all that ended.
        """


class ResourceSeries(Protocol):
    """What agents' processes took: by the minute for a day, by the hour for 30, less where there are very many."""

    async def add(self, start: int, taken: Mapping[tuple[str, str], SpanFigures]) -> None:
        """Store what (agent, instance)s took in the minute that begins then, in place of what is stored of it."""

    async def connected(self, visible: Visible) -> Sequence[ConnectedProcess]:
        """Return the connected instances of all agents that are managed; what `visible` says of keys does not count."""

    async def roll(self, now: float) -> None:
        """Add up the hours that are over, and forget what is too old; at any time, any number of times.

        Where much is too old, it goes little by little.
        """

    async def read(self, agent_id: str, since: float, until: float, *, step: int) -> Sequence[InstanceFigures]:
        """Return what the agent's instances took in each span of `step` seconds, by time.

        `step` is a minute or more, and a part of an hour or a multiple of it. Of very many instances the oldest spans
        are left out.
        """


class ServerProcess(Protocol):
    """The process that a network runs in, as people are told of it."""

    async def limits(self) -> Sequence[LimitInfo]:
        """Return the limits that are in force; `used` of none is known here."""

    async def about(self, rows: Mapping[str, int]) -> ServerInfo:
        """Return what it is; `rows` are those of its store."""

    def samples(self) -> Iterable[SeriesSample]:
        """Return how the process is at this moment, its store and its router: what is scraped of them."""


class Store(Protocol):
    """Everything that is kept. One process owns it."""

    async def counts(self) -> Mapping[str, int]:
        """Return how many rows there are: `tasks`, `agents`, `tokens`, `users`, `api_keys`, `audit`."""

    @property
    def tasks(self) -> Tasks:
        """Tasks and their events."""

    @property
    def agents(self) -> Agents:
        """Agents, their skills and instances."""

    @property
    def tokens(self) -> Tokens:
        """Agent tokens."""

    @property
    def shares(self) -> Shares:
        """With whom agents are shared."""

    @property
    def groups(self) -> Groups:
        """Groups of users."""

    @property
    def users(self) -> Users:
        """Users and their API keys."""

    @property
    def audit(self) -> AuditLog:
        """The audit log."""

    @property
    def attention(self) -> Attention:
        """What somebody should look at."""

    @property
    def resources(self) -> ResourceSeries:
        """What agents' processes took."""

    @property
    def traces(self) -> Traces:
        """What happened to tasks that belong together."""

    @property
    def statistics(self) -> Statistics:
        """Counts of what has ended."""

    @property
    def accounts(self) -> Accounts:
        """What users log in with."""

    @property
    def sessions(self) -> Sessions:
        """Sessions of people."""

    async def network_id(self) -> str:
        """Return the id made when the store was created; it is in the issuer of every token."""

    async def ready(self) -> None:
        """Return when a read works. Raises Unavailable otherwise."""


class LogStore(Protocol):
    """The lines of agents' logs, kept apart from all else: no task ever waits for it.

    Each may raise Unavailable: nothing was done then, and it may be asked again.
    """

    async def append(self, batches: Sequence[LogBatch], now: float, limits: LogLimits) -> list[KeptBatch]:
        """Keep what is new in these, and return what became of each; what is kept outlives the process.

        Lines up to the last number of their instance that is kept are there already, and are passed over.
        """

    async def find(self, which: LogFilter, sight: LogSight, *, limit: int, before: str | None = None) -> LogFinds:
        """Return lines that are looked for and seen, newest first; of an instance in the order of their numbers.

        A part may have less than `limit`, or nothing, and more may follow: where much is looked at for little that
        fits, it ends early and says up to when it has looked. `before` is its cursor. Raises InvalidInput
        (`invalid_cursor`) for one that is not ours.
        """

    async def trim(self, now: float, limits: LogLimits) -> bool:
        """Remove some of what is too old or too much, oldest first; tell whether there may be more of it."""

    async def forget(self, agent_id: str) -> None:
        """Remove all lines of an agent."""

    async def agents(self) -> list[str]:
        """Return the ids of the agents of which there are lines."""


class Backups(Protocol):
    """Copies of everything that is kept, the keys that sign tokens included."""

    async def make(self) -> BackupInfo:
        """Make one, while everything goes on. It appears whole, or not at all.

        Raises:
            Busy: one is being made already (`backup_running`).
            Unavailable: no room is left (`storage_full`), or there is no place for it (`backup_failed`).
        """

    async def find(self) -> list[BackupInfo]:
        """Return those that are there, newest first, at most 1,000. Raises Unavailable (`backup_failed`)."""


class KeyStore(Protocol):
    """Where the keys that sign tokens are kept."""

    def new(self, now: float) -> "SigningKey":
        """Return a key that nobody has."""

    async def save(self, ring: "KeyRing", now: float) -> None:
        """Keep this ring in the place of the one before, on the disk before this returns. Raises ConfigurationError."""


class RouterPort(Protocol):
    """The routers, as the backend sees them."""

    def say(self, message: ToRouter) -> None:
        """Tell whichever router it concerns; what it has to say to it comes by itself. Never fails; keeps the order."""


class Schemas(Protocol):
    """The schemas of skills and questions, which come from agents: they are looked at before they are used."""

    async def check(self, schema: bytes, value: Payload, *, what: str, name: str, whose: str) -> None:
        """Check a payload; `what` and `name` say in errors what it is and for whom, `whose` is the asking user's id.

        Raises:
            InvalidInput: it breaks the schema, with the faults in `detail`; or that takes too long to tell
                (`schema_too_costly`).
            Busy: too many checks of this user wait.
        """

    async def check_declared(self, schemas: Sequence[tuple[str, bytes]], whose: str) -> None:
        """Refuse schemas that can't be used; each comes with what it is the schema of, `null` stands for none.

        Raises:
            InvalidInput: what is wrong with which (`invalid_schema`).
            Busy: too many checks of this user wait.
        """

    def check_question(self, schema: bytes, what: str) -> None:
        """Refuse the schema of a question that can't be used; `what` names it. Raises as `check_declared`."""


class Checker(Protocol):
    """Checks values against schemas apart from everything else, so that no check can hold up anybody but its caller."""

    async def check(self, schema: bytes, value: bytes, *, name: str, whose: str) -> Sequence[InputFault] | None:
        """Check a JSON text; `name` is whose input it is, for the faults, and `whose` the user for whom it is done.

        Returns None when it fits; else where and why it does not, empty when telling that would take too long.

        Raises:
            InvalidInput: it takes more time or memory than a check may (`schema_too_costly`), or the schema is none.
            Busy: too many checks of this user wait.
        """

    async def look_at(self, schema: bytes, *, whose: str) -> Cost:
        """Return what a schema costs; raises as `check` does."""
