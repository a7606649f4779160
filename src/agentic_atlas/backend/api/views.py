"""What the API shows of the backend's records; times are ISO 8601 in UTC."""

from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from agentic_atlas.backend.api.answers import ErrorBody
from agentic_atlas.backend.domain.logins import Applicant, Codes
from agentic_atlas.backend.domain.questions import Question
from agentic_atlas.backend.domain.records import (
    Agent,
    ApiKey,
    EventKind,
    Instance,
    Skill,
    Task,
    TaskEvent,
    Token,
    User,
)
from agentic_atlas.backend.domain.tracing import trace_id
from agentic_atlas.backend.ports import Backup
from agentic_atlas.protocol.messages import Delivery, Policy
from agentic_atlas.protocol.tasks import TaskState


class CallerView(msgspec.Struct):
    """Who asked."""

    kind: str
    id: str
    name: str


class FaultView(msgspec.Struct):
    """Why a task has no output."""

    code: str
    message: str
    detail: Raw


class QuestionView(msgspec.Struct):
    """A question of a task to a person."""

    number: int
    question: str
    state: str
    """`open`, `answered` or `expired`."""
    schema: Raw
    """JSON Schema of the answer while it is open; null when any JSON value will do."""
    asked_at: datetime
    expires_at: datetime | None
    answer: Raw
    """Null unless it was answered."""
    settled_at: datetime | None
    """When it was answered or expired."""
    answered_by: str | None


class TaskView(msgspec.Struct):
    """A task."""

    id: str
    agent: str
    skill: str
    state: TaskState
    input: Raw
    output: Raw | None
    error: FaultView | None
    caller: CallerView
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    deadline: datetime | None
    timeout: float | None
    priority: int
    delivery: Delivery
    retries: int
    max_attempts: int
    waits_until: datetime | None
    """When it fails if no instance has taken it by then; null unless it waits."""
    attempt: int
    parent_id: str | None
    retry_of: str | None
    trace_id: str
    instance_id: str | None
    last_seq: int
    cancel_requested: bool
    questions: list[QuestionView]
    """What it asked, by number; of those that an attempt left without an answer, only what the present one asks."""
    note: str | None = None
    """Why it waits, in a sentence."""


class TaskPage(msgspec.Struct):
    """Part of a list of tasks, newest first."""

    items: list[TaskView]
    next: str | None


class BatchItem(msgspec.Struct, omit_defaults=True):
    """What became of one of several tasks: `task`, or `error`."""

    task: TaskView | None = None
    error: ErrorBody | None = None


class BatchView(msgspec.Struct):
    """What became of several tasks, in their order."""

    results: list[BatchItem]


class EventView(msgspec.Struct):
    """Something that happened to a task."""

    seq: int
    at: datetime
    kind: EventKind
    attempt: int
    data: Raw


class EventPage(msgspec.Struct):
    """Events of a task."""

    items: list[EventView]


class SkillView(msgspec.Struct):
    """A skill."""

    name: str
    description: str
    input_schema: Raw
    output_schema: Raw
    streams: bool
    policy: Policy


class InstanceView(msgspec.Struct):
    """A process of an agent."""

    id: str
    host: str
    pid: int
    sdk: str
    runtime: str
    code_hash: str
    concurrency: int
    labels: dict[str, str]
    token_id: str
    opened_at: datetime
    validated_at: datetime
    connected_at: datetime
    disconnected_at: datetime | None
    online: bool


class AgentView(msgspec.Struct, omit_defaults=True):
    """An agent; with skills and instances when it is asked for by name."""

    name: str
    owner: str
    full_name: str
    description: str
    created_at: datetime
    status: str
    """`online`, `offline` or `disabled`."""
    instances_online: int
    disabled: bool
    last_seen_at: datetime | None
    skills: list[SkillView] | None = None
    instances: list[InstanceView] | None = None


class AgentPage(msgspec.Struct):
    """Part of a list of agents, by name."""

    items: list[AgentView]
    next: str | None


class TokenView(msgspec.Struct):
    """A token, without its secret."""

    id: str
    agent: str
    name: str
    status: str
    """`active`, `expired` or `revoked`."""
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewTokenView(TokenView):
    """A new token, with its secret: shown this once."""

    token: str


class TokenPage(msgspec.Struct):
    """Tokens of an agent, newest first."""

    items: list[TokenView]


class UserView(msgspec.Struct):
    """A user."""

    id: str
    name: str
    role: str
    disabled: bool
    created_at: datetime


class UserPage(msgspec.Struct):
    """Part of a list of users, by name."""

    items: list[UserView]
    next: str | None


class KeyView(msgspec.Struct):
    """An API key, without its secret."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyView(KeyView):
    """A new API key, with its secret: shown this once."""

    user: str
    key: str


class KeyPage(msgspec.Struct):
    """API keys, newest first."""

    items: list[KeyView]


class WhoView(msgspec.Struct):
    """Who asks, and where."""

    user: UserView
    api_key: KeyView
    network: str
    version: str
    router_url: str


class LoginCodesView(msgspec.Struct):
    """A login that was begun: one code to ask with, one for a person to approve."""

    device_code: str
    user_code: str
    expires_in: float
    """Seconds in which it has to be approved and fetched."""
    interval: float
    """Seconds to wait between two questions."""


class LoginView(msgspec.Struct):
    """Who wants to log in; the name of the host is what they say."""

    host: str
    address: str
    age: float
    """Seconds since they asked."""
    asked_at: datetime
    expires_at: datetime


class BackupView(msgspec.Struct):
    """A backup."""

    name: str
    path: str
    """Where it is, on the server's machine."""
    size: int
    """Bytes."""
    made_at: datetime
    """Everything acknowledged before is in it."""
    sha256: str | None
    """Of the file, in hexadecimal; lists leave it out."""


class BackupPage(msgspec.Struct):
    """Backups, newest first."""

    items: list[BackupView]


_LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def at(seconds: float) -> datetime:
    """Return a time as it is shown; one that no calendar has, as the last one that it has."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), _LAST_MOMENT), UTC)


def maybe(seconds: float | None) -> datetime | None:
    """Return a time that may be absent."""
    return None if seconds is None else at(seconds)


def task_view(task: Task, note: str | None = None) -> TaskView:
    """Show a task."""
    error = task.error
    return TaskView(
        id=task.id,
        agent=task.agent,
        skill=task.skill,
        state=task.state,
        input=Raw(task.input),
        output=None if task.output is None else Raw(task.output),
        error=None if error is None else FaultView(error.code, error.message, Raw(error.detail)),
        caller=CallerView(task.caller.kind, task.caller.id, task.caller.name),
        created_at=at(task.created_at),
        updated_at=at(task.updated_at),
        ended_at=maybe(task.ended_at),
        deadline=maybe(task.deadline),
        timeout=task.timeout,
        priority=task.priority,
        delivery=task.delivery,
        retries=task.retries,
        max_attempts=task.max_attempts,
        waits_until=maybe(task.queue_expires_at) if task.state is TaskState.SUBMITTED else None,
        attempt=task.attempt,
        parent_id=task.parent_id,
        retry_of=task.retry_of,
        trace_id=trace_id(task.trace),
        instance_id=task.instance_id,
        last_seq=task.last_seq,
        cancel_requested=task.cancel_reason is not None,
        questions=[question_view(question) for question in task.dialogue.questions],
        note=note,
    )


def question_view(question: Question) -> QuestionView:
    """Show a question."""
    return QuestionView(
        number=question.number,
        question=question.text,
        state="open" if question.open else "expired" if question.expired else "answered",
        schema=question.schema,
        asked_at=at(question.asked_at),
        expires_at=maybe(question.expires_at),
        answer=question.answer,
        settled_at=maybe(question.settled_at),
        answered_by=question.answered_by or None,
    )


def event_view(event: TaskEvent) -> EventView:
    """Show an event."""
    return EventView(event.seq, at(event.at), event.kind, event.attempt, Raw(event.data))


def agent_view(
    agent: Agent, online: int, skills: list[Skill] | None = None, instances: list[Instance] | None = None
) -> AgentView:
    """Show an agent; `online` is the number of its connected instances."""
    disabled = agent.disabled_at is not None
    return AgentView(
        name=agent.name,
        owner=agent.owner,
        full_name=agent.full_name,
        description=agent.description,
        created_at=at(agent.created_at),
        status="disabled" if disabled else "online" if online else "offline",
        instances_online=online,
        disabled=disabled,
        last_seen_at=maybe(agent.last_seen_at),
        skills=None if skills is None else [skill_view(skill) for skill in skills],
        instances=None if instances is None else [instance_view(instance) for instance in instances],
    )


def skill_view(skill: Skill) -> SkillView:
    """Show a skill."""
    return SkillView(
        skill.name,
        skill.description,
        Raw(skill.input_schema),
        Raw(skill.output_schema),
        skill.streams,
        skill.policy,
    )


def instance_view(instance: Instance) -> InstanceView:
    """Show an instance."""
    return InstanceView(
        id=instance.id,
        host=instance.host,
        pid=instance.pid,
        sdk=instance.sdk,
        runtime=instance.runtime,
        code_hash=instance.code_hash,
        concurrency=instance.concurrency,
        labels=instance.labels,
        token_id=instance.token_id,
        opened_at=at(instance.opened_at),
        validated_at=at(instance.validated_at),
        connected_at=at(instance.connected_at),
        disconnected_at=maybe(instance.disconnected_at),
        online=instance.disconnected_at is None,
    )


def token_view(token: Token, agent: Agent, now: float) -> TokenView:
    """Show a token."""
    revoked, expired = token.revoked_at is not None, token.expires_at <= now
    return TokenView(
        id=token.id,
        agent=agent.full_name,
        name=token.name,
        status="revoked" if revoked else "expired" if expired else "active",
        issued_at=at(token.issued_at),
        expires_at=at(token.expires_at),
        revoked_at=maybe(token.revoked_at),
        last_used_at=maybe(token.last_used_at),
    )


def new_token_view(token: Token, agent: Agent, now: float, secret: str) -> NewTokenView:
    """Show a new token with its secret."""
    return NewTokenView(**msgspec.structs.asdict(token_view(token, agent, now)), token=secret)


def user_view(user: User) -> UserView:
    """Show a user."""
    return UserView(user.id, user.name, user.role.value, user.disabled_at is not None, at(user.created_at))


def key_view(key: ApiKey) -> KeyView:
    """Show an API key."""
    return KeyView(key.id, key.name, at(key.created_at), maybe(key.expires_at), maybe(key.revoked_at))


def new_key_view(key: ApiKey, user: User, secret: str) -> NewKeyView:
    """Show a new API key with its secret."""
    return NewKeyView(**msgspec.structs.asdict(key_view(key)), user=user.name, key=secret)


def login_codes_view(codes: Codes) -> LoginCodesView:
    """Show the codes of a login, this once."""
    return LoginCodesView(codes.device_code, codes.user_code, codes.expires_in, codes.interval)


def login_view(applicant: Applicant, now: float) -> LoginView:
    """Show who wants to log in."""
    age = max(0.0, now - applicant.asked_at)
    return LoginView(applicant.host, applicant.address, age, at(applicant.asked_at), at(applicant.expires_at))


def backup_view(backup: Backup) -> BackupView:
    """Show a backup."""
    return BackupView(backup.name, backup.path, backup.size, at(backup.made_at), backup.sha256)
