"""What the backend knows, as frozen values. Times are seconds since the epoch; payloads are JSON bytes.

One that is in hand is a `Payload`: the text that is passed on as it came, and what it says, which is read once at most.
"""

from enum import StrEnum
from operator import attrgetter
from typing import Final, Literal, TypeAlias

import msgspec

from agentic_atlas.auth.scopes import AGENT_SCOPES, Scope
from agentic_atlas.backend.domain.names import trace_id
from agentic_atlas.backend.domain.questions import SILENCE, Dialogue
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.inside.messages import Heard
from agentic_atlas.protocol.messages import Delivery, Policy
from agentic_atlas.protocol.tasks import TERMINAL, Holdup, TaskState


class Role(StrEnum):
    """What a user may do."""

    ADMIN = "admin"
    """Everything, for everybody."""
    MEMBER = "member"
    """Everything with what is their own."""
    VIEWER = "viewer"
    """Sees what a member would, and changes nothing but their own keys."""


EVERYONE: Final = "everyone"
"""Whom an agent is shared with that everybody in the network may call."""


class User(msgspec.Struct, frozen=True):
    """A person or team that owns agents."""

    id: str
    name: str
    role: Role
    created_at: float
    disabled_at: float | None = None
    groups: tuple[str, ...] = ()
    """Ids of the groups that they are in; kept with those."""

    @property
    def administers(self) -> bool:
        """Whether they are an administrator who is not disabled."""
        return self.role is Role.ADMIN and self.disabled_at is None

    @property
    def subjects(self) -> tuple[str, ...]:
        """As whom others may share their agents with them."""
        return (EVERYONE, f"user:{self.id}", *[f"group:{group_id}" for group_id in self.groups])


class Group(msgspec.Struct, frozen=True):
    """Users with whom an agent is shared at once."""

    id: str
    name: str
    created_at: float


class AccessLevel(StrEnum):
    """What somebody may do with an agent; each has what those before it have."""

    CALL = "call"
    """See it and its skills, and ask it for tasks."""
    MANAGE = "manage"
    """Also change it, have its tokens, and see and steer all its tasks."""
    OWN = "own"
    """Also rename it, delete it, and decide with whom it is shared."""

    def covers(self, needed: "AccessLevel") -> bool:
        """Tell whether whoever has this may do what the other one is for."""
        return _LEVELS.index(self) >= _LEVELS.index(needed)


_LEVELS: Final = tuple(AccessLevel)


class Share(msgspec.Struct, frozen=True):
    """With whom an agent is shared besides its owner, and for what."""

    subject: str
    """`user:ID`, `group:ID`, or `everyone`."""
    access: AccessLevel


class ApiKey(msgspec.Struct, frozen=True):
    """A secret with which a program acts as its user; only the secret's SHA-256 and its first characters are kept."""

    id: str
    user_id: str
    name: str
    digest: bytes
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    scopes: tuple[str, ...] = (Scope.EVERYTHING,)
    """What it is good for."""
    prefix: str = ""
    """The secret's first characters, to tell it by where it is found; empty: they were not kept when it was made."""
    last_used_at: float | None = None
    """Kept once a minute."""
    last_address: str = ""
    """Where it was used from then."""
    from_login: bool = False
    """It was made because its user logged in: it ends with their sessions when they have another password."""
    made_by: str = ""
    """Id of the administrator who made it, or the key that it was made with, for its user; empty: nobody else did."""

    def good(self, now: float) -> bool:
        """Tell whether it is neither revoked nor over."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class AgentRecord(msgspec.Struct, frozen=True):
    """A named agent of one owner; its instances come and go."""

    id: str
    owner_id: str
    owner: str
    """Name of the owner."""
    name: str
    """Unique for its owner."""
    created_at: float
    description: str = ""
    disabled_at: float | None = None
    last_seen_at: float | None = None
    """When an instance was last heard; kept at connects and disconnects, and once a minute."""
    shares: tuple[Share, ...] = ()
    """With whom it is shared, by subject; kept beside it."""

    @property
    def full_name(self) -> str:
        """`owner/name`, unique in the network."""
        return f"{self.owner}/{self.name}"


class SkillRecord(msgspec.Struct, frozen=True):
    """A skill as its agent last declared it."""

    agent_id: str
    name: str
    description: str
    input_schema: bytes
    output_schema: bytes
    """`null` when it is not declared."""
    policy: Policy
    streams: bool
    updated_at: float


_MOST_NAMES: Final = 10
"""Names of an agent that are remembered with a token."""


class Token(msgspec.Struct, frozen=True):
    """An agent token that was issued; the token itself is not kept."""

    id: str
    """The token's `jti`."""
    agent_id: str
    name: str
    issued_at: float
    expires_at: float
    revoked_at: float | None = None
    last_used_at: float | None = None
    scopes: tuple[str, ...] = AGENT_SCOPES
    """What it is good for, as it says itself."""
    lineage: str = ""
    """Id of the first of the tokens that this one came out of, by renewal or rotation; empty: it is the first."""
    lifetime: float | None = None
    """Seconds that those are good for which take its place; None: as long as itself."""
    renewable_until: float | None = None
    """No token that its agent has by renewal is good for longer; None: it can't be renewed."""
    retires_at: float | None = None
    """From then on it is refused, because another of its lineage has taken its place."""
    last_instance: str = ""
    """Id of the instance that used it last."""
    last_host: str = ""
    last_address: str = ""
    former_names: tuple[str, ...] = ()
    """Names that its agent has had since the first of its lineage was made, but for that of now; the newest last."""
    key_id: str = ""
    """Of the key that signed it; empty: it was made before that was kept."""
    earlier_keys: tuple[str, ...] = ()
    """Ids of the other keys that those were signed with which its agent had before it, and got it for by renewal."""
    withdrawn: bool = False
    """It was revoked with one of these keys, and not its lineage by a person."""
    made_by: str = ""
    """Id of the user who made it, or the one that it was renewed from; empty: that is not known."""
    by_share: bool = False
    """Whoever made it managed the agent and did not own it, for it was shared with them or they were an administrator:
    it ends when they may manage it no more."""
    description: str = ""
    """What it is for, in the words of who made it, or the one that it was renewed or rotated from."""

    def was_called(self, name: str) -> "Token":
        """Return it after its agent was given another name than this."""
        others = [one for one in self.former_names if one != name]
        return msgspec.structs.replace(self, former_names=(*others, name)[-_MOST_NAMES:])

    @property
    def root(self) -> str:
        """Id of its lineage: of the first token of it."""
        return self.lineage or self.id

    @property
    def revoked(self) -> bool:
        """Whether it was revoked for itself. A signing key takes only those with it that rest on the key: what a person
        has made in their place goes on."""
        return self.revoked_at is not None and not self.withdrawn

    @property
    def ends_at(self) -> float:
        """From when on it is refused, as far as is known."""
        return self.expires_at if self.retires_at is None else min(self.expires_at, self.retires_at)

    def over(self, now: float) -> bool:
        """Tell whether it is good no more."""
        return self.revoked_at is not None or self.ends_at <= now

    def rests_on(self, key_id: str) -> bool:
        """Tell whether whoever has this signing key may have had it made: it signed it, or one that it was renewed out
        of; or nobody knows."""
        return self.key_id in ("", key_id) or key_id in self.earlier_keys


class Instance(msgspec.Struct, frozen=True):
    """One process of an agent, connected now or once."""

    id: str
    agent_id: str
    token_id: str
    generation: int
    """Rises with each connection, not always by one; fences what older connections still say."""
    connected_at: float
    """When it was registered: everything before it was permitted."""
    opened_at: float = 0.0
    """When it presented its token at the router."""
    validated_at: float = 0.0
    """When the backend had found the token valid."""
    disconnected_at: float | None = None
    host: str = ""
    pid: int = 0
    sdk: str = ""
    runtime: str = ""
    code_hash: str = ""
    concurrency: int = 1
    labels: dict[str, str] = {}
    lineage: str = ""
    """Of the token; empty: the token is the first of it."""
    address: str = ""
    """From where it is connected."""

    @property
    def root(self) -> str:
        """Id of its token's lineage."""
        return self.lineage or self.token_id


CallKey: TypeAlias = tuple[str, str, str, str]
"""A caller and one of its idempotency keys: user, kind, id, key."""


class CallerRef(msgspec.Struct, frozen=True):
    """Who asked for a task."""

    kind: Literal["user", "api_key", "agent"]
    id: str
    user_id: str
    """The user in whose name it happens: the key's user, the agent's owner."""
    name: str = ""

    def key(self, idempotency_key: str) -> CallKey:
        """Return what makes an idempotency key unique: it is the caller's own."""
        return self.user_id, self.kind, self.id, idempotency_key


class TaskFailure(msgspec.Struct, frozen=True):
    """Why a task has no output."""

    code: str
    message: str
    detail: bytes = b"null"


class Task(msgspec.Struct, frozen=True):
    """One call of one skill, from submit to outcome. Changed only by `lifecycle`."""

    id: str
    agent_id: str
    agent: str
    """Full name of the agent."""
    skill: str
    state: TaskState
    input: bytes
    caller: CallerRef
    owner_id: str
    """User who may see it besides the agent's owner."""
    created_at: float
    updated_at: float
    trace: str
    """W3C `traceparent`."""
    delivery: Delivery
    max_attempts: int
    retries: int
    backoff: float
    timeout: float | None
    deadline: float | None
    queue_expires_at: float | None
    """When it fails with `agent_offline` if no instance has taken it; None: when its agent goes away."""
    priority: int = 0
    position: float = 0.0
    """Virtual time that orders the queue fairly between callers; see `fairness`."""
    parent_id: str | None = None
    depth: int = 0
    idempotency_key: str | None = None
    body_digest: bytes | None = None
    """Digest of what was asked, to tell a repeated submit from a conflicting one."""
    retry_of: str | None = None
    attempt: int = 0
    """Number of the current or last attempt; 0 before the first."""
    instance_id: str | None = None
    """Who holds the current attempt."""
    accepted_at: float | None = None
    """When the current attempt was accepted."""
    last_n: int = 0
    """Number of the current attempt's last stored event."""
    losses: int = 0
    failures: int = 0
    """Errors of the handler itself that were retried."""
    not_before: float | None = None
    """Earliest time of the next claim."""
    cancel_reason: str | None = None
    """Set when a cancel waits for the agent's answer."""
    cancel_at: float | None = None
    """When that cancel was asked for."""
    last_seq: int = 0
    output: bytes | None = None
    error: TaskFailure | None = None
    ended_at: float | None = None
    dialogue: Dialogue = SILENCE
    """What it asked people, and what they said."""

    @property
    def trace_id(self) -> str:
        """What all tasks of one trace share, by which they are found."""
        return trace_id(self.trace)

    @property
    def key(self) -> CallKey | None:
        """What a submit that is repeated finds it by; None for one without an idempotency key."""
        return None if self.idempotency_key is None else self.caller.key(self.idempotency_key)

    @property
    def terminal(self) -> bool:
        """True when nothing changes any more."""
        return self.state in TERMINAL

    @property
    def impatient(self) -> bool:
        """True when it waits for a slot of an agent that is there, and not for one that is away."""
        return self.state is TaskState.SUBMITTED and self.queue_expires_at is None


CHANGING = frozenset(
    (
        "state",
        "updated_at",
        "queue_expires_at",
        "attempt",
        "instance_id",
        "accepted_at",
        "last_n",
        "losses",
        "failures",
        "not_before",
        "cancel_reason",
        "cancel_at",
        "last_seq",
        "output",
        "error",
        "ended_at",
        "dialogue",
    )
)
"""What changes of a task; its other fields say what was asked for, and stay."""

_asked_for = attrgetter(*(name for name in Task.__struct_fields__ if name not in CHANGING))


def same_request(before: Task, after: Task) -> bool:
    """Tell whether a change left alone what was asked for."""
    return bool(_asked_for(before) == _asked_for(after))


class TaskEventKind(StrEnum):
    """What is in a task's log: its state changes, and what its agent reports."""

    STATE = "state"
    PROGRESS = "progress"
    CHUNK = "chunk"
    LOG = "log"
    ARTIFACT = "artifact"
    QUESTION = "question"
    ANSWER = "answer"
    """A question was answered, or nobody did in time."""
    CONNECTION = "connection"
    """The connection of the instance that runs it was lost, or is there again."""


class TaskEvent(msgspec.Struct, frozen=True):
    """Something that happened to a task, numbered for it without gaps."""

    task_id: str
    seq: int
    at: float
    kind: TaskEventKind
    data: bytes
    """JSON. Of `state`: an object with `state`, and where they apply `attempt`, `instance`, `code`, `message`,
    `accepted` (`lifecycle.StateData`); of `question` a `messages.Question`, of `answer` a `lifecycle.AnswerData`,
    of `connection` a `lifecycle.ConnectionData`."""
    attempt: int = 0


class InputFault(msgspec.Struct, frozen=True):
    """Where a value breaks its schema."""

    path: str
    """JSON Pointer (RFC 6901) into the value; empty for the value itself."""
    message: str


class Submitted(msgspec.Struct, frozen=True):
    """A task that is stored."""

    task: Task
    """As it is now."""
    created: bool
    """False: by an earlier submit with the same idempotency key; nothing was stored by this one."""


class ConnectedProcess(msgspec.Struct, frozen=True):
    """An instance that is connected, with its agent's full name."""

    instance_id: str
    agent_id: str
    agent: str
    host: str
    pid: int


class Usage(msgspec.Struct, frozen=True):
    """A connected instance and its slots."""

    instance_id: str
    used: int
    slots: int
    draining: bool = False
    """It takes nothing any more, and is about to leave."""
    silent: float = 0.0
    """Seconds since it was heard last."""
    holdup: Holdup | None = None
    """Why it is given nothing new for now, whatever slots are free."""
    beat: Heard | None = None
    """The last that came, with how its process is; None: none has yet."""


_UNREAD: Final = object()


class Payload:
    """A JSON text. Not to be shared between threads.

    Attributes:
        text: as it came; whoever took it in has seen that it is well-formed and no deeper than a message may be.
    """

    __slots__ = ("_said", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._said: object = _UNREAD

    def read(self) -> object:
        """Return what it says, which is kept until `forget`; raises InvalidInput for a number beyond all range."""
        if self._said is _UNREAD:
            try:
                self._said = msgspec.json.decode(self.text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise InvalidInput(f"this is not JSON: {error}") from None
        return self._said

    def forget(self) -> None:
        """Let go of what was read: values take many times the room of their text."""
        self._said = _UNREAD
