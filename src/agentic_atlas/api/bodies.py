"""What the API takes; every field is bounded, and one that is not known is an error."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from agentic_atlas.backend.domain.records import Role
from agentic_atlas.protocol.messages import Delivery

Positive = Annotated[float, Meta(gt=0, le=31_622_400)]
NotNegative = Annotated[float, Meta(ge=0, le=31_622_400)]


class NewTask(msgspec.Struct, forbid_unknown_fields=True):
    """One call of one skill."""

    agent: Annotated[str, Meta(min_length=1, max_length=129)]
    """`name`, or `owner/name`."""
    skill: Annotated[str, Meta(min_length=1, max_length=64)]
    input: Raw = msgspec.field(default_factory=lambda: Raw(b"{}"))
    """The skill's parameters, as an object."""
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """The same key from the same caller is one task."""
    deadline: Annotated[datetime, Meta(tz=True)] | None = None
    """When it must have ended."""
    timeout: Positive | None = None
    """Seconds from its start to its end; in place of the skill's."""
    priority: Annotated[int, Meta(ge=0, le=9)] = 0
    queue_ttl: NotNegative | None = None
    """Seconds to wait for a slot; 0: as long as the agent is there, and for one on its way back after a restart of the
    server. Without it: a day."""
    delivery: Delivery | None = None
    """In place of the skill's: stricter, not laxer."""
    retries: Annotated[int, Meta(ge=0, le=100)] | None = None
    """Further attempts after an error of the handler itself, in place of the skill's."""
    max_attempts: Annotated[int, Meta(ge=1, le=100)] | None = None
    """Attempts that may be lost with their instance, in place of the skill's."""


class NewTasks(msgspec.Struct, forbid_unknown_fields=True):
    """Several tasks at once, each accepted or not by itself."""

    tasks: Annotated[list[NewTask], Meta(min_length=1, max_length=100)]


class Reason(msgspec.Struct, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, Meta(max_length=500)] = "canceled by the caller"


class NewAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What a person says to a question of a task."""

    answer: Raw
    """Any JSON value that fits the question's schema."""
    question: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    """Number of the question; without it the oldest that is open."""


class NewAgent(msgspec.Struct, forbid_unknown_fields=True):
    """An agent to be."""

    name: str
    description: str = ""


class AgentChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of an agent."""

    description: str | None = None
    disabled: bool | None = None


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """A token to be."""

    name: str = ""
    expires_in: Positive | None = None
    """Seconds; 90 days without it, 366 at most."""


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user to be."""

    name: str
    role: Role = Role.MEMBER


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a user."""

    role: Role | None = None
    disabled: bool | None = None


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """An API key to be."""

    name: str = ""
    expires_in: Positive | None = None
    """Seconds; without it the key is good until it is revoked."""
    user: str | None = None
    """For whom; administrators only."""


class NewLogin(msgspec.Struct, forbid_unknown_fields=True):
    """A login to be approved by somebody else."""

    host: Annotated[str, Meta(min_length=1, max_length=64)]
    """The asking machine's name, for whoever approves."""


class DeviceCode(msgspec.Struct, forbid_unknown_fields=True):
    """The code that the asking machine keeps to itself."""

    device_code: Annotated[str, Meta(min_length=1, max_length=128)]


class UserCode(msgspec.Struct, forbid_unknown_fields=True):
    """The code that a person reads and types; case, dashes and spaces do not count."""

    user_code: Annotated[str, Meta(min_length=1, max_length=32)]
