"""The one place where callers' words become the network's, and what it has what they are shown: for every door."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain.people import Account, BrowserSession, Invitation, LinkedIdentity, WaysIn
from agentic_atlas.backend.domain.questions import TaskQuestion
from agentic_atlas.backend.domain.records import (
    AccessLevel,
    AgentRecord,
    ApiKey,
    Group,
    Instance,
    Share,
    SkillRecord,
    Task,
    TaskEvent,
    TaskFailure,
    Token,
    Usage,
    User,
)
from agentic_atlas.backend.domain.renewal import standing
from agentic_atlas.backend.engine.contention import TurnedDown
from agentic_atlas.backend.engine.logins import Login
from agentic_atlas.backend.ports import MOST_MESSAGE, Summary
from agentic_atlas.backend.rights import AgentToken
from agentic_atlas.protocol.caller.accounts import AccountInfo, IdentityInfo, InvitationInfo
from agentic_atlas.protocol.caller.agents import (
    AgentInfo,
    AgentInstance,
    AgentSummary,
    EndedToken,
    HeldTask,
    NewToken,
    RefusedInstance,
    SecondInstance,
    ShareInfo,
    SkillInfo,
    TokenInfo,
)
from agentic_atlas.protocol.caller.people import (
    ApiKeyInfo,
    GroupInfo,
    ListedUser,
    LoginInfo,
    NewApiKey,
    SessionInfo,
    UserInfo,
)
from agentic_atlas.protocol.caller.tasks import (
    CallerInfo,
    EventInfo,
    QuestionInfo,
    TaskInfo,
    TaskSummary,
)
from agentic_atlas.protocol.caller.values import ErrorInfo
from agentic_atlas.protocol.codec import passed_on
from agentic_atlas.protocol.inside.messages import Contested
from agentic_atlas.protocol.messages import NULL
from agentic_atlas.protocol.tasks import TaskState

_LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def moment(seconds: float) -> datetime:
    """Return a time as it is shown; one that no calendar has, as the last one that it has."""
    if not 0.0 <= seconds <= _LAST_MOMENT:
        seconds = min(max(seconds, 0.0), _LAST_MOMENT)
    return datetime.fromtimestamp(seconds, UTC)


def maybe(seconds: float | None) -> datetime | None:
    """Return a time that may be absent."""
    return None if seconds is None else moment(seconds)


# Tasks


def task_info(task: Task, note: str | None = None) -> TaskInfo:
    """Show a task."""
    return passed_on(
        TaskInfo,
        task,
        **_unlike(task),
        input_bytes=len(task.input),
        output_bytes=None if task.output is None else len(task.output),
        error=error_info(task.error),
        input=Raw(task.input),
        output=None if task.output is None else Raw(task.output),
        questions=[question_info(question) for question in task.dialogue.questions],
        note=note,
    )


def summary_of(task: Task) -> TaskSummary:
    """Show a task that is known in full, without its payloads."""
    return task_summary(Summary(task, len(task.input), None if task.output is None else len(task.output)))


def task_summary(summary: Summary) -> TaskSummary:
    """Show a task without its payloads."""
    task = summary.task
    return passed_on(
        TaskSummary,
        task,
        **_unlike(task),
        input_bytes=summary.input_bytes,
        output_bytes=summary.output_bytes,
        error=error_info(task.error, brief=True),
    )


def _unlike(task: Task) -> dict[str, object]:
    """Return what is shown of every task in other words than it is kept in."""
    return {
        "caller": CallerInfo(kind=task.caller.kind, id=task.caller.id, name=task.caller.name),
        "created_at": moment(task.created_at),
        "updated_at": moment(task.updated_at),
        "ended_at": maybe(task.ended_at),
        "deadline": maybe(task.deadline),
        "waits_until": maybe(task.queue_expires_at) if task.state is TaskState.SUBMITTED else None,
        "trace_id": task.trace_id,
        "cancel_requested": task.cancel_reason is not None,
    }


def error_info(error: TaskFailure | None, *, brief: bool = False) -> ErrorInfo | None:
    """Show why a task has no output; `brief` as summaries have it."""
    if error is None:
        return None
    message, detail = (error.message[:MOST_MESSAGE], NULL) if brief else (error.message, Raw(error.detail))
    return ErrorInfo(code=error.code, message=message, detail=detail)


def question_info(question: TaskQuestion) -> QuestionInfo:
    """Show a question."""
    return QuestionInfo(
        number=question.number,
        question=question.text,
        state=question.state,
        schema=question.schema,
        asked_at=moment(question.asked_at),
        expires_at=maybe(question.expires_at),
        answer=question.answer,
        settled_at=maybe(question.settled_at),
        answered_by=question.answered_by or None,
    )


def event_info(event: TaskEvent) -> EventInfo:
    """Show an event."""
    return EventInfo(seq=event.seq, at=moment(event.at), kind=event.kind, attempt=event.attempt, data=Raw(event.data))


# People and how they come in


def session_info(session: BrowserSession, user: str, current: str) -> SessionInfo:
    """Show a session of the user of this name; `current` is the id of the one that asks."""
    return SessionInfo(
        id=session.id,
        user=user,
        created_at=moment(session.created_at),
        used_at=moment(session.used_at),
        expires_at=moment(session.ends_at),
        address=session.address,
        agent=session.agent,
        current=session.id == current,
    )


def invitation_info(invitation: Invitation, user: User) -> InvitationInfo:
    """Show an invitation."""
    return InvitationInfo(
        id=invitation.id,
        user=user.name,
        role=user.role,
        created_at=moment(invitation.created_at),
        expires_at=moment(invitation.expires_at),
    )


def identity_info(identity: LinkedIdentity, user: str) -> IdentityInfo:
    """Show what the user of this name is known by."""
    return IdentityInfo(
        id=identity.id,
        user=user,
        issuer=identity.issuer,
        subject=identity.subject,
        linked_at=moment(identity.linked_at),
    )


def account_info(account: Account, user: User) -> AccountInfo:
    """Show how a user comes in."""
    return AccountInfo(
        user=user_info(user),
        password_at=maybe(account.password_at) if account.password else None,
        totp_at=maybe(account.totp_at),
        recovery_codes=len(account.recovery),
    )


# Agents and their tokens


def agent_summary(
    agent: AgentRecord,
    usage: Sequence[Usage],
    online: int,
    waiting: int,
    heard_at: float | None,
    level: AccessLevel,
    skills: int = 0,
) -> AgentSummary:
    """Show an agent with its instances that are `online`; one that is connected was seen when it was heard last.

    `level` is what who looks may do with it.
    """
    disabled = agent.disabled_at is not None
    return AgentSummary(
        name=agent.name,
        owner=agent.owner,
        full_name=agent.full_name,
        description=agent.description,
        created_at=moment(agent.created_at),
        status="disabled" if disabled else "online" if online else "offline",
        instances_online=online,
        slots_used=sum(one.used for one in usage),
        slots=sum(one.slots for one in usage),
        tasks_waiting=waiting,
        skill_count=skills,
        disabled=disabled,
        last_seen_at=maybe(heard_at or agent.last_seen_at),
        access=level.value,
    )


def agent_info(
    summary: AgentSummary,
    skills: Sequence[SkillRecord],
    instances: Sequence[AgentInstance] = (),
    shares: Sequence[ShareInfo] = (),
    contested: Sequence[tuple[float, Contested]] = (),
    kept_out: Sequence[tuple[float, TurnedDown]] = (),
) -> AgentInfo:
    """Show an agent with its skills; for who sees those its instances, who came beside them or was not let in, and
    its shares.
    """
    return AgentInfo(
        **msgspec.structs.asdict(summary),
        skills=[skill_info(skill) for skill in skills],
        instances=list(instances),
        shares=tuple(shares),
        second_instances=tuple(_second_instance(at, said) for at, said in contested),
        refused_instances=tuple(passed_on(RefusedInstance, said, at=moment(at)) for at, said in kept_out),
    )


def _second_instance(at: float, said: Contested) -> SecondInstance:
    return SecondInstance(
        at=moment(at),
        id=said.newcomer.id,
        host=said.newcomer.host,
        address=said.identity.address,
        token_id=said.identity.token_id,
        holder=said.holder,
        replaced=said.replaced,
    )


def share_info(share: Share, name: str) -> ShareInfo:
    """Show with whom an agent is shared; `name` is that of the user or group."""
    subject = f"group:{name}" if share.subject.startswith("group:") else name
    return ShareInfo(subject=subject, access=share.access.value)


def skill_info(skill: SkillRecord) -> SkillInfo:
    """Show a skill."""
    return passed_on(SkillInfo, skill, input_schema=Raw(skill.input_schema), output_schema=Raw(skill.output_schema))


def agent_instance(
    instance: Instance,
    usage: Usage | None,
    token: AgentToken | None,
    makers: Mapping[str, str],
    tasks: Sequence[HeldTask] = (),
) -> AgentInstance:
    """Show an instance; `usage` is what its slots are at, `token` what it is connected with, `tasks` what it runs.

    `makers` are the names of who made tokens, by their ids.
    """
    beat = None if usage is None else usage.beat
    holdup = None if usage is None else usage.holdup
    return passed_on(
        AgentInstance,
        instance,
        slots_used=0 if usage is None else usage.used,
        cpu=None if beat is None else round(beat.cpu, 1),
        memory_bytes=None if beat is None else beat.memory or None,
        lag=None if beat is None else round(beat.lag, 3),
        holdup=None if holdup is None else holdup.value,
        resources=None if beat is None else beat.resources,
        tasks=tuple(tasks),
        opened_at=moment(instance.opened_at),
        validated_at=moment(instance.validated_at),
        connected_at=moment(instance.connected_at),
        disconnected_at=maybe(instance.disconnected_at),
        online=instance.disconnected_at is None,
        token_ends_at=None if token is None else moment(token.ends_at),
        token_renewable=token is not None and token.renewable,
        token_made_by="" if token is None else makers[token.made_by],
    )


def token_info(token: Token, agent: AgentRecord, made_by: str, now: float, *, in_use: bool = False) -> TokenInfo:
    """Show a token; `made_by` is the name of who made it, `in_use`: an instance is connected with it."""
    return passed_on(
        TokenInfo,
        token,
        agent=agent.full_name,
        status=standing(token, now),
        issued_at=moment(token.issued_at),
        expires_at=moment(token.expires_at),
        revoked_at=maybe(token.revoked_at),
        last_used_at=maybe(token.last_used_at),
        in_use=in_use,
        renewable_until=maybe(token.renewable_until if token.retires_at is None else None),
        retires_at=maybe(token.retires_at),
        made_by=made_by,
    )


def new_token(
    token: Token, agent: AgentRecord, made_by: str, now: float, secret: str, *, retired: Sequence[Token] = ()
) -> NewToken:
    """Show a new token with its secret, this once, and with those in whose place it was made."""
    return NewToken(
        **msgspec.structs.asdict(token_info(token, agent, made_by, now)),
        token=secret,
        replaces=tuple(one.id for one in retired),
        replaces_at=tuple(moment(one.ends_at) for one in retired),
    )


# People, their groups, keys and logins


def group_info(group: Group, members: Sequence[User], ended: Sequence[EndedToken] = ()) -> GroupInfo:
    """Show a group with who is in it, and the tokens that ended with that."""
    names, created_at = [user.name for user in members], moment(group.created_at)
    return GroupInfo(name=group.name, members=names, created_at=created_at, ended=tuple(ended))


def user_info(user: User) -> UserInfo:
    """Show a user."""
    return UserInfo(
        id=user.id,
        name=user.name,
        role=user.role,
        disabled=user.disabled_at is not None,
        created_at=moment(user.created_at),
    )


def listed_user(user: User, ways: WaysIn) -> ListedUser:
    """Show a user in a list."""
    return passed_on(
        ListedUser,
        user_info(user),
        password_at=maybe(ways.password_at),
        totp_at=maybe(ways.totp_at),
        identities=ways.identities,
        invited_until=maybe(ways.invited_until),
        last_login_at=maybe(ways.last_login_at),
        last_seen_at=maybe(ways.last_seen_at),
        sessions=ways.sessions,
    )


def api_key_info(key: ApiKey, user: str = "") -> ApiKeyInfo:
    """Show an API key; of whom, where it is not of who asks."""
    return ApiKeyInfo(
        id=key.id,
        name=key.name,
        created_at=moment(key.created_at),
        expires_at=maybe(key.expires_at),
        revoked_at=maybe(key.revoked_at),
        scopes=key.scopes,
        prefix=key.prefix,
        last_used_at=maybe(key.last_used_at),
        last_address=key.last_address,
        from_login=key.from_login,
        user=user,
    )


def new_api_key(key: ApiKey, user: User, secret: str) -> NewApiKey:
    """Show a new API key with its secret: this once."""
    return NewApiKey(**msgspec.structs.asdict(api_key_info(key, user.name)), key=secret)


def login_info(login: Login, now: float, scopes: Sequence[str], lasts: float) -> LoginInfo:
    """Show who wants to log in, and what they get: a key that is good for this, for so many seconds."""
    return LoginInfo(
        host=login.host,
        address=login.address,
        age=max(0.0, now - login.asked_at),
        asked_at=moment(login.asked_at),
        expires_at=moment(login.expires_at),
        scopes=tuple(scopes),
        lasts=lasts,
    )
