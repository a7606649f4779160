"""The messages between a router and the backend; each says when it is said, and what answers it.

`FromRouter` is all that a router says, `ToRouter` all that it is told. What needs an answer has a `number`, the
router's own, and the answer names it in `to`. Both sides keep the order in which they say things. Nothing here is
retried by whoever said it: what was not answered is said again by the agent, after its connection was closed for it.

Slots are credit. A router tells in `Credit` how many tasks a connection may be given in all; the backend counts those
that it has given, and never gives more. So neither has to know what is on its way to the other.

Times are seconds since the epoch on the server's clock, durations are seconds.
"""

from typing import TypeAlias

import msgspec

from agentic_atlas.protocol.messages import (
    Answer,
    Call,
    Cancel,
    Hello,
    InstanceInfo,
    LogLine,
    Reply,
    Report,
    Resources,
    RunningAttempt,
    Verdict,
)
from agentic_atlas.protocol.messages import Task as Assignment
from agentic_atlas.protocol.tasks import Holdup, Loss

ROTATED = "token_rotated"
"""Code of a token in whose place another one is, after the time in which both are good."""


class Identity(msgspec.Struct, frozen=True):
    """Who a token says a connection is; its signature and times are verified already."""

    token_id: str
    agent_id: str
    expires_at: float
    presented_at: float = 0.0
    """When the token was presented."""
    address: str = ""
    """Network address that it was presented from; a proxy's, when there is one in between."""
    lineage: str = ""
    """Id of the first of the tokens that this one came out of; empty: it is the first."""
    key_id: str = ""
    """Of the key that the token is signed with."""
    retires_at: float | None = None
    """From then on it is refused, because another one has taken its place; None: none has."""

    @property
    def ends_at(self) -> float:
        """From then on the connection is given no new task, and is closed as soon as it has nothing in hand."""
        return self.expires_at if self.retires_at is None else min(self.expires_at, self.retires_at)

    @property
    def root(self) -> str:
        """Id of its lineage: tokens of one are one token, as far as instances go."""
        return self.lineage or self.token_id


class InstanceRef(msgspec.Struct, frozen=True):
    """A registered connection of an instance: what is said of it, and by it, is fenced by its generation."""

    agent_id: str
    instance_id: str
    generation: int
    """Of the connection among all of the instance's: a higher one has taken its place. Numbers may be left out."""


class Failure(msgspec.Struct, frozen=True):
    """Why something was not done; the connection that asked for it is closed."""

    close_code: int
    """A `CloseCode`. `UNAVAILABLE` is no fault of the agent's, which says it again after it has come back."""
    code: str
    message: str = ""
    retry_after: float | None = None


# -- a router says


class Arrived(msgspec.Struct, frozen=True, tag_field="type"):
    """A connection said `hello`. Answered by `Admit` or `TurnAway`."""

    number: int
    identity: Identity
    hello: Hello


class Withdrawn(msgspec.Struct, frozen=True, tag_field="type"):
    """Nobody waits any more for the answer to this `Arrived`. Not answered; an `Admit` that comes all the same is
    followed by `Departed`."""

    number: int


class Credit(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """How many tasks a connection may be given: said after its `welcome`, and whenever any of it changes. Not answered.

    The first of a connection means that its instance is there.
    """

    instance: InstanceRef
    slots: int
    """Tasks it runs at the same time."""
    granted: int
    """Tasks that it may be given in all, since its `welcome`; never less than was said before."""
    holdup: Holdup | None = None
    """Why it is given nothing for now, whatever was granted."""


class Congested(msgspec.Struct, frozen=True, tag_field="type"):
    """The agent does not read what is sent to it, or reads again: no `Replied` until it does. Not answered."""

    instance: InstanceRef
    congested: bool


class Heard(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True, gc=False):
    """An agent's beat came. Not answered.

    Said at once of one with a result or an attempt in question, and of the first without; of all others with the tick.
    """

    instance: InstanceRef
    oldest_result: float = 0.0
    """How long its oldest result has waited to be acknowledged, by its own clock; 0 when none does."""
    unheard: tuple[RunningAttempt, ...] = ()
    """Attempts that take a slot of it and that several beats in a row have not named."""
    lag: float = 0.0
    """How late the loop is that runs its handlers."""
    cpu: float = 0.0
    """Percent of one core, over the time since the beat before."""
    memory: int = 0
    """Resident bytes; 0: it does not say."""
    resources: Resources | None = None
    """What else it and its machine take; None: it does not say."""


class Reported(msgspec.Struct, frozen=True, tag_field="type"):
    """An agent said something of an attempt. Answered by `Receipt`, in the order of the reports."""

    number: int
    instance: InstanceRef
    report: Report


class Lost(msgspec.Struct, frozen=True, tag_field="type"):
    """The attempt's lease ran out: its instance did not come back in time. Answered by `Receipt`."""

    number: int
    task: str
    attempt: int
    why: Loss


class Waiting(msgspec.Struct, frozen=True, tag_field="type"):
    """The attempts of these instances, which are not connected, wait for them so long from now. Not answered."""

    instances: tuple[str, ...]
    seconds: float


class Departed(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A connection ended, whatever the reason; what its instance holds waits for it. Not answered."""

    instance: InstanceRef
    silent: float
    """Seconds since it was heard last."""
    grace: float
    """Seconds for which its attempts wait."""
    expected: bool = False
    """It was sent away because the router ends: it comes back to the next one."""
    why: Loss = Loss.CUT


class Absent(msgspec.Struct, frozen=True, tag_field="type"):
    """No instance of the agent has been connected for one grace period, since the last one left. Not answered."""

    agent_id: str


class Barred(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Somebody was not let in for what they have shown: the audit log tells of it. Not answered."""

    code: str
    """Why: that of the answer."""
    address: str
    """Network address that it came from."""
    token_id: str = ""
    """The token's; empty: nobody knows whose it is."""
    agent_id: str = ""


class Logged(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Lines of an agent's log. Answered by `LogsKept`, before which the connection says no more of them.

    The same lines come again after a cut: those whose number is not above that of the last one kept are kept already.
    """

    instance: InstanceRef
    first: int
    """Number of the first line among all of the instance's."""
    lines: tuple[LogLine, ...]
    dropped: int = 0
    """Lines that the instance has dropped so far: their numbers are left out."""


class Called(msgspec.Struct, frozen=True, tag_field="type"):
    """An agent calls another one. Answered by `Replied`, several times for a stream.

    The same call (its task, attempt and id) made again, on this connection or the next, is answered for the same child
    task, and the earlier one is not answered any more.
    """

    instance: InstanceRef
    call: Call


class Contested(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A second instance came with a token, or with one of the same lineage. Not answered."""

    identity: Identity
    """Of the newcomer."""
    newcomer: InstanceInfo
    holder: str = ""
    """The instance that was there; empty: it was just being let in."""
    replaced: bool = False
    """It gave no sign of life, and the newcomer has taken its place (4105); else the newcomer was refused (4010)."""


class Renew(msgspec.Struct, frozen=True, tag_field="type"):
    """An agent asks for a token in place of its connection's. Answered by `Renewed`."""

    number: int
    instance: InstanceRef
    token_id: str
    """The connection's."""
    address: str = ""
    """From where it is connected."""


class Unleased(msgspec.Struct, frozen=True, tag_field="type"):
    """These of the attempts in an `Audit` have no lease, and no loss of theirs is being stored. Answers `Audit`."""

    attempts: tuple[RunningAttempt, ...]


class Closing(msgspec.Struct, frozen=True, tag_field="type"):
    """This router is about to end: it takes no more tasks. Its agents come back to the next one. Not answered."""


# -- a router is told


class Admit(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """The instance is registered. Answers `Arrived`; followed by `Credit`, or by `Departed`."""

    to: int
    instance: InstanceRef
    agent: str
    owner: str
    attempts: tuple[Verdict, ...] = ()
    """One for each attempt, running or finished, that `hello` announced, those of ended processes included."""
    held: tuple[Assignment, ...] = ()
    """Attempts this instance holds and did not announce: it never received them, so they are delivered again."""
    cancels: tuple[Cancel, ...] = ()
    """Of the announced attempts that are to be canceled."""
    answers: tuple[Answer, ...] = ()
    """All that announced attempts were answered so far: any of it may not have reached them."""
    renewable: bool = False
    """The token may be renewed on this connection."""
    retires_at: float | None = None
    """When the token ends because another one has taken its place; see `Retire`."""
    keeps_logs: bool = False
    """Whether lines of its log are kept, so that they may be said (`Logged`)."""
    lost: tuple[RunningAttempt, ...] = ()
    """Attempts, of this instance or of ended ones whose place it takes, that are over: they need no lease any more."""


class TurnAway(msgspec.Struct, frozen=True, tag_field="type"):
    """The instance is not let in: its connection is closed. Answers `Arrived`."""

    to: int
    failure: Failure


class Renewed(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """The token in place of the connection's, or why there is none. Answers `Renew`."""

    to: int
    token: str = ""
    token_id: str = ""
    expires_at: float = 0.0
    renewable: bool = False
    """It may be renewed in its turn."""
    key_id: str = ""
    """Of the key that it is signed with."""
    failure: Failure | None = None
    """There is none; without `retry_after` there never will be. The connection goes on."""

    def __repr__(self) -> str:
        """Return it without the token."""
        return f"Renewed(to={self.to!r}, token_id={self.token_id!r}, failure={self.failure!r})"


class Dismiss(msgspec.Struct, frozen=True, tag_field="type"):
    """A connection that was admitted could not be stored after all: close it. Answered by `Departed`."""

    instance: InstanceRef
    failure: Failure


class Receipt(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """It was dealt with: its commit is on disk, or it is of no account any more. Answers `Reported` and `Lost`."""

    to: int
    recorded: bool = False
    n: int = 0
    """For events: number of the attempt's last stored one."""
    failure: Failure | None = None
    """It could not be stored, or must not be."""


class Deliver(msgspec.Struct, frozen=True, tag_field="type"):
    """Run this attempt, which takes one of what was granted to the connection. Answered by what the agent reports.

    When that connection has ended meanwhile, the attempt goes to the instance's next one, or waits for it through the
    grace period.
    """

    instance: InstanceRef
    task: Assignment


class Forget(msgspec.Struct, frozen=True, tag_field="type"):
    """The attempt has ended without its agent: it needs no lease any more. Not answered."""

    task: str
    attempt: int


class Abandon(msgspec.Struct, frozen=True, tag_field="type"):
    """Its instance does not have the attempt: it needs no slot and no lease. Answered by `Credit` where it had one."""

    task: str
    attempt: int


class Adopt(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """Keep the attempt for its instance through one grace period. Answered by `Waiting`, and by `Lost` if it is."""

    task: str
    attempt: int
    instance_id: str
    lineage: str = ""
    """Of the instance's token, where that is known: the agent of any other has no say in how long the attempt waits."""


class Revoke(msgspec.Struct, frozen=True, tag_field="type"):
    """Close the connections made with these tokens with 4103, and let none in again. Not answered."""

    token_ids: tuple[str, ...]
    reason: str


class Retire(msgspec.Struct, frozen=True, tag_field="type"):
    """These tokens end then, for another one was made in their place. Who is connected with one is told so, is given
    nothing new from then on, and is closed with 4103 once it has nothing in hand, as when it expires. Not answered."""

    token_ids: tuple[str, ...]
    at: float


class TokenKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """The public half of a key that tokens are signed with."""

    x: str
    """Its 32 bytes, in base64url."""
    created_at: int
    retire_at: int | None = None
    """From then on it verifies nothing; None: it signs."""


class VerifyWith(msgspec.Struct, frozen=True, tag_field="type"):
    """Verify tokens with these keys from now on, and with no other: close with 4103 the connections of tokens that are
    signed with none of them. Said at the start and whenever they change. Not answered."""

    keys: tuple[TokenKey, ...]


class ShutOut(msgspec.Struct, frozen=True, tag_field="type"):
    """Close the agent's connections with 4104, and let none in until `Readmit`. Not answered."""

    agent_id: str
    reason: str


class Readmit(msgspec.Struct, frozen=True, tag_field="type"):
    """The agent may connect again. Not answered."""

    agent_id: str


class LogsKept(msgspec.Struct, frozen=True, tag_field="type"):
    """All lines of the instance up to and including this number are kept. Answers `Logged`.

    A number below that of the first line said there tells that there is no room now.
    """

    instance: InstanceRef
    up_to: int


class Replied(msgspec.Struct, frozen=True, tag_field="type"):
    """A reply to a call of the agent's; after a `result` no more follow. Answers `Called`."""

    instance: InstanceRef
    reply: Reply


class Audit(msgspec.Struct, frozen=True, tag_field="type"):
    """These attempts are held by an instance: each has a lease, or its task would hang. Answered by `Unleased`."""

    attempts: tuple[RunningAttempt, ...]


FromRouter: TypeAlias = (
    Arrived
    | Withdrawn
    | Credit
    | Congested
    | Heard
    | Reported
    | Lost
    | Waiting
    | Departed
    | Absent
    | Barred
    | Logged
    | Called
    | Contested
    | Renew
    | Unleased
    | Closing
)
"""What a router says to the backend."""

ToRouter: TypeAlias = (
    Admit
    | TurnAway
    | Renewed
    | Dismiss
    | Receipt
    | Deliver
    | Cancel
    | Answer
    | Forget
    | Abandon
    | Adopt
    | Revoke
    | Retire
    | VerifyWith
    | ShutOut
    | Readmit
    | LogsKept
    | Replied
    | Audit
)
"""What the backend says to a router.

`Cancel` and `Answer` are for whoever holds the attempt; one that is away is told as it comes back.
"""
