"""What the HTTP API answers, as frozen records. Fields they do not know are ignored, so a newer server may add some.

Times are aware `datetime`s in UTC, durations are seconds.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from agentic_atlas.errors import TaskError
from agentic_atlas.protocol.tasks import TERMINAL

Json = Mapping[str, Any]
"""A JSON object whose shape is the user's, for instance a schema or the data of an event."""

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything the API answers."""


class Page(Record, Generic[T], frozen=True, kw_only=True):
    """One page of a list; `next` leads to the one after it."""

    items: list[T]
    next: str | None = None


class CallerInfo(Record, frozen=True, kw_only=True):
    """Who asked for a task; `kind` is `user`, `api_key` or `agent`."""

    kind: str
    id: str
    name: str = ""


class TaskFault(Record, frozen=True, kw_only=True):
    """Why a task, or a request of a batch, has no output."""

    code: str
    message: str
    detail: Any = None


class QuestionInfo(Record, frozen=True, kw_only=True):
    """A question that a task asks, or asked, a person."""

    number: int
    question: str = ""
    state: str = "open"
    """`open`, `answered` or `expired`."""
    schema: Any = None
    """JSON Schema of the answer while it is open; None when any JSON value will do."""
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    answer: Any = None
    settled_at: datetime | None = None
    """When it was answered or expired."""
    answered_by: str | None = None

    @property
    def open(self) -> bool:
        """True while it waits for an answer."""
        return self.state == "open"


class TaskSummary(Record, frozen=True, kw_only=True):
    """A task as it was when the server answered, without its payloads: what lists have."""

    id: str
    state: str
    agent: str = ""
    """`owner/name`."""
    skill: str = ""
    input_bytes: int = 0
    """Length of the input as JSON."""
    output_bytes: int | None = None
    """Length of the output as JSON; None without one."""
    error: TaskFault | None = None
    """In lists without its detail, and with at most 500 characters of its message."""
    caller: CallerInfo | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    ended_at: datetime | None = None
    deadline: datetime | None = None
    timeout: float | None = None
    priority: int = 0
    delivery: str = ""
    """`at_least_once` or `at_most_once`."""
    retries: int = 0
    max_attempts: int = 0
    waits_until: datetime | None = None
    """When it fails if no instance has taken it by then; None unless it waits."""
    attempt: int = 0
    parent_id: str | None = None
    retry_of: str | None = None
    trace_id: str | None = None
    instance_id: str | None = None
    last_seq: int = 0
    """Number of its newest event."""
    cancel_requested: bool = False

    @property
    def done(self) -> bool:
        """True when the state is final and nothing about the task changes any more."""
        return self.state in TERMINAL

    @property
    def failure(self) -> TaskError | None:
        """The error a finished task without an output stands for; None while it runs or when it completed."""
        if not self.done or self.state == "completed":
            return None
        fault = self.error or TaskFault(code=self.state, message=f"the task ended {self.state}")
        return TaskError(fault.message, code=fault.code, detail=fault.detail, task_id=self.id, state=self.state)


class TaskInfo(TaskSummary, frozen=True, kw_only=True):
    """A task as it was when the server answered."""

    input: Any = None
    output: Any = None
    questions: list[QuestionInfo] = []
    """What it asked, by number."""
    note: str | None = None
    """Why nothing happens at the moment, for instance that its agent is offline."""

    @property
    def question(self) -> QuestionInfo | None:
        """The oldest question that waits for an answer."""
        return next((question for question in self.questions if question.open), None)


class TaskEvent(Record, frozen=True, kw_only=True):
    """Something that happened to a task; `seq` numbers them in order."""

    seq: int
    kind: str
    """`state`, `progress`, `chunk`, `log`, `artifact`, `question` or `answer`."""
    at: datetime
    attempt: int = 0
    data: Json = {}

    @property
    def ends(self) -> bool:
        """True for the last event of a task."""
        return self.kind == "state" and self.data.get("state") in TERMINAL


class BatchItem(Record, frozen=True, kw_only=True):
    """What became of one request of a batch: one of the two is there."""

    task: TaskSummary | None = None
    error: TaskFault | None = None


class SkillInfo(Record, frozen=True, kw_only=True):
    """A function of an agent that can be called; the schemas are JSON Schema 2020-12."""

    name: str
    description: str = ""
    input_schema: Json = {}
    output_schema: Json | None = None
    streams: bool = False
    policy: Json = {}


class AgentInstance(Record, frozen=True, kw_only=True):
    """One process of an agent, connected now or lately."""

    id: str
    host: str = ""
    pid: int = 0
    sdk: str = ""
    runtime: str = ""
    code_hash: str = ""
    concurrency: int = 1
    slots_used: int = 0
    """Of its `concurrency`, now."""
    labels: Mapping[str, str] = {}
    connected_at: datetime
    """When it was registered."""
    opened_at: datetime | None = None
    """When it began to connect."""
    validated_at: datetime | None = None
    """When its token was found valid."""
    disconnected_at: datetime | None = None
    online: bool = False
    token_id: str | None = None


class AgentInfo(Record, frozen=True, kw_only=True):
    """An agent; `skills` and `instances` are filled by `agent(name)` alone, lists leave them empty."""

    name: str
    owner: str = ""
    full_name: str = ""
    description: str = ""
    created_at: datetime | None = None
    disabled: bool = False
    status: str = "offline"
    """`online`, `offline` or `disabled`."""
    instances_online: int = 0
    slots_used: int = 0
    slots: int = 0
    """Tasks that its connected instances run at the same time, all together."""
    tasks_waiting: int = 0
    """Tasks that wait for one of them."""
    last_seen_at: datetime | None = None
    skills: list[SkillInfo] = []
    instances: list[AgentInstance] = []


class TokenInfo(Record, frozen=True, kw_only=True):
    """A token of an agent, without its secret; `status` is `active`, `expired` or `revoked`."""

    id: str
    agent: str = ""
    name: str = ""
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    status: str = "active"


class NewToken(TokenInfo, frozen=True, kw_only=True):
    """A token just made: the only time its secret is known to anyone but its agent."""

    token: str
    """The value of `AGENT_JWT_TOKEN`. Left out of the record's text form."""

    def __repr__(self) -> str:
        return f"NewToken(id={self.id!r}, agent={self.agent!r}, name={self.name!r}, token=…)"


class UserInfo(Record, frozen=True, kw_only=True):
    """A person, or a program that acts as one."""

    name: str
    id: str = ""
    role: str = ""
    created_at: datetime | None = None
    disabled: bool = False


class BackupInfo(Record, frozen=True, kw_only=True):
    """A backup on the server's machine."""

    name: str
    path: str
    size: int
    """Bytes."""
    made_at: datetime
    """Everything acknowledged before is in it."""
    sha256: str | None = None
    """Of the file, in hexadecimal; lists leave it out."""


class ApiKeyInfo(Record, frozen=True, kw_only=True):
    """An API key, without its secret."""

    id: str
    name: str = ""
    user: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class NewApiKey(ApiKeyInfo, frozen=True, kw_only=True):
    """An API key just made: the only time its secret is known to anyone but its owner."""

    key: str
    """Left out of the record's text form."""

    def __repr__(self) -> str:
        return f"NewApiKey(id={self.id!r}, user={self.user!r}, name={self.name!r}, key=…)"


class LoginCodes(Record, frozen=True, kw_only=True):
    """A login that waits for somebody to approve it."""

    device_code: str
    """What the key is asked for with. Left out of the record's text form."""
    user_code: str
    """What a person types to approve it: `XXXX-XXXX`."""
    expires_in: float
    interval: float = 5.0

    def __repr__(self) -> str:
        return f"LoginCodes(user_code={self.user_code!r}, expires_in={self.expires_in})"


class LoginInfo(Record, frozen=True, kw_only=True):
    """Who wants to log in; `host` is what they say."""

    host: str
    address: str = ""
    age: float = 0.0
    """Seconds since they asked, by the server's clock."""
    asked_at: datetime
    expires_at: datetime


class WhoAmI(Record, frozen=True, kw_only=True):
    """Who the credentials belong to, and where they lead."""

    user: UserInfo
    api_key: ApiKeyInfo | None = None
    network: str = ""
    version: str = ""
    """The server's."""
    router_url: str = ""
    """Where agents connect: the value of `ROUTER_WS_URL`."""
    api_url: str = ""
    """The API as others see it, for `BACKEND_API_BASE_URL`; empty: it is where it was asked."""
