"""The wire: a closed union of frozen messages, the same types on both sides.

One WebSocket text frame carries one message as a JSON object whose `type` names it. Each message says who sends it,
when, and what answers it; `SENDER` says the first of these to the program (None: either side). Times are seconds since
the epoch on the server's clock, durations are seconds. Fields a reader does not know are ignored, so a newer peer may
add some.

Payloads (`input`, `output`, `data`) are `Raw`: JSON that is passed on byte for byte and never written anew.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

import msgspec
from msgspec import Meta, Raw

from agentic_atlas.protocol.codes import CODE

NULL = Raw(b"null")
"""The JSON value null, for payloads that are absent."""

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+\Z")]
"""An identifier of ours: letters, digits and `_.:-`."""

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9]([a-z0-9_-]*[a-z0-9])?\Z")]
"""Name of an agent: lower-case letters, digits, `_` and `-`."""

SkillName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_-]*\Z")]
"""Name of a skill: what Python allows as a function's name in ASCII, and `-`."""

Code: TypeAlias = Annotated[str, Meta(pattern=CODE)]
"""A stable word for programs: 1 to 64 lower-case letters, digits and `_`."""

LINE = 1024
"""Characters of a line, at the most."""
Line: TypeAlias = Annotated[str, Meta(max_length=LINE)]
Label: TypeAlias = Annotated[
    str,
    Meta(
        max_length=LINE,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]*\Z",
    ),
]
"""What a process says of itself: a line without control characters, and without what hides or turns round its text."""

Text: TypeAlias = Annotated[str, Meta(max_length=16_384)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]


Percent: TypeAlias = Annotated[float, Meta(ge=0, le=1e6)]
PauseReason: TypeAlias = Literal["memory", "cpu", "battery", "quiet_hours"]
"""Which of its own limits an agent keeps when it takes no new tasks for a while."""

LONGEST_TOKEN = 4096
"""Characters of a token; what is longer is none."""

HELLO_BYTES = 1024 * 1024
"""Longest `hello`: nothing longer is read before one was taken."""
BEAT_BYTES = 1280 * 1024
"""Longest `beat`: one that names as many attempts as it may is shorter."""


class Side(StrEnum):
    """The two ends of a connection."""

    AGENT = "agent"
    ROUTER = "router"

    @property
    def peer(self) -> "Side":
        """The other end."""
        return Side.ROUTER if self is Side.AGENT else Side.AGENT


class Delivery(StrEnum):
    """What happens to an attempt whose instance is lost."""

    AT_LEAST_ONCE = "at_least_once"
    """Another attempt, while the policy has some left: the skill may run twice."""
    AT_MOST_ONCE = "at_most_once"
    """None: a task that was delivered ends `outcome_unknown`; the skill never starts twice."""


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a skill's tasks are delivered; part of `hello`."""

    delivery: Delivery = Delivery.AT_LEAST_ONCE
    max_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    """Attempts that may be lost with their instance, the first included."""
    retries: Annotated[int, Meta(ge=0, le=100)] = 0
    """Further attempts after an error of the handler itself."""
    backoff: Annotated[float, Meta(ge=0, le=86_400)] = 1.0
    """Wait before the first retry; it doubles with each further one."""
    timeout: Annotated[float, Meta(gt=0, le=604_800)] | None = None
    """Longest time from the start of the skill to its result."""


class SkillSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One callable function of an agent, as declared in `hello`."""

    name: SkillName
    input_schema: Raw
    """JSON Schema (2020-12) of the input object. It may refer to its own definitions, as `#/$defs/Name`, and to nothing
    else."""
    description: Text = ""
    output_schema: Raw = NULL
    """JSON Schema of the output, or null when it is not declared."""
    policy: Policy = Policy()
    streams: bool = False
    """True when the skill yields its output in chunks."""


class InstanceInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The process behind a connection. What it says of itself are lines without control characters."""

    id: Id
    """Unique for each process: the same id that connects again is the same process with its memory."""
    host: Label = ""
    pid: Count = 0
    sdk: Label = ""
    """Name and version of the SDK, for instance `agentic-atlas/0.1.0`."""
    runtime: Label = ""
    """For instance `CPython 3.11.7 linux`."""
    code_hash: Label = ""
    """Digest of the agent's source, to tell versions apart."""


class RunningAttempt(msgspec.Struct, frozen=True):
    """In `hello`: an attempt that the agent is still working on."""

    task: Id
    attempt: Count


class Caller(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asked for a task."""

    kind: Literal["user", "api_key", "agent"]
    id: Id
    name: Line = ""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a task has no output."""

    code: Code
    """A stable word for programs, for instance `handler_error`; `codes` says who may say which."""
    message: Text
    """For people; what happened and, where known, what to do."""
    detail: Raw = NULL


class Limits(msgspec.Struct, frozen=True):
    """The limits in force on a connection, told in `welcome`; whoever exceeds one is closed with 4107 or 1009."""

    message_bytes: Count = 4 * 1024 * 1024
    """Longest message between agent and router, all its fragments together; a payload may have three quarters of it."""
    payload_bytes: Count = 3 * 1024 * 1024
    """Longest input or output of a task."""
    event_bytes: Count = 256 * 1024
    """Longest data of one event."""
    depth: Count = 64
    """Deepest nesting of arrays and objects."""
    fragments: Count = 64
    """Most WebSocket fragments of one message."""
    unacknowledged: Count = 256
    """Most events that may wait for `event_ack` on one connection."""
    events_per_task: Count = 10_000
    """Most events of one attempt; what exceeds it is dropped by the agent and told in the last one."""
    control_frames_per_second: Count = 20
    """Most pings and pongs, and most beats."""
    open_tasks: Count = 1_000
    """Highest `concurrency` an instance can have."""
    open_calls: Count = 1_000
    """Most calls to other agents that may be open on one connection."""
    skills: Count = 200
    """Most skills of one agent."""

    @classmethod
    def of(cls, message_bytes: int) -> Self:
        """Return the limits of connections whose messages may have so many bytes: payloads three quarters of them."""
        payload = message_bytes * 3 // 4
        # An event is a message too: one that is allowed has to fit into one.
        return cls(message_bytes=message_bytes, payload_bytes=payload, event_bytes=min(cls().event_bytes, payload))


LINE_BYTES = 16 * 1024
"""What a log line takes at the most: message, fields and exception together. Of what is longer the middle is left
out."""
LINES_AT_ONCE = 200
"""Log lines in one message."""


class LogTerms(msgspec.Struct, frozen=True):
    """In `welcome`: what of an agent's log lines is taken. Nobody is closed for more; it is taken more slowly."""

    lines_per_second: Count = 2_000
    """Lines of one agent that are passed on in a second, those of one second at once."""
    bytes_per_second: Count = 1024 * 1024
    """Bytes of the same."""
    frame_bytes: Count = 64 * 1024
    """Longest `logs`; a longer one ends the connection with 4107."""


class Predecessor(msgspec.Struct, frozen=True, omit_defaults=True):
    """In `hello`: a process with the same token that has ended for certain, and what it left behind.

    Of its attempts, those whose results are here become this instance's; the others are lost at once.
    """

    instance: Id
    results: list[RunningAttempt] = []


class Hello(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="hello"):
    """First message on a connection, due within 5 s. Answered by `welcome` or a close.

    After a cut it also says what the agent still holds, so that the router can tell what to keep.
    """

    SENDER: ClassVar[Side | None] = Side.AGENT

    protocol: Count
    instance: InstanceInfo
    skills: list[SkillSpec]
    concurrency: Annotated[int, Meta(ge=1, le=1_000)] = 1
    """Tasks this instance runs at the same time."""
    agent: Name | None = None
    """Name of the agent that the code declares: a token of another agent is not for it (4109)."""
    description: Text = ""
    labels: Annotated[dict[Label, Label], Meta(max_length=64)] = {}
    running: list[RunningAttempt] = []
    results: list[RunningAttempt] = []
    """Attempts that are finished and whose `result` was not acknowledged yet; the results follow `welcome`."""
    predecessors: Annotated[list[Predecessor], Meta(max_length=64)] = []
    """Ended processes whose place this one takes; those of another token are ignored."""
    pause: PauseReason | None = None
    """Why it takes no new tasks yet, as in `beat`."""


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """In `welcome`: what to do with an attempt that `hello` announced."""

    task: Id
    attempt: Count
    keep: bool
    """False: it is not this instance's any more; stop the handler, forget the result."""
    n: Count = 0
    """Number of the attempt's last stored event; those after it are sent again."""


class Welcome(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="welcome"):
    """The agent is registered; tasks follow. Answers `hello`; pending cancels are sent again right after it."""

    SENDER: ClassVar[Side | None] = Side.ROUTER

    agent: Name
    owner: Line
    instance: Id
    generation: Count
    """Of this connection among all of this instance's: higher than that of any older one, which counts no more."""
    limits: Limits
    beat_every: Seconds
    grace: Seconds
    """How long a cut connection keeps its attempts."""
    now: Seconds
    """The server's clock, which deadlines are in."""
    token_expires_at: Seconds | None = None
    """From then on the agent gets no new task, and its connection is closed when it has done what it runs: 4102, or
    4103 where another token has taken its place."""
    token_renewable: bool = False
    """The agent may ask for another token on this connection (`token`)."""
    attempts: list[Verdict] = []
    logs: LogTerms | None = None
    """How log lines are taken (`logs`); None: none are, and the agent sends none."""


class Reaction(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a question: its answer, or that nobody answered in time."""

    question: Annotated[int, Meta(ge=1, le=2**53)]
    """Number of the question among those of its task: 1, 2, … in the order of asking."""
    data: Raw = NULL
    """The answer, any JSON value."""
    expired: bool = False
    """Nobody answered in time. That is not a refusal: `data` says nothing."""


class Task(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="task"):
    """Run this skill. Answered by `accept` or `refuse` at once, later by `result`, or by that alone.

    The same attempt may come twice (the first may have been lost in a cut); it must be started once only.
    """

    SENDER: ClassVar[Side | None] = Side.ROUTER

    task: Id
    attempt: Count
    skill: SkillName
    input: Raw
    caller: Caller
    trace: Line
    """W3C `traceparent` of this task."""
    created_at: Seconds
    deadline: Seconds | None = None
    timeout: Seconds | None = None
    parent: Id | None = None
    depth: Count = 0
    """Number of agents above this one in a chain of calls."""
    answers: list[Reaction] = []
    """What earlier attempts asked and got answered, in the order of asking: this attempt is not to ask it again."""


class Accept(msgspec.Struct, frozen=True, tag_field="type", tag="accept"):
    """The agent has the attempt and starts it. Answers `task`. Left out when an event or the result follows at once."""

    SENDER: ClassVar[Side | None] = Side.AGENT

    task: Id
    attempt: Count


class RefuseReason(StrEnum):
    """Why an agent gives an attempt back without having started it."""

    BUSY = "busy"
    DRAINING = "draining"
    UNKNOWN_SKILL = "unknown_skill"
    GUARD = "guard"


class Refuse(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="refuse"):
    """The agent gives the attempt back; its skill was not started. Answers `task`."""

    SENDER: ClassVar[Side | None] = Side.AGENT

    task: Id
    attempt: Count
    reason: RefuseReason
    message: Text = ""


class EventKind(StrEnum):
    """What an agent can report of a running attempt."""

    PROGRESS = "progress"
    CHUNK = "chunk"
    LOG = "log"
    ARTIFACT = "artifact"
    QUESTION = "question"
    """The skill waits for a person; its data is a `Question`. Answered by `answer`."""


MOST_QUESTIONS = 100
"""Questions that one task can ask."""


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of a `question` event: what a person is asked."""

    number: Annotated[int, Meta(ge=1, le=MOST_QUESTIONS)]
    """1, 2, … in the order in which the attempt asks; those that the task already has reactions to are not asked."""
    question: Annotated[str, Meta(min_length=1, max_length=16_384)]
    schema: Raw = NULL
    """JSON Schema (2020-12) of the answer, or null when any JSON value will do."""
    timeout: Annotated[float, Meta(gt=0, le=31_622_400)] | None = None
    """Seconds within which it has to be answered; counted from when it was stored."""


class Event(msgspec.Struct, frozen=True, tag_field="type", tag="event"):
    """Something happened in a running attempt. Kept by the agent until `event_ack`."""

    SENDER: ClassVar[Side | None] = Side.AGENT

    task: Id
    attempt: Count
    n: Annotated[int, Meta(ge=1, le=2**53)]
    """1, 2, … for each attempt, without gaps: one that leaves some out ends the connection."""
    kind: EventKind
    data: Raw
    """A JSON object."""


class EventAck(msgspec.Struct, frozen=True, tag_field="type", tag="event_ack"):
    """All events of the attempt up to and including `n` are stored. Answers `event`."""

    SENDER: ClassVar[Side | None] = Side.ROUTER

    task: Id
    attempt: Count
    n: Count


class Outcome(StrEnum):
    """How an attempt ended, said by the agent."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    REJECTED = "rejected"


class Result(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="result"):
    """The attempt has ended. Answered by `result_ack`; kept by the agent until then."""

    SENDER: ClassVar[Side | None] = Side.AGENT

    task: Id
    attempt: Count
    outcome: Outcome
    output: Raw = NULL
    """Present when `completed`."""
    error: Fault | None = None
    """Present in every other case."""


class ResultAck(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="result_ack"):
    """The result is stored, or came too late to count; either way the agent forgets it. Answers `result`."""

    SENDER: ClassVar[Side | None] = Side.ROUTER

    task: Id
    attempt: Count
    recorded: bool = True


class Cancel(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="cancel"):
    """Stop this attempt. Answered by `result` (`canceled`), or by nothing when the agent does not know it."""

    SENDER: ClassVar[Side | None] = Side.ROUTER

    task: Id
    attempt: Count
    reason: Line = ""


class Answer(msgspec.Struct, frozen=True, tag_field="type", tag="answer"):
    """A question of this attempt was answered, or was not in time. Not answered itself: it is said again after a cut.

    One that is known already, or of a question that was not asked yet, is kept and changes nothing else.
    """

    SENDER: ClassVar[Side | None] = Side.ROUTER

    task: Id
    attempt: Count
    reaction: Reaction


class Call(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="call"):
    """Ask another agent, as a child of a running attempt. Answered by `reply` (several when `stream`).

    `id` is the agent's own and unique in its process. An open call is sent again after a cut, with `after`; the same
    call is never two tasks.
    """

    SENDER: ClassVar[Side | None] = Side.AGENT

    id: Id
    task: Id
    attempt: Count
    agent: Annotated[str, Meta(min_length=1, max_length=129)]
    """`name`, or `owner/name`."""
    skill: SkillName
    input: Raw
    stream: bool = False
    """True: the child's events are wanted too."""
    after: Count = 0
    """`seq` of the last event already seen."""
    timeout: Seconds | None = None


class ReplyKind(StrEnum):
    """What a `reply` carries."""

    EVENT = "event"
    RESULT = "result"


class Reply(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="reply"):
    """An event of the called task, or its end. Answers `call`; after a `result` no more follow."""

    SENDER: ClassVar[Side | None] = Side.ROUTER

    id: Id
    """The call's."""
    kind: ReplyKind
    child: str = ""
    """Id of the task that the call became; empty when it became none."""
    seq: Count = 0
    event: Line = ""
    """Kind of the event."""
    data: Raw = NULL
    """The event's data, or the output."""
    state: Line = ""
    """Final state of the child task, for `result`."""
    error: Fault | None = None


class Resources(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the children of an agent's process take, and what there is of its machine; part of `beat`.

    Within a container that is limited, the machine is what the container may have. 0 or null: the system does not tell.
    """

    children: Count = 0
    """Processes that it has started, and those that they have."""
    children_cpu: Percent = 0.0
    """Percent of one core, all together."""
    children_memory: Count = 0
    """Resident bytes, all together; what they share counts for each."""
    threads: Count = 0
    """Of the process itself."""
    open_files: Count = 0
    """Of the process itself: files, sockets and pipes."""
    cores: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    """Cores that it may use."""
    machine_cpu: Percent = 0.0
    """Percent of all those cores that somebody uses."""
    memory_used: Count = 0
    memory_total: Count = 0
    """Bytes of memory."""
    load: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    """Processes that run or wait to, over the last minute."""
    disk_used: Count = 0
    disk_total: Count = 0
    """Bytes of the disk that it works on."""
    gpu: Percent | None = None
    """Percent of the time in which the busiest GPU worked."""
    gpu_memory_used: Count = 0
    gpu_memory_total: Count = 0
    """Bytes of memory of all GPUs."""
    battery: Percent | None = None
    """Percent of its battery that is left; null: it has none."""
    on_battery: bool = False
    """It runs on its battery."""


class Beat(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="beat"):
    """The other side is alive and this very socket can deliver. The router answers each with one of its own."""

    SENDER: ClassVar[Side | None] = None

    n: Count
    """Number of the beat; the router's answer repeats it."""
    running: Count = 0
    lag: Seconds = 0.0
    """How late the loop that runs the handlers is."""
    cpu: Percent = 0.0
    """Percent of one core, over the time since the last beat."""
    memory: Count = 0
    """Resident bytes."""
    results: Count = 0
    """Results that wait for their `result_ack`."""
    oldest: Seconds = 0.0
    """How long the oldest of those has waited."""
    attempts: Annotated[list[RunningAttempt], Meta(max_length=10_000)] | None = None
    """The agent's: what it has in hand, from `task` to `result_ack`. None: it does not say.

    The router counts a slot for each attempt, and takes one that several beats in a row leave out for lost.
    """
    pause: PauseReason | None = None
    """Why the agent takes no new tasks for now, by a limit that it was given; null: it takes them."""
    resources: Resources | None = None
    """What else it and its machine take; null: it does not say."""


class Drain(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="drain"):
    """The sender is about to end: no new work. What runs goes on; a close follows when the sender is done.

    An agent says it when it is asked to stop, and again after each `welcome` until it has. A router says it before it
    closes, so that agents have their reports acknowledged and know when to come back.
    """

    SENDER: ClassVar[Side | None] = None

    retry_after: Seconds | None = None
    """The router's: seconds after which it expects to be back."""


class Renewal(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="token"):
    """Another token in place of the connection's, before that expires; the connection goes on with it.

    The agent asks with an empty one, once at a time. The router answers with the new token, or says why there is none.
    The old one stays good until it expires. Unasked, the router says so (`token_rotated`) when a person has another one
    made in its place: it ends at `expires_at`, as if it expired then.
    """

    SENDER: ClassVar[Side | None] = None

    token: Annotated[str, Meta(max_length=LONGEST_TOKEN)] = ""
    expires_at: Seconds = 0.0
    """When the new one does; of one that is refused because of a rotation: when the connection's own ends."""
    renewable: bool = False
    """The new one may be renewed in its turn."""
    refused: Fault | None = None
    """Why there is none."""
    retry_after: Seconds | None = None
    """When refused: seconds after which the agent may ask again; without it there never will be one."""

    def __repr__(self) -> str:
        """Return it without the token."""
        return f"Renewal(expires_at={self.expires_at!r}, renewable={self.renewable!r}, refused={self.refused!r})"


LogLevel: TypeAlias = Literal["trace", "debug", "info", "warning", "error", "critical"]
"""How much a log line matters, least first."""

LogSource: TypeAlias = Literal["task", "logging", "stdout", "stderr", "agent"]
"""Where a log line comes from: `ctx.log` of a task, Python's `logging`, what was printed, or the SDK itself, which also
tells of uncaught errors. Who may see a task is shown its `task` lines; all others are for who manages the agent."""


class LogLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an agent's log; part of `logs`. Tokens in it are redacted before it leaves the agent."""

    at: Seconds
    """When, by the agent's own clock."""
    level: LogLevel
    message: Text
    source: LogSource
    task: Annotated[str, Meta(max_length=64)] = ""
    """The task that it was said in; empty where that is not known for certain."""
    attempt: Count = 0
    trace: Annotated[str, Meta(max_length=64)] = ""
    """Id of the task's trace, as in its `traceparent`."""
    logger: Line = ""
    """Name of the logger, for `logging`."""
    fields: Raw = Raw(b"{}")
    """A JSON object."""
    exception: Text = ""
    """Traceback of the error that it tells of."""


class Logs(msgspec.Struct, frozen=True, tag_field="type", tag="logs"):
    """Lines of the agent's log, in order: only where `welcome` has `logs`, and one message at a time. Answered by
    `logs_ack`.

    The lines of a process are numbered 1, 2, …; the same ones are sent again after a cut, and are kept once. Tasks come
    first: an agent sends this when it has nothing else to say. What it has no room for meanwhile it drops and counts.
    """

    SENDER: ClassVar[Side | None] = Side.AGENT

    first: Annotated[int, Meta(ge=1, le=2**53)]
    """Number of the first of these lines. The numbers of dropped ones are left out; a line that tells how many were has
    the last of them."""
    lines: Annotated[tuple[LogLine, ...], Meta(min_length=1, max_length=LINES_AT_ONCE)]
    dropped: Count = 0
    """Lines of this process that were dropped so far."""


class LogsAck(msgspec.Struct, frozen=True, tag_field="type", tag="logs_ack"):
    """All lines up to and including this number are kept. Answers `logs`.

    A number that is less than that of the message's last line tells that there was no room for what follows: it may be
    sent again a second later.
    """

    SENDER: ClassVar[Side | None] = Side.ROUTER

    up_to: Count


Report: TypeAlias = Accept | Refuse | Event | Result
"""What an agent says of an attempt."""

Message: TypeAlias = (
    Hello
    | Welcome
    | Task
    | Accept
    | Refuse
    | Event
    | EventAck
    | Result
    | ResultAck
    | Cancel
    | Answer
    | Call
    | Reply
    | Beat
    | Drain
    | Renewal
    | Logs
    | LogsAck
)

MESSAGES: tuple[type[Message], ...] = (
    Hello, Welcome, Task, Accept, Refuse, Event, EventAck, Result, ResultAck, Cancel, Answer, Call, Reply, Beat, Drain,
    Renewal, Logs, LogsAck,
)  # fmt: skip
"""Every message type, in the order a connection meets them."""

NAMES: dict[type[Message], str] = {kind: str(kind.__struct_config__.tag) for kind in MESSAGES}
"""What each is called in `type` on the wire."""


def sent_by(kind: type[Message], side: Side) -> bool:
    """Tell whether this side may send this kind of message."""
    return kind.SENDER is None or kind.SENDER is side
