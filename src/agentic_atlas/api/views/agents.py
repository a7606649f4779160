"""Agents, their skills, instances and tokens, as the API shows them."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Raw

from agentic_atlas.api.views.times import at, maybe
from agentic_atlas.backend.domain.records import (
    Agent,
    Instance,
    Skill,
    Token,
)
from agentic_atlas.backend.ports import Usage
from agentic_atlas.protocol.messages import Policy


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
    slots_used: int
    """Of its `concurrency`; those of tasks that are on their way to it count."""
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
    slots_used: int
    slots: int
    """Tasks that its connected instances run at the same time, all together."""
    tasks_waiting: int
    """Tasks that wait for a slot of it."""
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


class Presence(msgspec.Struct, frozen=True):
    """What there is of an agent at the moment."""

    online: int = 0
    """Connected instances that take tasks."""
    usage: Sequence[Usage] = ()
    waiting: int = 0
    heard_at: float | None = None
    """When any of them was heard last."""


def agent_view(
    agent: Agent, now: Presence, skills: list[Skill] | None = None, instances: list[Instance] | None = None
) -> AgentView:
    """Show an agent; one that is connected was seen when it was heard last."""
    used = {one.instance_id: one.used for one in now.usage}
    disabled = agent.disabled_at is not None
    return AgentView(
        name=agent.name,
        owner=agent.owner,
        full_name=agent.full_name,
        description=agent.description,
        created_at=at(agent.created_at),
        status="disabled" if disabled else "online" if now.online else "offline",
        instances_online=now.online,
        slots_used=sum(used.values()),
        slots=sum(one.slots for one in now.usage),
        tasks_waiting=now.waiting,
        disabled=disabled,
        last_seen_at=maybe(now.heard_at or agent.last_seen_at),
        skills=None if skills is None else [skill_view(skill) for skill in skills],
        instances=None if instances is None else [instance_view(one, used.get(one.id, 0)) for one in instances],
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


def instance_view(instance: Instance, used: int) -> InstanceView:
    """Show an instance; `used` is how many of its slots are taken."""
    return InstanceView(
        id=instance.id,
        host=instance.host,
        pid=instance.pid,
        sdk=instance.sdk,
        runtime=instance.runtime,
        code_hash=instance.code_hash,
        concurrency=instance.concurrency,
        slots_used=used,
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
