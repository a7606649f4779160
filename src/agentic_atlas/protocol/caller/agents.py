"""Agents and their tokens: what may be asked of them, and how they, their skills and instances are shown."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from agentic_atlas.protocol.caller.values import Asked, Json, Listing, NotNegative, Page, Positive, Shown
from agentic_atlas.protocol.messages import Policy, Resources

AccessName: TypeAlias = Literal["call", "manage"]


class AgentRequest(Asked, frozen=True, kw_only=True):
    """An agent to be."""

    name: str
    description: str = ""


class AgentChange(Asked, frozen=True, kw_only=True):
    """What to change of an agent."""

    description: str | None = None
    disabled: bool | None = None
    name: str | None = None
    """Its other name. Its tokens are good as before, and its tasks keep the name that they were asked for by."""


class ShareRequest(Asked, frozen=True, kw_only=True):
    """With whom to share an agent: with all of these, or with none where one is not known."""

    subjects: Annotated[list[str], Meta(min_length=1, max_length=100)]
    """Each the name of a user, `group:NAME`, or `everyone`."""
    access: AccessName = "call"
    """`call`: to see it and ask it for tasks. `manage`: also to change it, have its tokens and see all its tasks."""


class ShareInfo(Shown, frozen=True, kw_only=True):
    """With whom an agent is shared."""

    subject: str
    """The name of a user, `group:NAME`, or `everyone`."""
    access: str
    """`call` or `manage`."""


class EndedToken(Shown, frozen=True, kw_only=True):
    """A token that was made by somebody an agent was shared with, and ended as they could manage it no more."""

    id: str
    name: str
    made_by: str
    """Name of the user who made it."""


class AgentShares(Shown, frozen=True, kw_only=True):
    """With whom an agent is shared from now on, by name."""

    items: list[ShareInfo]
    ended: tuple[EndedToken, ...] = ()
    """The tokens that ended with what was shared before; their connections are closed."""


class TokenRequest(Asked, frozen=True, kw_only=True):
    """A token to be."""

    name: str = ""
    description: str = ""
    """What it is for, in 1,000 characters at most; those that take its place have it too."""
    expires_in: Positive | None = None
    """Seconds; 90 days without it, and no more than the network allows, which is 366 days or less."""
    scopes: Annotated[list[Annotated[str, Meta(min_length=1, max_length=250)]], Meta(max_length=32)] | None = None
    """What it is good for besides connecting: `agent:call`, or `agent:call:OWNER/AGENT[/SKILL]` for tasks of that
    agent, or skill; without a list it is good for all."""
    renewable: bool = True
    """Its agent may have the next one by itself before it expires."""


class TokenRotation(Asked, frozen=True, kw_only=True):
    """A token to be in place of another one."""

    overlap: NotNegative = 86_400.0
    """Seconds for which that one stays good, as do all others of its lineage."""
    expires_in: Positive | None = None
    """Seconds; as long as that one was made for without it."""
    renewable: bool | None = None
    """Its agent may have the next one by itself before it expires; null: if it might have with that one."""


class SkillInfo(Shown, frozen=True, kw_only=True):
    """A function of an agent that can be called; the schemas are JSON Schema 2020-12."""

    name: str
    description: str
    input_schema: Json
    output_schema: Json
    """Null when it is not declared."""
    streams: bool
    """True when it yields its output in chunks."""
    policy: Policy


class HeldTask(Shown, frozen=True, kw_only=True):
    """A task that an instance has in hand."""

    id: str
    skill: str
    state: str
    """`working` or `input_required`."""


class AgentInstance(Shown, frozen=True, kw_only=True):
    """One process of an agent, connected now or lately."""

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
    """When it began to connect."""
    validated_at: datetime
    """When its token was found valid."""
    connected_at: datetime
    """When it was registered."""
    disconnected_at: datetime | None
    online: bool
    address: str = ""
    """From where it is, or was, connected."""
    token_ends_at: datetime | None = None
    """When the token ends that it is connected with; null when it is not connected."""
    token_renewable: bool = False
    """It may have the next one by itself before that."""
    token_made_by: str = ""
    """Name of the user who made it; empty when it is not connected, or that is not known."""
    cpu: float | None = None
    """Percent of one core that its process took lately, as its last beat said; null before the first, which comes after
    some seconds, and when it is not connected."""
    memory_bytes: int | None = None
    """Resident memory of its process, likewise."""
    lag: float | None = None
    """Seconds by which the loop is late that runs its skills, likewise."""
    holdup: str | None = None
    """Why it is given no new tasks, whatever slots are free: `draining`, `blocked`, `refused` or `behind`; or which of
    its own limits it keeps: `memory`, `cpu`, `battery` or `quiet_hours`."""
    resources: Resources | None = None
    """What else its process and its machine take, likewise; null when it does not say."""
    tasks: tuple[HeldTask, ...] = ()
    """What it has in hand, 100 at the most; empty for a key that is not good for reading tasks."""


class AgentSummary(Shown, frozen=True, kw_only=True):
    """An agent without its skills and instances: what lists have."""

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
    access: str = "own"
    """What whoever asks may do with it: `call`, `manage` or `own`."""
    skill_count: int = 0
    """Skills that it has declared."""


class SecondInstance(Shown, frozen=True, kw_only=True):
    """A process that came with a token which another one was using."""

    at: datetime
    """When it did last."""
    id: str
    host: str
    address: str
    token_id: str
    holder: str
    """The instance that was using it; empty when that was just being let in."""
    replaced: bool
    """Whether it took the place of that one, which gave no sign of life; else it was refused."""


class RefusedInstance(Shown, frozen=True, kw_only=True):
    """A process that was not let in for what it has shown, or declares."""

    at: datetime
    """When it came last."""
    code: str
    """Why: see the codes of errors."""
    message: str
    """What was wrong; empty where the code tells it all."""
    host: str
    """Empty for one that did not come as far as saying so."""
    address: str
    token_id: str


class AgentInfo(AgentSummary, frozen=True, kw_only=True):
    """An agent with its skills and instances, as it is shown when it is asked for by name."""

    skills: list[SkillInfo]
    instances: list[AgentInstance]
    """Empty for who may only call it."""
    shares: tuple[ShareInfo, ...] = ()
    """With whom it is shared; empty for who may only call it."""
    second_instances: tuple[SecondInstance, ...] = ()
    """Processes that came with a token in use since the server was started, the last one first, five at the most."""
    refused_instances: tuple[RefusedInstance, ...] = ()
    """Processes that were not let in since the server was started, the last one first, five at the most."""


AgentPage: TypeAlias = Page[AgentSummary, str]
"""Part of a list of agents, by name."""


class TokenInfo(Shown, frozen=True, kw_only=True):
    """A token of an agent, without its secret."""

    id: str
    agent: str
    name: str
    status: str
    """`active`; `retiring`, which is good until `retires_at`; `rotated` after that; `expired`; `revoked`; `withdrawn`:
    it ended with a signing key."""
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    in_use: bool = False
    """An instance is connected with it now."""
    scopes: tuple[str, ...] = ()
    """What it is good for."""
    lineage: str = ""
    """Id of the first of the tokens that it came out of, empty for that itself: revoking one of them revokes all."""
    renewable_until: datetime | None = None
    """No token that its agent has by renewal is good for longer; null when it can't be renewed."""
    retires_at: datetime | None = None
    """From when on it is refused, because another one was made in its place."""
    last_instance: str = ""
    """Id of the instance that used it last."""
    last_host: str = ""
    last_address: str = ""
    made_by: str = ""
    """Name of the user who made it, or the one that it was renewed from; the id of one who is gone; empty: that is not
    known."""
    by_share: bool = False
    """Who made it manages the agent and does not own it, for it is shared with them or they are an administrator: it
    ends when they may manage it no more."""
    description: str = ""
    """What it is for, as who made it has said."""


class NewToken(TokenInfo, frozen=True, kw_only=True):
    """A token just made: the only time its secret is known to anyone but its agent."""

    token: str
    """The value of `AGENT_JWT_TOKEN`. Left out of the text form."""
    replaces: tuple[str, ...] = ()
    """Ids of the tokens of its lineage that were good until it was made. Who names an older one, which was rotated or
    renewed before, finds here what was replaced in truth."""
    replaces_at: tuple[datetime, ...] = ()
    """When each of those ends, in the same order: one that retires or expires before the overlap is over does so."""

    def __repr__(self) -> str:
        return f"NewToken(id={self.id!r}, agent={self.agent!r}, name={self.name!r}, token=…)"


class RevokedToken(TokenInfo, frozen=True, kw_only=True):
    """A token that was revoked, with what that ended."""

    ended: tuple[str, ...] = ()
    """Ids of the tokens of its lineage that were good until then, itself among them if it was; the newest first."""


TokenList: TypeAlias = Listing[TokenInfo]
"""Tokens of an agent, newest first."""
